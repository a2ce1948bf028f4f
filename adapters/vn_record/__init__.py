"""The hospital record of 2025 ("HoSoBenhAn", JSON or XML) as an adapter: eleven groups joined by ``sovaovien``.

Read README.md first, then parse.py (bytes to rows), mapping.py (rows to a Bundle) and one map_*.py a subject.
"""

from collections.abc import Mapping

from adapters.contract import Message, Span, Translation
from adapters.json_places import below_root
from adapters.places import Finder
from adapters.reading import Reading
from adapters.vn_record.mapping import translate_records
from adapters.vn_record.parse import read_records

NAME = "vn_record"
MEDIA_TYPES = frozenset({"application/json", "text/json", "application/xml", "text/xml"})
HEAD_BYTES = 4096
_MARKS = (b"HoSoBenhAn", b"ThongTinBenhNhan")

__all__ = ["MEDIA_TYPES", "NAME", "recognises", "spans", "translate"]


def recognises(body: bytes) -> bool:
    """Whether the first bytes name the record or its first group."""
    return any(mark in body[:HEAD_BYTES] for mark in _MARKS)


def translate(message: Message) -> Translation:
    """Map one file. Raises Untranslatable when nothing of it can be understood."""
    reading = Reading()
    records = read_records(message.body, reading)
    bundle = translate_records(message.hospital, records, reading)
    return Translation(bundle, reading.tally.close(), tuple(reading.notices), tuple(reading.units))


def spans(body: bytes, offsets: Mapping[str, int | None]) -> Mapping[str, Span]:
    """The bytes of each place of the ledger, in either form."""
    xml = body.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")
    return Finder(body, encoding="utf-8").spans(offsets) if xml else below_root(body, offsets)
