"""The work that goes on beside the requests: enrolling, counting, sending. Any number of processes may run it.

https://hl7.org/fhir/uv/subscriptions-backport/workflow.html
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import structlog

from fhir_gateway.problem import Conflict, Problem
from fhir_gateway.store.port import Job
from fhir_gateway.subscriptions.counting import RETRY, count_once
from fhir_gateway.subscriptions.enrolling import enrol
from fhir_gateway.subscriptions.office import Office
from fhir_gateway.subscriptions.register import PROGRESS, REFUSED, Progress, registers
from fhir_gateway.subscriptions.retention import keep_clearing
from fhir_gateway.subscriptions.sending import due, send
from fhir_gateway.subscriptions.standing import turn
from fhir_gateway.subscriptions.watch import ENROL

log = structlog.get_logger()
IDLE_SECONDS = 1.0
GATHER_SECONDS = 0.05
AT_ONCE = 16
ENROL_LEASE_SECONDS = 45.0


@dataclass(slots=True)
class Service:
    """One process's share of the work. A slow subscriber keeps nobody else waiting: each is sent to by a task."""

    office: Office
    idle_seconds: float = IDLE_SECONDS
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def run(self) -> None:
        """Until cancelled."""
        turns = (self._enrol, self._count, self._send)
        try:
            await asyncio.gather(*(self._repeat(turn) for turn in turns), keep_clearing(self.office))
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _repeat(self, turn: Callable[[], Awaitable[bool]]) -> None:
        """Take turns: at once after one that found work, else after a beat or the idle time."""
        while True:
            seen = self.office.pulse.beats
            worked = await guarded(turn)
            if not worked:
                await self.office.pulse.wait(seen, self.idle_seconds)
            # What comes in quick succession is done together: each turn costs the writers some of the database.
            await asyncio.sleep(GATHER_SECONDS)

    async def _count(self) -> bool:
        return await count_once(self.office)

    async def _enrol(self) -> bool:
        jobs = await self.office.store.lease(ENROL, self.office.owner, AT_ONCE, ENROL_LEASE_SECONDS)
        for job in jobs:
            self._start(job.id, partial(self._enrolled, job))
        return bool(jobs)

    async def _enrolled(self, job: Job) -> bool:
        try:
            await enrol(self.office, job)
        except Problem as trouble:
            # It changed while it was read, or the database was busy; its lease would be far too long a wait.
            wait = timedelta(0) if isinstance(trouble, Conflict) else RETRY
            await self.office.store.postpone(job.id, self.office.clock() + wait, trouble.text)
        self.office.pulse.beat()
        return True

    async def _send(self) -> bool:
        in_force = [one async for one in registers(self.office.store, in_force=True)]
        if not in_force:
            return False
        known = await self._progress()
        for register in in_force:
            progress = known.get(register.id)
            if trouble := self.office.trouble(register):
                await turn(self.office, register, REFUSED, trouble)
            elif progress is not None and due(self.office, register, progress):
                self._start(register.id, partial(self._sent, register.id))
        return False

    async def _sent(self, identity: str) -> bool:
        await send(self.office, identity)
        return True

    async def _progress(self) -> dict[str, Progress]:
        found: dict[str, Progress] = {}
        after = ""
        while rows := await self.office.store.notes(PROGRESS, {}, after, 500):
            found |= {key: Progress(**content) for key, content in rows}
            after = rows[-1][0]
        return found

    def _start(self, name: str, work: Callable[[], Awaitable[bool]]) -> None:
        if name not in self._tasks:
            task = asyncio.create_task(self._kept(name, work))
            self._tasks[name] = task

    async def _kept(self, name: str, work: Callable[[], Awaitable[bool]]) -> None:
        try:
            await guarded(work)
        finally:
            del self._tasks[name]


async def guarded(turn: Callable[[], Awaitable[bool]]) -> bool:
    """The service outlives a database that does not answer, and what no one foresaw."""
    try:
        return await turn()
    except Problem as trouble:
        log.warning("subscriptions wait", trouble=trouble.text)
    except Exception as fault:  # noqa: BLE001 - leases end, so what failed comes back
        log.error("subscriptions failed", fault=type(fault).__name__)
    return False
