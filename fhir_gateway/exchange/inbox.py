"""What hospitals sent: the bytes as they came, one receipt for the same bytes however often they come.

Acknowledged means durable: ``receive`` returns after the commit that holds the original and the work owed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any
from zlib import compress, decompress

from fhir_gateway.fhir.codec import decode, encode
from fhir_gateway.problem import BadRequest, Conflict, NotFound, TooLarge
from fhir_gateway.security.audit import Event
from fhir_gateway.store.port import Commit, Job, Note, Store

SHELF = "inbox"
ORIGINALS = "originals"
LEDGERS = "ledgers"
TRANSLATE = "translate"
LEDGER_LEVEL = 1


class State(StrEnum):
    """Where a message is."""

    RECEIVED = "received"
    STORED = "stored"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a message: what it is, where it is, what became of it. Times are ISO 8601 in UTC."""

    hospital: str
    receipt: str
    sha256: str
    media_type: str
    size: int
    received: str
    state: State = State.RECEIVED
    settled: str = ""
    adapter: str = ""
    resources: tuple[str, ...] = ()
    ledger: Mapping[str, int] = field(default_factory=dict)
    notices: tuple[Mapping[str, str], ...] = ()
    problems: tuple[Mapping[str, str], ...] = ()

    @property
    def key(self) -> str:
        return f"{self.hospital}/{self.receipt}"

    def content(self) -> dict[str, Any]:
        """The receipt as plain values, for the store and for JSON."""
        plain = {name: getattr(self, name) for name in self.__slots__}
        return {**plain, "state": str(self.state)} | {
            name: [dict(row) if isinstance(row, Mapping) else row for row in plain[name]]
            for name in ("resources", "notices", "problems")
        }


def receipt_of(content: Mapping[str, Any]) -> Receipt:
    """The Receipt a stored note holds."""
    lists = {name: tuple(content[name]) for name in ("resources", "notices", "problems")}
    named = {name: content[name] for name in Receipt.__slots__ if name in content}
    return Receipt(**{**named, **lists, "state": State(content["state"])})


def number(body: bytes) -> tuple[str, str]:
    """The receipt number (first half of the hash) and the whole SHA-256 of a message."""
    digest = sha256(body).hexdigest()
    return digest[:32], digest


@dataclass(frozen=True, slots=True)
class Inbox:
    """The door every message passes. ``limit`` is the largest message in bytes."""

    store: Store
    limit: int

    async def receive(
        self, hospital: str, media_type: str, body: bytes, now: datetime, event: Event
    ) -> tuple[Receipt, bool]:
        """Keep the message and owe its translation; a repeat gets the first receipt and True.

        Raises BadRequest for an empty message and TooLarge beyond the limit.
        """
        self._check(body)
        receipt, digest = number(body)
        fresh = Receipt(hospital, receipt, digest, media_type, len(body), now.isoformat(timespec="milliseconds"))
        try:
            await self.store.commit(_arrival(fresh, body, now, event))
        except Conflict:
            await self.store.append([event])
            return await self.receipt(hospital, receipt), True
        return fresh, False

    def _check(self, body: bytes) -> None:
        if not body.strip():
            raise BadRequest("the message is empty", "body")
        if len(body) > self.limit:
            raise TooLarge(f"the message has {len(body)} bytes; the limit is {self.limit}", "body")

    async def receipt(self, hospital: str, receipt: str) -> Receipt:
        """Raises NotFound."""
        content = await self.store.note(SHELF, f"{hospital}/{receipt}")
        if content is None:
            raise NotFound("no receipt of that number for this hospital", "receipt")
        return receipt_of(content)

    async def retry(self, receipt: Receipt, now: datetime, event: Event) -> Receipt:
        """Owe the translation of a quarantined message again. Raises Conflict when it is not in quarantine."""
        again = replace(receipt, state=State.RECEIVED, settled="", problems=(), notices=())
        note = Note(SHELF, receipt.key, again.content(), expected={"state": str(State.QUARANTINED)})
        await self.store.commit(Commit(notes=(note,), jobs=(_job(again, now),), events=(event,)))
        return again

    async def original(self, hospital: str, receipt: str) -> tuple[str, bytes]:
        """Media type and bytes exactly as they came. Raises NotFound."""
        content = await self.store.note(ORIGINALS, f"{hospital}/{receipt}")
        if content is None:
            raise NotFound("no message of that receipt number for this hospital", "receipt")
        return content["media_type"], content["body"]

    async def ledger(self, hospital: str, receipt: str) -> list[Mapping[str, Any]]:
        """The account of every source field; empty until the message was translated."""
        content = await self.store.note(LEDGERS, f"{hospital}/{receipt}")
        return list(decode(decompress(content["accounts"]))) if content else []


def ledger_note(before: Receipt, accounts: list[dict[str, Any]]) -> Note:
    """The ledger as it is kept: one compressed text, a quarter of the cost of so many small documents.

    A message that is tried again replaces the ledger of its first try.
    """
    content = {"accounts": compress(encode(accounts), LEDGER_LEVEL)}
    return Note(LEDGERS, before.key, content, expected={} if before.ledger else None)


def _arrival(receipt: Receipt, body: bytes, now: datetime, event: Event) -> Commit:
    original = {"media_type": receipt.media_type, "body": body, "received": receipt.received}
    return Commit(
        notes=(Note(SHELF, receipt.key, receipt.content()), Note(ORIGINALS, receipt.key, original)),
        jobs=(_job(receipt, now),),
        events=(event,),
    )


def _job(receipt: Receipt, now: datetime) -> Job:
    return Job(f"{TRANSLATE}/{receipt.key}", TRANSLATE, receipt.hospital, now, {"receipt": receipt.receipt})
