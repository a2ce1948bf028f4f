"""The two workers of a gateway: one turns kept messages into records, one carries what is owed to partners.

Both lease their work; whoever dies with a lease loses nothing, the lease ends and another takes over.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import uuid4

import structlog

from adapters.contract import Message
from fhir_gateway.exchange import filing, outbox
from fhir_gateway.exchange.delivery import Courier, Undelivered
from fhir_gateway.exchange.house import House
from fhir_gateway.exchange.inbox import Inbox, Receipt, State
from fhir_gateway.exchange.translation import Adapters, Translated, translate
from fhir_gateway.problem import Conflict, Issue, Problem, TooLarge, Unavailable
from fhir_gateway.records.desk import attempts
from fhir_gateway.security.audit import Act
from fhir_gateway.security.caller import Caller
from fhir_gateway.store.port import Commit, Job

log = structlog.get_logger()
BATCH = 16
IDLE_SECONDS = 1.0
MESSAGE_ATTEMPTS = 5


@dataclass(slots=True)
class Bell:
    """Wakes a worker at once when work arrived in this process; without a ring it looks every second."""

    _event: asyncio.Event = field(default_factory=asyncio.Event)

    def ring(self) -> None:
        self._event.set()

    async def wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), seconds)
        self._event.clear()


@dataclass(slots=True)
class Settled:
    """Lets those who asked for the final state of a message wait for it, in this process."""

    _waiting: dict[str, asyncio.Future[Receipt]] = field(default_factory=dict)

    def expect(self, key: str) -> asyncio.Future[Receipt]:
        """Say before the message is kept that someone will wait for it."""
        return self._waiting.setdefault(key, asyncio.get_running_loop().create_future())

    def announce(self, receipt: Receipt) -> None:
        future = self._waiting.pop(receipt.key, None)
        if future is not None and not future.done():
            future.set_result(receipt)

    async def wait(self, key: str, seconds: float) -> Receipt | None:
        """The settled receipt, or None when it takes longer."""
        future = self.expect(key)
        with suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(future), seconds)
        return None


async def work(queue: str, house: House, seconds: float, bell: Bell, do: Callable[[Job], Awaitable[bool]]) -> None:
    """Lease batches of ``queue`` for ever; jobs of one group in order, groups side by side."""
    owner = str(uuid4())
    while True:
        try:
            jobs = await house.store.lease(queue, owner, BATCH, seconds)
        except Problem as trouble:
            log.warning("lease failed", queue=queue, trouble=trouble.text)
            jobs = []
        if not jobs:
            await bell.wait(IDLE_SECONDS)
            continue
        groups = [list(group) for _, group in groupby(sorted(jobs, key=lambda job: job.group), lambda job: job.group)]
        await asyncio.gather(*(_in_order(group, do) for group in groups))


async def _in_order(jobs: Sequence[Job], do: Callable[[Job], Awaitable[bool]]) -> None:
    """Stop where a job was put off: the rest of its group must not overtake it."""
    for job in jobs:
        if not await do(job):
            return


@dataclass(frozen=True, slots=True)
class Translator:
    """Turns one kept message into records, or into a quarantined receipt that says where and why."""

    house: House
    inbox: Inbox
    adapters: Adapters
    outgoing: Bell
    settled: Settled

    async def do(self, job: Job) -> bool:
        """Settle one message; False when it is put off, for reasons outside the message."""
        hospital, number = job.group, str(job.content["receipt"])
        try:
            receipt = await self.inbox.receipt(hospital, number)
            if receipt.state is State.RECEIVED:
                self.settled.announce(await self._settle(receipt))
                self.outgoing.ring()
            else:
                await self.house.store.settle(job.id)
        except (Unavailable, Conflict) as trouble:
            return await _later(self.house, job, trouble.text, timedelta(seconds=1))
        except Problem as refusal:
            return await self._hold(hospital, number, refusal.issues)
        except Exception as fault:  # noqa: BLE001 - the worker outlives what no one foresaw
            log.error("message failed", receipt=f"{hospital}/{number}", fault=type(fault).__name__)
            return await self._give_up(job, fault)
        return True

    async def _settle(self, receipt: Receipt) -> Receipt:
        translated, body = await self._translated(receipt)
        if translated.faults:
            return await self._commit(receipt, filing.quarantined(receipt, translated, translated.faults, self._now()))
        async for _ in attempts():
            filed = await filing.file(self.house, receipt, translated, body)
            with suppress(Conflict):
                return await self._commit(receipt, filed)
        raise Conflict("other writers were faster every time")

    async def _translated(self, receipt: Receipt) -> tuple[Translated, bytes]:
        media_type, body = await self.inbox.original(receipt.hospital, receipt.receipt)
        hospital = self.house.directory.hospital(receipt.hospital)
        message = Message(hospital, media_type, body, datetime.fromisoformat(receipt.received))
        return await asyncio.to_thread(translate, self.adapters, message), body

    async def _commit(self, receipt: Receipt, filed: filing.Filed) -> Receipt:
        caller = Caller(receipt.hospital, "hospital", receipt.hospital)
        patients = tuple(ref for ref in filed.receipt.resources if ref.startswith("Patient/"))
        act = Act("transaction", caller, 201 if filed.receipt.state is State.STORED else 422,
                  entities=filed.receipt.resources, patients=patients, request=receipt.key)  # fmt: skip
        try:
            await self.house.store.commit(replace(filed.commit, events=(self.house.event(act),)))
        except TooLarge as trouble:
            held = filing.quarantined(receipt, None, trouble.issues, self._now())
            await self.house.store.commit(held.commit)
            return held.receipt
        return filed.receipt

    async def _give_up(self, job: Job, fault: Exception) -> bool:
        """A message that breaks the gateway itself is quarantined after some tries, never tried for ever."""
        if job.attempts + 1 < MESSAGE_ATTEMPTS:
            return await _later(self.house, job, type(fault).__name__, timedelta(seconds=2**job.attempts))
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


async def _later(house: House, job: Job, trouble: str, delay: timedelta) -> bool:
    with suppress(Problem):
        await house.store.postpone(job.id, house.clock() + delay, trouble)
    return False
