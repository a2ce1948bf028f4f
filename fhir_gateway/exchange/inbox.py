"""What hospitals sent: the bytes as they came, one receipt for the same bytes however often they come.

Acknowledged means durable: ``receive`` returns after the commit that holds the original and the work owed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any
from uuid import uuid4
from zlib import compress, decompress

from fhir_gateway.exchange.at_hand import AtHand
from fhir_gateway.fhir.codec import decode, encode
from fhir_gateway.problem import BadRequest, Conflict, NotFound, TooLarge
from fhir_gateway.security.audit import Entry, Event
from fhir_gateway.store.port import Commit, Job, Note, Store

SHELF = "inbox"
ORIGINALS = "originals"
LEDGERS = "ledgers"
REPEATS = "repeats"
TRANSLATE = "translate"
LEDGER_LEVEL = 1
# Not "now": a clock that is set back would let the message wait until then.
AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
LISTS = ("resources", "notices", "problems", "remapped")


class State(StrEnum):
    """Where a message is.

    One that was corrected by hand is kept, and another stands in its place; one that was divided lives on as pieces.
    """

    RECEIVED = "received"
    STORED = "stored"
    QUARANTINED = "quarantined"
    CORRECTED = "corrected"
    DIVIDED = "divided"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a message: what it is, where it is, what became of it. Times are ISO 8601 in UTC.

    ``mapping`` is the version it was translated under, ``remapped`` are the times it was translated anew.
    ``corrects`` and ``corrected_by`` are receipt numbers, and so is ``whole``: of the message it was a piece of, at
    ``place``. ``pieces`` is how many a message was divided into. ``sequence`` is the sender's own count (MSH-13).
    ``signature`` is what the facility's signature is worth, empty where nobody looked. ``retries`` is how often a
    message in quarantine was tried again.
    """

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
    mapping: str = ""
    remapped: tuple[str, ...] = ()
    corrects: str = ""
    corrected_by: str = ""
    whole: str = ""
    place: str = ""
    pieces: int = 0
    sequence: str = ""
    signature: Mapping[str, str] = field(default_factory=dict)
    retries: int = 0

    @property
    def key(self) -> str:
        return f"{self.hospital}/{self.receipt}"

    def content(self) -> dict[str, Any]:
        """The receipt as plain values, for the store and for JSON."""
        plain = {name: getattr(self, name) for name in self.__slots__}
        plain["hour"] = hour(self.hospital, self.received)
        return {**plain, "state": str(self.state)} | {
            name: [dict(row) if isinstance(row, Mapping) else row for row in plain[name]] for name in LISTS
        }


def receipt_of(content: Mapping[str, Any]) -> Receipt:
    """The Receipt a stored note holds."""
    lists = {name: tuple(content.get(name, ())) for name in LISTS}
    named = {name: content[name] for name in Receipt.__slots__ if name in content}
    return Receipt(**{**named, **lists, "state": State(content["state"])})


def hour(hospital: str, received: str) -> str:
    """What the arrivals of an hour (in UTC) are found by: ``bai-chay/2026-11-23T05``."""
    return f"{hospital}/{received[:13]}"


def number(body: bytes) -> tuple[str, str]:
    """The receipt number (first half of the hash) and the whole SHA-256 of a message."""
    digest = sha256(body).hexdigest()
    return digest[:32], digest


