"""Bytes to segments: framing, character set, segment ends, encoding characters; knows no FHIR.

https://www.hl7.eu/HL7v2x/v251/std251/ch02.html#Heading13
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from adapters.contract import Untranslatable
from adapters.hl7v2.charset import codec_of
from adapters.hl7v2.escape import Delimiters

START, END = b"\x0b", b"\x1c"
_NAME = re.compile("[A-Z][A-Z0-9]{2}")
# The segments that begin with the encoding characters.
HEADERS = frozenset({"FHS", "BHS", "MSH"})


class Line(NamedTuple):
    """One segment: ``fields[n]`` is the raw text of field n; ``offset`` its first byte in the message."""

    name: str
    place: str
    fields: tuple[str, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Source:
    """A message cut into segments. ``closed`` says whether its last segment has its end mark."""

    delimiters: Delimiters
    codec: str
    lines: tuple[Line, ...]
    closed: bool
    continued: tuple[str, ...]


def parse(body: bytes, legacy: str = "", before: Mapping[str, int] | None = None) -> Source:
    """Cut one message. Raises Untranslatable when it is no HL7 v2, is cut off, or cannot be decoded.

    ``legacy`` is the font encoding (TCVN3, VNI) that the hospital's file says its texts are in. ``before`` says that it
    is a piece of a batch, and how many segments of each name stood there before it.
    """
    wide = wide_codec(body)
    if wide:
        return _parse_wide(body, wide)
    content, start = unframed(body)
    return _cut(pieces(content, start), content, legacy, before=before)


def _cut(
    cut: list[tuple[int, bytes]],
    content: bytes,
    legacy: str = "",
    known: str = "",
    before: Mapping[str, int] | None = None,
) -> Source:
    header = next((raw for _, raw in cut if raw.startswith(b"MSH")), None)
    if header is None:
        raise Untranslatable("there is no MSH segment", "MSH")
    delimiters = _delimiters(header[3:9])
    codec = known or codec_of(_declared(header, delimiters), content, legacy)
    lines, continued = _lines(cut, delimiters, codec, before)
    closed = content.endswith((b"\r", b"\n"))
    if not closed and len(cut[-1][1]) < 3:
        raise Untranslatable("the message breaks off after this segment", lines[-1].place)
    return Source(delimiters, codec, lines, closed, continued)


def unframed(body: bytes) -> tuple[bytes, int]:
    """The message without MLLP frame and byte order mark, and its start. Raises Untranslatable on half a frame."""
    start = len(body) - len(body.lstrip(b"\xef\xbb\xbf\r\n \t"))
    if body[start : start + 1] != START:
        return body[start:], start
    end = body.find(END, start)
    if end < 0:
        raise Untranslatable("the MLLP frame has no end: the message is cut off", "MSH")
    inner = body[start + 1 : end]
    return inner.removeprefix(b"\xef\xbb\xbf"), start + 1 + 3 * inner.startswith(b"\xef\xbb\xbf")


def pieces(content: bytes, start: int) -> list[tuple[int, bytes]]:
    """The lines that hold something, each with its first byte."""
    found, position = [], start
    for part in content.splitlines(keepends=True):
        raw = part.rstrip(b"\r\n")
        # Files that were put together leave their byte order marks behind; one before MSH would hide a message.
        mark = 3 * raw.startswith(b"\xef\xbb\xbf")
        if raw and not raw.isspace():
            found.append((position + mark, raw[mark:]))
        position += len(part)
    return found


@lru_cache(maxsize=64)
def _delimiters(start: bytes) -> Delimiters:
    """The encoding characters, from what follows ``MSH``."""
    signs = start.decode("latin-1")
    separator, marks = signs[:1], signs[1:].split(signs[:1] or "|", maxsplit=1)[0]
    used = separator + marks
    if len(marks) < 1 or len(set(used)) != len(used) or any(c.isalnum() or c.isspace() for c in used):
        raise Untranslatable("MSH-1 and MSH-2 do not declare distinct encoding characters", "MSH-2")
    # Characters MSH-2 leaves out are not in use: nothing is split or escaped by them.
    padded = [*marks, "", "", "", ""]
    return Delimiters(separator, padded[0], padded[1], padded[2], padded[3], padded[4])


def _declared(header: bytes, delimiters: Delimiters) -> str:
    fields = header.decode("latin-1").split(delimiters.field)
    declared = fields[17] if len(fields) > 17 else ""
    return declared.replace(delimiters.repetition, "~") if delimiters.repetition else declared


def wide_codec(body: bytes) -> str:
    """The codec of a message in UTF-16, by its byte order mark or the zeros between its first letters; else empty."""
    head = body[:8].lstrip(START)
    if head.startswith(b"\xff\xfe") or head[:4] == b"M\0S\0":
        return "utf-16-le"
    return "utf-16-be" if head.startswith(b"\xfe\xff") or head[1:5] == b"M\0S\0" else ""


def _parse_wide(body: bytes, codec: str) -> Source:
    """A message in UTF-16, cut as its UTF-8; offsets count units of two bytes, as every sign of HL7 is one."""
    try:
        text = body.decode(codec)
    except UnicodeDecodeError as error:
        raise Untranslatable("bytes that are not of the declared character set", "MSH-18") from error
    content, start = unframed(text.encode())
    source = _cut(pieces(content, start), content, known="utf-8")
    whole = text.encode()
    lines = tuple(line._replace(offset=len(whole[: line.offset].decode().encode(codec)) // 2) for line in source.lines)
    return replace(source, codec=codec, lines=lines)


def _lines(
    cut: list[tuple[int, bytes]], delimiters: Delimiters, codec: str, before: Mapping[str, int] | None
) -> tuple[tuple[Line, ...], tuple[str, ...]]:
    counts: Counter[str] = Counter(before)
    lines: list[Line] = []
    broken: list[str] = []
    for offset, parts in _grouped(cut, delimiters, codec):
        name = parts[0][:3]
        counts[name] = number = counts.get(name, 0) + 1
        lines.append(_line("\n".join(parts), (number, offset), delimiters))
        if len(parts) > 1:
            broken.append(lines[-1].place)
    if before is None:
        _check_batch(counts, lines)
    return tuple(lines), tuple(broken)


def _grouped(cut: list[tuple[int, bytes]], delimiters: Delimiters, codec: str) -> list[tuple[int, list[str]]]:
    """Each segment as text, with its first byte, in the pieces that line breaks cut it into."""
    grouped: list[tuple[int, list[str]]] = []
    try:
        for offset, raw in cut:
            text = raw.decode(codec)
            if _NAME.fullmatch(text[:3]) and text[3:4] in (delimiters.field, ""):
                grouped.append((offset, [text]))
            elif grouped and grouped[-1][1][0][:3] != "MSH":
                # A line break inside a field, sent unescaped, cut the segment: it is put together again.
                grouped[-1][1].append(text)
            else:
                raise Untranslatable("a line that is no segment", "MSH")
    except UnicodeDecodeError as error:
        raise Untranslatable("bytes that are not of the declared character set", "MSH-18") from error
    return grouped


def _check_batch(counts: Counter[str], lines: list[Line]) -> None:
    """Several messages need the envelope of a batch, the same encoding characters, and the number it says."""
    if counts["MSH"] == 1 and "BTS" not in counts:
        return
    if counts["MSH"] > 1 and not counts["FHS"] + counts["BHS"]:
        raise Untranslatable("more than one message; send them one at a time or as a batch", "MSH[2]")
    headers = [line for line in lines if line.name == "MSH"]
    other = next((line for line in headers if line.fields[1:3] != headers[0].fields[1:3]), None)
    if other:
        raise Untranslatable("the messages of a batch must share their encoding characters", f"{other.place}-2")
    ends = [line for line in lines if line.name == "BTS" and len(line.fields) > 1]
    said = ends[0].fields[1].strip() if len(ends) == 1 else ""
    if said.isdecimal() and int(said[:9]) != counts["MSH"]:
        raise Untranslatable("the batch holds another number of messages than it says", f"{ends[0].place}-1")


def _line(text: str, at: tuple[int, int], delimiters: Delimiters) -> Line:
    fields = text.split(delimiters.field)
    if fields[0] in HEADERS and len(fields) > 1:
        fields.insert(1, delimiters.field)
    return Line(fields[0], f"{fields[0]}[{at[0]}]", tuple(fields), at[1])
