"""The two workers of a gateway: one turns kept messages into records, one carries what is owed to partners.

Both lease their work; whoever dies with a lease loses nothing, the lease ends and another takes over.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, cast
from uuid import uuid4

import structlog

from adapters.contract import Message, Piece, Sequenced
from fhir_gateway.exchange import division, filing, outbox
from fhir_gateway.exchange.ahead import Ahead, Do, Turn
from fhir_gateway.exchange.aside import aside
from fhir_gateway.exchange.convoy import INSIDE, Convoy, Footprint, Halted, Onlooker, Place, Way, looking
from fhir_gateway.exchange.delivery import Courier, Undelivered
from fhir_gateway.exchange.house import House
from fhir_gateway.exchange.inbox import Inbox, Receipt, State
from fhir_gateway.exchange.lanes import Bell, Lanes
from fhir_gateway.exchange.translation import Adapters, Translated, translate
from fhir_gateway.problem import Conflict, Issue, Problem, TooLarge, Unavailable, Unprocessable
from fhir_gateway.records.desk import attempts
from fhir_gateway.security.audit import Act
from fhir_gateway.security.caller import Caller
from fhir_gateway.store.port import Commit, Job, Store

log = structlog.get_logger()
BATCH = 16
ABREAST = 2
"""Messages of one hospital under way at once: while one is in the database, the next is filed. Of more the embedded
engine makes less, for its transactions wait for each other."""
MESSAGE_ATTEMPTS = 4
TROUBLE_ATTEMPTS = 30
STATUS = {State.STORED: 201, State.DIVIDED: 202}


@dataclass(slots=True)
class Settled:
    """Lets those who asked for the final state of a message wait for it, in this process.

    ``ended`` hears the hospital of each message that was settled here.
    """

    ended: Callable[[str], None] | None = None
    _waiting: dict[str, asyncio.Future[Receipt]] = field(default_factory=dict)

    def expect(self, key: str) -> asyncio.Future[Receipt]:
        """Say before the message is kept that someone will wait for it."""
        return self._waiting.setdefault(key, asyncio.get_running_loop().create_future())

    def announce(self, receipt: Receipt) -> None:
        if self.ended is not None:
            self.ended(receipt.hospital)
        future = self._waiting.pop(receipt.key, None)
        if future is not None and not future.done():
            future.set_result(receipt)

    def forget(self, key: str) -> None:
        """Nobody waits for it any longer; who still does looks in the store."""
        self._waiting.pop(key, None)

    async def wait(self, key: str, seconds: float) -> Receipt | None:
        """The settled receipt, or None when it takes longer."""
        future = self.expect(key)
        with suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(future), seconds)
        return None


async def work(queue: str, house: House, seconds: float, bell: Bell, do: Do | Turn) -> None:
    """Lease batches of ``queue`` for ever; jobs of one group in order, groups side by side.

    With a ``Turn`` the next job of a group is made ready while one is done. A group that hangs keeps no other waiting:
    what the others have to do is leased meanwhile.
    """
    owner = str(uuid4())
    lanes = Lanes(do.do, do.ready, do.abreast) if isinstance(do, Turn) else Lanes(do)
    try:
        while True:
            jobs = await _leased(queue, house, owner, seconds)
            lanes.begin(jobs)
            # A full batch may be of one group alone: the oldest of the others are behind it, not among it.
            if len(jobs) < BATCH or lanes.full:
                await lanes.pause(bell)
    finally:
        await lanes.stop()


async def _leased(queue: str, house: House, owner: str, seconds: float) -> list[Job]:
    try:
        return await house.store.lease(queue, owner, BATCH, seconds)
    except Problem as trouble:
        log.warning("lease failed", queue=queue, trouble=trouble.text)
        return []


@dataclass(frozen=True, slots=True)
class Translator:
    """Turns one kept message into records, or into a quarantined receipt that says where and why.

    ``longest_seconds`` is how long a translation may take. Messages of one hospital may be done at once: they keep
    their order wherever it matters (``convoy``).
    """

    house: House
    inbox: Inbox
    adapters: Adapters
    outgoing: Bell
    settled: Settled
    longest_seconds: float = 60.0
    _ahead: Ahead[tuple[Translated, bytes]] = field(default_factory=Ahead)
    _convoys: dict[str, Convoy] = field(default_factory=dict)
    _watched: House = field(init=False)

    def __post_init__(self) -> None:
        onlooker = cast(Store, Onlooker(self.house.store))
        object.__setattr__(self, "_watched", replace(self.house, store=onlooker))

    async def ready(self, job: Job) -> None:
        """Translate a message whose turn comes next."""
        receipt = await self.inbox.awaiting(job.group, str(job.content["receipt"]))
        if receipt.state is State.RECEIVED:
            await self._ahead.make(receipt.key, self._translated(receipt))

    async def do(self, job: Job) -> bool:
        """Settle one message; False when it is put off, for reasons outside the message."""
        with self._convoys.setdefault(job.group, Convoy()).joined() as place:
            done = await self._done(job, place)
            place.failed = not done
        return done

    async def _done(self, job: Job, place: Place) -> bool:
        hospital, number = job.group, str(job.content["receipt"])
        try:
            receipt = await self.inbox.awaiting(hospital, number)
            if receipt.state is State.RECEIVED:
                self.settled.announce(await self._settle(receipt, place, job))
                self.outgoing.ring()
            else:
                await self.house.store.settle(job.id)
        except Halted:
            return False
        except (Unavailable, Conflict) as trouble:
            return await self._put_off(job, trouble)
        except Problem as refusal:
            return await self._hold(hospital, number, refusal.issues)
        except Exception as fault:  # noqa: BLE001 - the worker outlives what no one foresaw
            log.error("message failed", receipt=f"{hospital}/{number}", fault=type(fault).__name__)
            return await self._give_up(job, fault)
        finally:
            # A second try is told by the store what became of the first.
            self.inbox.at_hand.forget(f"{hospital}/{number}")
        return True

    async def _settle(self, receipt: Receipt, place: Way, job: Job) -> Receipt:
        translated, body = self._ahead.take(receipt.key) or await self._translated(receipt)
        if translated.pieces:
            await place.alone()
            # Its pieces count themselves (MSH-13).
            whole = await self._commit(receipt, filing.divided(receipt, translated, self._now(), job.order))
            return await self._piece_by_piece(whole, translated.pieces, job)
        receipt = self._counted(receipt, translated, body)
        if translated.faults:
            return await self._commit(receipt, filing.quarantined(receipt, translated, translated.faults, self._now()))
        async for _ in attempts():
            filed = await self._filed(receipt, translated, body, place)
            with suppress(Conflict):
                return await self._commit(receipt, filed)
        raise Conflict("other writers were faster every time")

    async def _filed(self, receipt: Receipt, translated: Translated, body: bytes, place: Way) -> filing.Filed:
        """What the message asks for, once nothing it is about is still on its way."""
        while True:
            since = await place.turn()
            with looking() as looked:
                filed = await filing.file(self._watched, receipt, translated, body)
            if await place.goes(Footprint.of(filed.commit, looked), since):
                return filed

    async def _piece_by_piece(self, whole: Receipt, pieces: Sequence[Piece], job: Job) -> Receipt:
        """The pieces at once, before what was sent after them; their own jobs stand by for who does not get so far.

        Raises Halted where one is left to its own job: those behind wait.
        """
        held: list[Receipt] = []
        for piece in pieces:
            after = await self._piece(division.piece_receipt(whole, piece), piece.body, job)
            if after is None:
                # Else what was leased behind the whole, and its pieces with it, would wait until the leases end.
                with suppress(Problem):
                    await self.house.store.give_back(job)
                raise Halted
            self.settled.announce(after)
            held += [after] if after.state is State.QUARANTINED else []
        commit, told = division.kept_back(whole, held)
        if held:
            await self.house.store.commit(commit)
        return told

    async def _piece(self, receipt: Receipt, body: bytes, whole: Job) -> Receipt | None:
        """What became of one piece; None where it is left to its own job, for reasons outside it."""
        self.inbox.at_hand.put(receipt.key, receipt, body)
        try:
            return await self._settle(receipt, INSIDE, whole)
        except (Unavailable, Conflict):
            return None
        except Problem as refusal:
            await self._hold(receipt.hospital, receipt.receipt, refusal.issues)
            return await self.inbox.receipt(receipt.hospital, receipt.receipt)
        except Exception as fault:  # noqa: BLE001 - the worker outlives what no one foresaw
            log.error("piece failed", receipt=receipt.key, fault=type(fault).__name__)
            return None
        finally:
            self.inbox.at_hand.forget(receipt.key)

    def _counted(self, receipt: Receipt, translated: Translated, body: bytes) -> Receipt:
        """With the sender's own count of its messages, where it counts."""
        adapter = self.adapters.get(translated.adapter)
        return replace(receipt, sequence=adapter.sequence(body)) if isinstance(adapter, Sequenced) else receipt

    async def _translated(self, receipt: Receipt) -> tuple[Translated, bytes]:
        media_type, body = await self.inbox.original(receipt.hospital, receipt.receipt)
        hospital = self.house.directory.hospital(receipt.hospital)
        message = Message(hospital, media_type, body, datetime.fromisoformat(receipt.received))
        return await self._aside(message, receipt.key), body

    async def _aside(self, message: Message, key: str) -> Translated:
        """A translation is a pure function: what fails, or does not end, fails every time and is not tried again."""
        try:
            return await aside(partial(translate, self.adapters, message), self.longest_seconds)
        except MemoryError:
            raise
        except TimeoutError as fault:
            log.error("translation does not end", receipt=key, seconds=self.longest_seconds)
            raise _broken(f"its translation takes longer than {self.longest_seconds:g} s") from fault
        except Exception as fault:
            log.error("translation failed", receipt=key, fault=type(fault).__name__)
            raise _broken(f"the adapter failed on it: {type(fault).__name__}") from fault

    async def _commit(self, receipt: Receipt, filed: filing.Filed) -> Receipt:
        caller = Caller(receipt.hospital, "hospital", receipt.hospital)
        patients = tuple(ref for ref in filed.receipt.resources if ref.startswith("Patient/"))
        act = Act("transaction", caller, STATUS.get(filed.receipt.state, 422),
                  entities=filed.receipt.resources, patients=patients, request=receipt.key)  # fmt: skip
        try:
            await self.house.store.commit(replace(filed.commit, drafts=(self.house.draft(act),)))
        except TooLarge as trouble:
            held = filing.quarantined(receipt, None, trouble.issues, self._now())
            await self.house.store.commit(held.commit)
            return held.receipt
        return filed.receipt

    async def _put_off(self, job: Job, trouble: Problem) -> bool:
        """Try again soon; only a database that answers counts the tries.

        So a message that fails in this way every time is found out, and does not hold up its hospital for ever.
        """
        if job.attempts + 1 < TROUBLE_ATTEMPTS:
            return await _later(self.house, job, trouble.text, timedelta(seconds=min(1.0, 0.1 * 2**job.attempts)))
        return await self._hold(job.group, str(job.content["receipt"]), trouble.issues)

    async def _give_up(self, job: Job, fault: Exception) -> bool:
        """A message that breaks the gateway itself is quarantined after some tries, never tried for ever."""
        if job.attempts + 1 < MESSAGE_ATTEMPTS:
            return await _later(self.house, job, type(fault).__name__, timedelta(seconds=0.5 * 2**job.attempts))
        text = f"the gateway itself failed on this message ({type(fault).__name__}); it can be tried again"
        return await self._hold(job.group, str(job.content["receipt"]), (Issue(text, "message", "exception"),))

    async def _hold(self, hospital: str, number: str, issues: Sequence[Issue]) -> bool:
        """Quarantine a message for a reason found after its translation."""
        receipt = await self.inbox.receipt(hospital, number)
        held = filing.quarantined(receipt, None, issues, self._now())
        await self.house.store.commit(held.commit)
        self.settled.announce(held.receipt)
        return True

    def _now(self) -> datetime:
        return self.house.clock()


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Carries deliveries; a failure waits longer each time, for as long as it takes, and is visible meanwhile."""

    house: House
    courier: Courier
    first_seconds: float
    longest_seconds: float

    async def do(self, job: Job) -> bool:
        """Try one delivery; False when it is to be tried again."""
        identity = str(job.content["delivery"])
        try:
            await self._carry(job, identity)
        except (Undelivered, Unavailable, Conflict) as trouble:
            delay = min(self.longest_seconds, self.first_seconds * 2 ** min(job.attempts, 20))
            return await _later(self.house, job, trouble.text, timedelta(seconds=delay))
        except Exception as fault:  # noqa: BLE001 - the worker outlives what no one foresaw
            log.error("delivery failed", delivery=identity, fault=type(fault).__name__)
            return await _later(self.house, job, type(fault).__name__, timedelta(seconds=self.longest_seconds))
        return True

    async def _carry(self, job: Job, identity: str) -> None:
        summary = await self.house.store.note(outbox.SHELF, identity) or {}
        if summary.get("state") != "owed":
            await self.house.store.settle(job.id)
            return
        package = await self.house.store.note(outbox.PACKAGES, identity) or {}
        partner = self.house.directory.partners[summary["partner"]]
        answer = await self.courier.carry(partner, identity, bytes(package["body"]))
        ended = outbox.settled(identity, "delivered" if answer.taken else "refused", answer.reason, self.house.clock())
        await self.house.store.commit(
            Commit(notes=(ended,), settled=(job.id,), events=(self._event(summary, answer.taken),))
        )

    def _event(self, summary: Mapping[str, Any], taken: bool) -> Any:
        caller = Caller(self.house.name, "gateway", summary["partner"])
        return self.house.event(
            Act(
                "deliver",
                caller,
                200 if taken else 409,
                entities=(f"Task/{summary['task']}",),
                request=summary["delivery"],
            )
        )


def _broken(reason: str) -> Unprocessable:
    text = f"the gateway itself fails on this message: {reason}; it is kept and can be tried again"
    return Unprocessable(text, issues=(Issue(text, "message", "exception"),))


async def _later(house: House, job: Job, trouble: str, delay: timedelta) -> bool:
    with suppress(Problem):
        await house.store.postpone(job.id, house.clock() + delay, trouble)
    return False