@dataclass(frozen=True, slots=True)
class Inbox:
    """The door every message passes. ``limit`` is the largest message in bytes."""

    store: Store
    limit: int
    at_hand: AtHand[Receipt] = field(default_factory=AtHand)

    async def receive(
        self, hospital: str, media_type: str, body: bytes, now: datetime, event: Entry
    ) -> tuple[Receipt, bool]:
        """Keep the message and owe its translation; a repeat gets the first receipt and True.

        Raises BadRequest for an empty message and TooLarge beyond the limit.
        """
        self.check(body)
        receipt, digest = number(body)
        fresh = Receipt(hospital, receipt, digest, media_type, len(body), now.isoformat(timespec="milliseconds"))
        try:
            await self.store.commit(arrival(fresh, body, now, event))
        except Conflict:
            await self.store.commit(_told(Commit(notes=(_repeat(fresh),)), event))
            return await self.receipt(hospital, receipt), True
        self.at_hand.put(fresh.key, fresh, body)
        return fresh, False

    async def receive_all(
        self,
        hospital: str,
        papers: Sequence[tuple[str, bytes]],
        now: datetime,
        event: Callable[[Sequence[str]], Event],
    ) -> list[tuple[Receipt, bool]]:
        """Keep several messages (media type and bytes) in one commit, in their order; as ``receive`` where one repeats.

        ``event`` gives the audit event of receipt numbers.
        """
        fresh: dict[str, Commit] = {}
        receipts = []
        for media_type, body in papers:
            self.check(body)
            short, digest = number(body)
            moment = now.isoformat(timespec="milliseconds")
            receipt = Receipt(hospital, short, digest, media_type, len(body), moment)
            receipts.append((receipt, short in fresh))
            fresh.setdefault(short, arrival(receipt, body, now, None))
        try:
            await self.store.commit(together(fresh.values(), event(list(fresh))))
        except Conflict:
            each = [(*paper, now, event([number(paper[1])[0]])) for paper in papers]
            return [await self.receive(hospital, *paper) for paper in each]
        return receipts

    def check(self, body: bytes) -> None:
        """Raises BadRequest for an empty message and TooLarge beyond the limit."""
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

    async def awaiting(self, hospital: str, receipt: str) -> Receipt:
        """The receipt of a message whose turn has come, as it was kept if that was here and now. Raises NotFound."""
        known = self.at_hand.look(f"{hospital}/{receipt}")
        return known[0] if known else await self.receipt(hospital, receipt)

    async def retry(self, receipt: Receipt, now: datetime, event: Event) -> Receipt:
        """Owe the translation of a quarantined message again. Raises Conflict when it is not in quarantine."""
        if receipt.state is not State.QUARANTINED:
            raise Conflict(f"only a quarantined message can be tried again; this one is {receipt.state}", "receipt")
        again = replace(receipt, state=State.RECEIVED, settled="", problems=(), notices=(), retries=receipt.retries + 1)
        note = Note(SHELF, receipt.key, again.content(), expected={"state": str(State.QUARANTINED)}, entire=True)
        await self.store.commit(Commit(notes=(note,), jobs=(_job(again),), events=(event,)))
        return again

    async def original(self, hospital: str, receipt: str) -> tuple[str, bytes]:
        """Media type and bytes exactly as they came. Raises NotFound."""
        if known := self.at_hand.look(f"{hospital}/{receipt}"):
            return known[0].media_type, known[1]
        content = await self.store.note(ORIGINALS, f"{hospital}/{receipt}")
        if content is None:
            raise NotFound("no message of that receipt number for this hospital", "receipt")
        return content["media_type"], content["body"]

    async def ledger(self, hospital: str, receipt: str) -> list[Mapping[str, Any]]:
        """The account of every source field; empty until the message was translated."""
        content = await self.store.note(LEDGERS, f"{hospital}/{receipt}")
        return list(decode(decompress(content["accounts"]))) if content else []


def _told(commit: Commit, event: Entry) -> Commit:
    """The commit with the event, which may share a page if it has no id yet."""
    return replace(commit, events=(event,)) if isinstance(event, Event) else replace(commit, drafts=(event,))


def _repeat(receipt: Receipt) -> Note:
    """That the same bytes came again, so that each time can be counted."""
    when = hour(receipt.hospital, receipt.received)
    content = {"receipt": receipt.receipt, "received": receipt.received, "hour": when}
    return Note(REPEATS, f"{receipt.key}/{uuid4()}", content)


def ledger_note(before: Receipt, accounts: list[dict[str, Any]], mapping: str = "") -> Note:
    """The ledger as it is kept: one compressed text, a quarter of the cost of so many small documents.

    A message that is tried again replaces the ledger of its first try.
    """
    content = {"accounts": compress(encode(accounts), LEDGER_LEVEL), "mapping": mapping}
    return Note(LEDGERS, before.key, content, expected={} if before.ledger else None, entire=True)


def together(commits: Iterable[Commit], event: Event) -> Commit:
    """What several arrivals ask for, as one; one event names them all."""
    parts = list(commits)
    return Commit(
        notes=tuple(note for part in parts for note in part.notes),
        jobs=tuple(job for part in parts for job in part.jobs),
        events=(event,),
    )


def arrival(receipt: Receipt, body: bytes, now: datetime, event: Entry | None) -> Commit:
    """All that makes a message kept: its receipt, its bytes, the translation owed, the event."""
    original = {"media_type": receipt.media_type, "body": body, "received": receipt.received}
    kept = Commit(
        notes=(Note(SHELF, receipt.key, receipt.content()), Note(ORIGINALS, receipt.key, original)),
        jobs=(_job(receipt),),
    )
    return _told(kept, event) if event else kept


def _job(receipt: Receipt) -> Job:
    return Job(f"{TRANSLATE}/{receipt.key}", TRANSLATE, receipt.hospital, AT_ONCE, {"receipt": receipt.receipt})
