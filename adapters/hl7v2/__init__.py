"""HL7 v2 messages as the hospitals' systems send them, into FHIR R4.

https://build.fhir.org/ig/HL7/v2-to-fhir/
"""

from adapters.contract import Message, Translation, Untranslatable
from adapters.draft import Draft
from adapters.hl7v2.divide import before_of, divide, is_piece
from adapters.hl7v2.legacy import KINDS
from adapters.hl7v2.messages import map_message
from adapters.hl7v2.parse import Source, parse, wide_codec
from adapters.hl7v2.read import Reading
from adapters.hl7v2.render import render
from adapters.hl7v2.sequence import sequence
from adapters.hl7v2.spans import control_number, spans
from adapters.settle import settle

NAME = "hl7v2"
MEDIA_TYPES = frozenset(
    {"application/hl7-v2", "application/hl7-v2+er7", "x-application/hl7-v2+er7", "application/edi-hl7", "text/plain"}
)
# Each message of a batch has a receipt of its own, and is tried again and mapped again alone.
ROWS_TOGETHER = 1
# The longest messages that were met have a hundredth of this.
MOST_PARTS = 500_000
_STARTS = (b"MSH", b"FHS", b"BHS")


__all__ = ["MEDIA_TYPES", "NAME", "ROWS_TOGETHER"]
__all__ += ["control_number", "divide", "recognises", "render", "sequence", "spans", "translate"]


def recognises(body: bytes) -> bool:
    """Whether the message starts as HL7 v2 does, framed or not."""
    head = body[:64]
    codec = wide_codec(head)
    plain = head.decode(codec, "replace").encode() if codec else head
    return plain.lstrip(b"\xef\xbb\xbf\x0b\r\n \t").startswith(_STARTS)


def _check_parts(body: bytes, source: Source) -> None:
    """Raises Untranslatable for a message that is nearly all signs: each part costs some 200 bytes of memory."""
    signs = source.delimiters
    said = (signs.field, signs.component, signs.repetition, signs.subcomponent)
    if len(body) > MOST_PARTS and sum(body.count(sign.encode()) for sign in said if sign) > MOST_PARTS:
        raise Untranslatable(f"the message has more than {MOST_PARTS} parts", "MSH")


def translate(message: Message) -> Translation:
    """Map one message. Raises Untranslatable with the place when it cannot be filed safely."""
    named = message.hospital.quirks.get("legacy_text", "").upper()
    legacy = named if named in KINDS else ""
    before = before_of(message.media_type) if is_piece(message.media_type) else None
    source = parse(message.body, legacy, before)
    _check_parts(message.body, source)
    reading = Reading(source, legacy)
    draft = Draft(message.hospital.name)
    map_message(reading, message.hospital, draft)
    bundle, ledger = draft.bundle(), reading.tally.close()
    if draft.rewritten:
        settle(ledger, bundle, draft.rewritten)
    return Translation(bundle, ledger, tuple(reading.notices), moves=tuple(reading.moves))
