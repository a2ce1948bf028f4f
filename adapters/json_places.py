"""Where the values of a JSON message stand among its bytes, for whoever asks where a field stands.

https://www.rfc-editor.org/rfc/rfc8259
"""

import re
from collections.abc import Iterable, Mapping

from adapters.contract import Span, Untranslatable
from adapters.json_text import Leaf, Reading
from adapters.places import Step, steps_of
from adapters.ruler import Ruler

_VALUE = re.compile(rb'"(?:[^"\\]|\\.)*"|[^\s,\]}]+', re.DOTALL)
_MEMBER = re.compile(r"([^.\[\]]*)((?:\[\d+\])*)")
_MARK = b"\xef\xbb\xbf"


def ended(body: bytes, offsets: Mapping[str, int | None]) -> dict[str, Span]:
    """The values that begin at known bytes, with their quotation marks."""
    found = {place: _VALUE.match(body, at) for place, at in offsets.items() if at is not None}
    return {place: Span(value.start(), value.end() - value.start()) for place, value in found.items() if value}


def below_root(body: bytes, places: Iterable[str]) -> dict[str, Span]:
    """The values at places like ``/Root/Group[2]/field``, whatever stands around the root; texts without marks."""
    try:
        text = body.decode("utf-8-sig")
        reading = Reading(text)
        reading.value(0)
    except (UnicodeDecodeError, Untranslatable):
        return {}
    ruler = Ruler(text, "utf-8", len(_MARK) * body.startswith(_MARK))
    known = _by_ending(reading.leaves)
    spans = {}
    for place in places:
        root, *steps = steps_of(place) or [("", 1)]
        found = known.get(tuple(steps), [])
        if len(found) >= root[1]:
            spans[place] = _span(found[root[1] - 1], text, ruler)
    return spans


def _by_ending(leaves: Iterable[Leaf]) -> dict[tuple[Step, ...], list[Leaf]]:
    """The leaves by each ending of their path: a file may begin above, at or below its root."""
    known: dict[tuple[Step, ...], list[Leaf]] = {}
    for leaf in leaves:
        steps = _steps(leaf.path)
        for start in range(len(steps)):
            known.setdefault(steps[start:], []).append(leaf)
    return known


def _steps(path: str) -> tuple[Step, ...]:
    """``A.B[1].c`` as names and numbers; a list in a list counts by its last number."""
    found = [_MEMBER.fullmatch(part) for part in path.split(".")]
    numbers = [(one[1], re.findall(r"\d+", one[2])) for one in found if one]
    return tuple((name, int(places[-1]) + 1 if places else 1) for name, places in numbers)


def _span(leaf: Leaf, text: str, ruler: Ruler) -> Span:
    quoted = text[leaf.start] == '"'
    first, end = ruler.at(leaf.start + quoted), ruler.at(leaf.end - quoted)
    return Span(first, end - first)
