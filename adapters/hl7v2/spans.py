"""Where the leaves of an HL7 v2 message end, and the sender's number of the message a byte belongs to.

https://www.hl7.eu/HL7v2x/v251/std251/ch02.html#Heading13
"""

import re
from collections.abc import Mapping

from adapters.contract import Span

# A line end is the segment's end only where another segment, or nothing, follows: else it cut a field in two.
_SEGMENT_END = rb"[\r\n]+(?=[A-Z][A-Z0-9]{2}(?:[^A-Za-z0-9\s]|[\r\n]|\Z)|\Z|\x1c)|\x1c|\Z"
_HEADER = re.compile(rb"(?:^|[\r\n\x0b])(?:\xef\xbb\xbf)?MSH(.)", re.DOTALL)
_CONTROL_FIELD = 9
_SIGNS = ("1", "2")


def spans(body: bytes, offsets: Mapping[str, int | None]) -> dict[str, Span]:
    """First byte and length of each leaf, up to the sign or the segment end that closes it."""
    header = _HEADER.search(body)
    if header is None:
        return {}
    field = header[1]
    marks = body[header.end() :].partition(field)[0]
    # The third mark is the escape sign: it closes nothing.
    signs = field + marks[:2] + marks[3:4]
    leaf = re.compile(b"[" + re.escape(signs) + b"]|" + _SEGMENT_END)
    whole = re.compile(re.escape(field) + b"|" + _SEGMENT_END)
    return {place: _span(body, place, at, (leaf, whole)) for place, at in offsets.items() if at is not None}


def _span(body: bytes, place: str, at: int, ends: tuple[re.Pattern[bytes], re.Pattern[bytes]]) -> Span:
    number = place.partition("-")[2].partition("[")[0]
    header = place[:3] in ("MSH", "FHS", "BHS")
    if header and number == "1":
        return Span(at, 1)
    found = ends[header and number in _SIGNS].search(body, at)
    return Span(at, (found.start() if found else len(body)) - at)


def control_number(body: bytes, offset: int) -> str:
    """MSH-10 of the message around ``offset``: in a batch, of the last header before it."""
    headers = [found for found in _HEADER.finditer(body) if found.start() <= offset] or list(_HEADER.finditer(body))[:1]
    if not headers:
        return ""
    line = re.split(rb"[\r\n]", body[headers[-1].end() - 1 :], maxsplit=1)[0]
    fields = line.split(headers[-1][1])
    return fields[_CONTROL_FIELD].decode("ascii", "replace").strip() if len(fields) > _CONTROL_FIELD else ""
