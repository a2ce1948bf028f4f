"""The elements of an XML message with their bytes: a second, cheap pass for whoever asks where a field stands.

https://www.w3.org/TR/xml/#sec-logical-struct

Translation needs lines at most; byte offsets are worked out when a ledger is looked at, so they cost it nothing.
"""

import re
from dataclasses import dataclass, field
from functools import partial
from xml.parsers import expat

_ATTRIBUTE = re.compile(rb"""([^\s=<>/"']+)\s*=\s*("[^"]*"|'[^']*')""")
_MARK = b"\xef\xbb\xbf"
_CDATA = b"<![CDATA["


class Unlocatable(Exception):  # noqa: N818 - an answer, not a fault: this text has no outline
    """The text is no XML that can be walked by its bytes."""


@dataclass(slots=True, eq=False)
class Element:
    """One element, ``namespace}local``: its tag starts at ``start``, its content is from ``inside`` to ``end``."""

    name: str
    start: int
    attributes: tuple[str, ...] = ()
    inside: int = -1
    end: int = -1
    children: list["Element"] = field(default_factory=list)

    @property
    def local(self) -> str:
        return self.name.rpartition("}")[2]


@dataclass(slots=True)
class _Walk:
    """One pass of the parser; ``shift`` is how many bytes of the message stand before what it reads."""

    parser: expat.XMLParserType
    shift: int
    open: list[Element] = field(default_factory=list)
    root: Element | None = None
    pending: Element | None = None

    def begin(self, name: str, attributes: list[str]) -> None:
        here = self._here()
        element = Element(name, here, tuple(attributes[::2]))
        if self.open:
            self.open[-1].children.append(element)
        else:
            self.root = element
        self.open.append(element)
        self.pending = element

    def finish(self, _: str) -> None:
        here = self._here()
        self.open.pop().end = here

    def pass_by(self, *_: object) -> None:
        """Any other event: the first one after a start tag says where the content begins."""
        self._here()

    def _here(self) -> int:
        here = self.parser.CurrentByteIndex + self.shift
        if self.pending is not None:
            self.pending.inside = here
            self.pending = None
        return here


def outline(body: bytes, encoding: str | None = None) -> Element:
    """The root element. Raises Unlocatable on a document type declaration and on what is not well-formed."""
    content = body.removeprefix(_MARK).lstrip()
    parser = expat.ParserCreate(encoding, namespace_separator="}")
    walk = _Walk(parser, len(body) - len(content))
    parser.ordered_attributes = True
    parser.StartElementHandler = walk.begin
    parser.EndElementHandler = walk.finish
    parser.CharacterDataHandler = walk.pass_by
    parser.CommentHandler = walk.pass_by
    parser.ProcessingInstructionHandler = walk.pass_by
    parser.StartCdataSectionHandler = walk.pass_by
    parser.StartDoctypeDeclHandler = partial(_refuse)
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, LookupError, ValueError):
        raise Unlocatable from None
    if walk.root is None:
        raise Unlocatable
    return walk.root


def _refuse(*_: object) -> None:
    raise Unlocatable


def content_of(body: bytes, element: Element) -> tuple[int, int]:
    """First byte and length of what stands between the element's tags, without white space around it."""
    text = body[element.inside : element.end]
    first, bare = element.inside + len(text) - len(text.lstrip()), text.strip()
    if bare.startswith(_CDATA) and bare.endswith(b"]]>") and bare.count(_CDATA) == 1:
        return first + len(_CDATA), len(bare) - len(_CDATA) - len(b"]]>")
    return first, len(bare)


def attribute_of(body: bytes, element: Element, name: str) -> tuple[int, int]:
    """First byte and length of an attribute's value; of the whole tag where its bytes do not show it (UTF-16)."""
    tag = body[element.start : element.inside]
    written = [found for found in _ATTRIBUTE.finditer(tag) if not found[1].startswith(b"xmlns")]
    if name in element.attributes and len(written) == len(element.attributes):
        found = written[element.attributes.index(name)]
        return element.start + found.start(2) + 1, len(found[2]) - 2
    return element.start, len(tag)
