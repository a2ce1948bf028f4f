"""A ledger as people look at it: each source field with its fate, its bytes in the message, and its rule when asked.

Bytes are found when a ledger is asked for, from the original as it is stored: translation knows lines at most.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters.contract import Adapter, Hospital, Locating, Message, Numbered, Span, Untranslatable
from adapters.rules import Rules, watched
from fhir_gateway.exchange import mapping
from fhir_gateway.exchange.inbox import Inbox, Receipt
from fhir_gateway.exchange.translation import Adapters

Row = dict[str, Any]
FATES = ("mapped", "ignored", "unmapped")


@dataclass(frozen=True, slots=True)
class Opened:
    """A kept message with its ledger: ``rows`` as stored, each with its bytes where they are known."""

    receipt: Receipt
    media_type: str
    body: bytes
    rows: tuple[Row, ...]


async def opened(letters: Inbox, adapters: Adapters, receipt: Receipt, into: str = "") -> Opened:
    """The message, and the account of its fields, with ``into`` of those that went there. Raises NotFound."""
    media_type, content = await letters.original(receipt.hospital, receipt.receipt)
    rows = await letters.ledger(receipt.hospital, receipt.receipt)
    if into:
        rows = [row for row in rows if any(target.startswith(into) for target in row["targets"])]
    body = bytes(content)
    located = await asyncio.to_thread(_located, adapters.get(receipt.adapter), body, rows)
    return Opened(receipt, media_type, body, tuple(located))


def _located(adapter: object, body: bytes, rows: list[Mapping[str, Any]]) -> list[Row]:
    found: Mapping[str, Span] = {}
    if isinstance(adapter, Locating):
        found = adapter.spans(body, {row["place"]: row["offset"] for row in rows})
    return [{**row, **_bytes(found.get(row["place"]))} for row in rows]


def _bytes(span: Span | None) -> Row:
    if span is None:
        return {}
    here: Row = {"offset": span.offset, "length": span.length}
    if span.outer is not None:
        here["within"] = {"place": span.carrier, "offset": span.outer.offset, "length": span.outer.length}
    return here


def counts(rows: tuple[Row, ...]) -> dict[str, int]:
    """How many fields had which fate, and their sum."""
    told = {fate: sum(row["fate"] == fate for row in rows) for fate in FATES}
    return {**told, "fields": len(rows)}


def control_number(adapters: Adapters, message: Opened, offset: int | None) -> str:
    """The sender's own number of the message a field is from; empty where the format has none."""
    adapter: object = adapters.get(message.receipt.adapter)
    return adapter.control_number(message.body, offset or 0) if isinstance(adapter, Numbered) else ""


async def rules(adapters: Adapters, hospital: Hospital, message: Opened) -> Rules:
    """The function behind each (place, target), by the mapping in force.

    What an older mapping did is not known by function: targets that the present one does not make are not in it.
    """
    adapter = adapters.get(message.receipt.adapter)
    if adapter is None:
        return {}
    told = Message(hospital, message.media_type, message.body, datetime.fromisoformat(message.receipt.received))
    return await asyncio.to_thread(_rules, adapter, told)


def _rules(adapter: Adapter, message: Message) -> Rules:
    try:
        return watched(adapter, message)[1]
    except Untranslatable:
        return {}


def is_present(adapters: Adapters, hospital: Hospital, receipt: Receipt) -> bool:
    """Whether a message was translated under the mapping in force."""
    adapter = adapters.get(receipt.adapter)
    return adapter is not None and receipt.mapping == mapping.version(receipt.adapter, adapter, hospital)
