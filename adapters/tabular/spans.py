"""Where the cells of a table end among its bytes, for whoever asks where a field stands.

https://www.rfc-editor.org/rfc/rfc4180
"""

import re
from collections import Counter
from collections.abc import Mapping

from adapters.contract import Span
from adapters.json_places import ended

_WIDE = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_LINE_ENDS = "\r\n"


def spans(body: bytes, offsets: Mapping[str, int | None]) -> Mapping[str, Span]:
    """The cells that begin at known bytes, with their quotation marks."""
    if body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"[", b"{"):
        return ended(body, offsets)
    # Every byte is a letter in Latin-1, and but for UTF-16 the signs that part cells are bytes of their own.
    encoding = _WIDE.get(body[:2], "latin-1")
    width = 1 if encoding == "latin-1" else 2
    text = body.decode(encoding, "replace")
    starts = {place: at // width for place, at in offsets.items() if at is not None}
    before = Counter(text[at - 1] for at in starts.values() if at and text[at - 1] not in _LINE_ENDS)
    sign = re.escape(before.most_common(1)[0][0]) if before else ""
    cell = re.compile(rf'"(?:[^"]|"")*"|[^{sign}\r\n]+')
    found = {place: cell.match(text, at) for place, at in starts.items()}
    return {place: Span(one.start() * width, (one.end() - one.start()) * width) for place, one in found.items() if one}
