"""From the places a ledger names to bytes of an XML message: steps down its elements, into files it carries.

https://www.w3.org/TR/xpath-31/#abbrev
"""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import unescape

from adapters.contract import Span
from adapters.outline import Element, Unlocatable, attribute_of, content_of, outline

_STEP = re.compile(r"/(@?(?:Q\{[^}]*\})?[^/\[\]{}]+)(?:\[(\d+)\])?")
_CDATA = re.compile(rb"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)

Step = tuple[str, int]


@dataclass(slots=True)
class Page:
    """One file: its bytes and elements; ``carrier`` is the place of what carries it, ``outer`` the bytes of that."""

    body: bytes
    root: Element
    carrier: str = ""
    outer: Span | None = None
    _named: dict[tuple[int, str], list[Element]] = field(default_factory=dict)
    _below: dict[tuple[int, str], list[Element]] = field(default_factory=dict)

    def child(self, element: Element, step: Step, names: Mapping[str, str] | None) -> Element | None:
        """The child a step leads to; in the national files also the row of that name further down."""
        name, number = step
        alike = self._kept(self._named, element, name, names)
        if number <= len(alike):
            return alike[number - 1]
        below = self._kept(self._below, element, name, None) if names is None else []
        return below[number - 1] if number <= len(below) else None

    def _kept(
        self, shelf: dict[tuple[int, str], list[Element]], element: Element, name: str, names: Mapping[str, str] | None
    ) -> list[Element]:
        key = (id(element), name)
        if key not in shelf:
            found = element.children if shelf is self._named else _descendants(element)
            shelf[key] = [one for one in found if named(one.name, names) == name]
        return shelf[key]

    def span(self, first: int, length: int) -> Span:
        return Span(first, length, self.carrier, self.outer)


def named(name: str, names: Mapping[str, str] | None) -> str:
    """How a place calls ``namespace}local``: by its prefix in ``names``, and by its local name alone without them."""
    namespace, _, local = name.rpartition("}")
    if names is None:
        return local
    return names.get(namespace, f"Q{{{namespace}}}") + local


def _descendants(element: Element) -> list[Element]:
    found = []
    for child in element.children:
        found += [child, *_descendants(child)]
    return found


def steps_of(place: str) -> list[Step]:
    """``/A/B[2]/@c`` as names and numbers."""
    return [(name, int(number or 1)) for name, number in _STEP.findall(place)]


@dataclass(slots=True)
class Finder:
    """Finds places in one message. ``names`` maps namespaces to the prefixes that places use.

    Without ``names`` places go by local names, and a file in the element ``carries`` is walked into.
    """

    body: bytes
    names: Mapping[str, str] | None = None
    encoding: str | None = None
    carries: str = ""
    _inner: dict[int, Page | None] = field(default_factory=dict)

    def spans(self, places: Iterable[str]) -> dict[str, Span]:
        """The bytes of each place that is found; a message without an outline has none."""
        try:
            page = Page(self.body, outline(self.body, self.encoding))
        except Unlocatable:
            return {}
        found = {place: self._span(page, steps_of(place)) for place in places}
        return {place: span for place, span in found.items() if span is not None}

    def _span(self, page: Page, steps: list[Step]) -> Span | None:
        if not steps or (self.names is not None and named(page.root.name, self.names) != steps[0][0]):
            return None
        element, walked = self._begin(page, steps[0]), f"/{steps[0][0]}"
        for name, number in steps[1:]:
            if name.startswith("@"):
                return page.span(*attribute_of(page.body, element, self._attribute(element, name[1:])))
            below = page.child(element, (name, number), self.names)
            if below is None:
                inner = self._file(page, element, walked)
                if inner is None:
                    return None
                page, below = inner, inner.root
            element, walked = below, f"{walked}/{name}[{number}]"
        return page.span(*content_of(page.body, element))

    def _begin(self, page: Page, step: Step) -> Element:
        """The element that places begin with: the root, or one below it where a wrapper stands around them."""
        if self.names is not None or page.root.local == step[0]:
            return page.root
        return page.child(page.root, step, None) or page.root

    def _attribute(self, element: Element, name: str) -> str:
        return next((a for a in element.attributes if name == (named(a, self.names) if "}" in a else a)), "")

    def _file(self, page: Page, element: Element, walked: str) -> Page | None:
        """The file an element carries: the elements themselves, their text, or base64 of it."""
        carrier = next((child for child in element.children if self.carries and child.local == self.carries), None)
        if carrier is None:
            return None
        if id(carrier) not in self._inner:
            first, length = content_of(page.body, carrier)
            outer = (f"{walked}/{self.carries}", Span(first, length))
            self._inner[id(carrier)] = self._opened(page, carrier, outer)
        return self._inner[id(carrier)]

    def _opened(self, page: Page, carrier: Element, outer: tuple[str, Span]) -> Page | None:
        if carrier.children:
            return Page(page.body, carrier.children[0])
        text = carried(page.body[carrier.inside : carrier.end])
        try:
            return Page(text, outline(text, self.encoding), *outer)
        except Unlocatable:
            return None


def carried(text: bytes) -> bytes:
    """The inner file as bytes: out of CDATA or escapes, and out of base64 unless it is XML as it stands."""
    plain = _CDATA.sub(rb"\1", text) if b"<![CDATA[" in text else unescape(text.decode("utf-8", "replace")).encode()
    plain = plain.strip()
    if plain.startswith(b"<"):
        return plain
    try:
        return b64decode(b"".join(plain.split()), validate=True)
    except (NotBase64, ValueError):
        return b""
