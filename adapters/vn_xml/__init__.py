"""Vietnam's national XML (GIAMDINHHS of decisions 130, 4750 and 3176) as an adapter.

Read README.md first, then parse.py (bytes to records), mapping.py (records to a Bundle) and one map_*.py a subject.
"""

from collections.abc import Mapping

from adapters.contract import Message, Span, Translation
from adapters.places import Finder
from adapters.reading import Reading
from adapters.vn_xml.fields import ROOTS
from adapters.vn_xml.mapping import translate_dossiers
from adapters.vn_xml.parse import read_dossiers

NAME = "vn_xml"
#: The facility's XML-DSig over the file: the gateway, which has the original bytes, looks at it there.
SIGNATURE_PLACE = "/GIAMDINHHS/CHUKYDONVI"
MEDIA_TYPES = frozenset({"application/xml", "text/xml"})
HEAD_BYTES = 4096
_MARKS = tuple(root.encode() for root in sorted(ROOTS))

__all__ = ["MEDIA_TYPES", "NAME", "recognises", "spans", "translate"]


def recognises(body: bytes) -> bool:
    """Whether the first bytes name a root of the national XML, in whatever encoding they are."""
    head = body[:HEAD_BYTES].replace(b"\0", b"").upper()
    return any(mark in head for mark in _MARKS)


def translate(message: Message) -> Translation:
    """Map one file. Raises Untranslatable when nothing of it can be understood."""
    reading = Reading()
    dossiers = read_dossiers(message.body, reading)
    bundle = translate_dossiers(message.hospital, dossiers, reading)
    return Translation(bundle, reading.tally.close(), tuple(reading.notices), tuple(reading.units))


def spans(body: bytes, offsets: Mapping[str, int | None]) -> dict[str, Span]:
    """The bytes of each place of the ledger; of an inner file, counted within that file."""
    return Finder(body, encoding="utf-8", carries="NOIDUNGFILE").spans(offsets)
