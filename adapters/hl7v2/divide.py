"""A batch in its messages: one that cannot be used spoils only itself.

https://www.hl7.eu/HL7v2x/v251/std251/ch02.html#Heading57
"""

import re
from collections import Counter
from collections.abc import Sequence

from adapters.contract import Message, Piece
from adapters.hl7v2.parse import pieces, unframed, wide_codec

MEDIA_TYPE = "application/hl7-v2; before="
_NAME = re.compile(rb"[A-Z][A-Z0-9]{2}(?![A-Za-z0-9\s])|[A-Z][A-Z0-9]{2}\Z")


def divide(message: Message, most: int) -> Sequence[Piece]:
    """Pieces of at most ``most`` messages; empty where there is no batch, or where one of its messages is missing."""
    if wide_codec(message.body):
        return ()
    content, start = unframed(message.body)
    segments = [(offset, raw) for offset, raw in pieces(content, start) if _NAME.match(raw)]
    headers = [n for n, (_, raw) in enumerate(segments) if raw.startswith(b"MSH")]
    if len(headers) <= most or _is_short(segments, len(headers)):
        return ()
    if not is_piece(message.media_type) and not segments[0][1].startswith((b"FHS", b"BHS")):
        return ()
    # The envelope goes with its neighbours: its head with the first message, what closes it with the last one before.
    firsts = [0, *headers[most::most]]
    ends = [segments[first][0] for first in firsts[1:]] + [start + len(content)]
    seen = before_of(message.media_type)
    made = []
    for n, (first, end) in enumerate(zip(firsts, ends, strict=True)):
        begin = segments[first][0] if n else start
        place = f"MSH[{n * most + 1 + seen['MSH']}]"
        made.append(Piece(_media_type(seen, segments[:first]), message.body[begin:end], place, begin))
    return made


def _is_short(segments: Sequence[tuple[int, bytes]], messages: int) -> bool:
    """Whether the batch holds another number of messages than it says (BTS-1): some may never have come."""
    ends = [raw[4:].split(raw[3:4])[0].strip() for _, raw in segments if raw.startswith(b"BTS")]
    return len(ends) == 1 and ends[0].isdigit() and int(ends[0][:9]) != messages


def _media_type(seen: Counter[str], segments: Sequence[tuple[int, bytes]]) -> str:
    """Says how many segments of each name stood before: the places of a piece are those of the whole."""
    counts = seen + Counter(raw[:3].decode() for _, raw in segments)
    return MEDIA_TYPE + ("-".join(f"{name}.{count}" for name, count in sorted(counts.items())) or "none")


def before_of(media_type: str) -> Counter[str]:
    """How many segments of each name stood before this piece."""
    said = media_type.partition("before=")[2].partition(";")[0]
    rows = (row.partition(".") for row in said.split("-"))
    return Counter({name: int(count) for name, _, count in rows if count.isdecimal()})


def is_piece(media_type: str) -> bool:
    return media_type.startswith(MEDIA_TYPE)
