"""Work in lanes: the jobs of a group in their order, groups side by side, and none of them keeps another waiting."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from fhir_gateway.exchange.ahead import Do, Ready, nothing
from fhir_gateway.problem import Problem
from fhir_gateway.store.port import Job

log = structlog.get_logger()
IDLE_SECONDS = 1.0
BUSY_SECONDS = 0.2
MOST_LANES = 32


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
class Lane:
    """What is to do in one group, oldest first, and what of it is in hand."""

    todo: dict[str, Job] = field(default_factory=dict)
    in_hand: set[str] = field(default_factory=set)
    going: set[asyncio.Task[bool]] = field(default_factory=set)
    halted: bool = False

    async def room(self, abreast: int) -> bool:
        """Wait until fewer than so many are at work; whether one more may be begun."""
        while len(self.going) >= abreast:
            done, self.going = await asyncio.wait(self.going, return_when=asyncio.FIRST_COMPLETED)
            self.halted = self.halted or not all(task.result() for task in done)
        return not self.halted


@dataclass(slots=True)
class Lanes:
    """The groups at work in this process, each in a task of its own; ``abreast`` jobs of a group are begun at once.

    Who does more than one at once keeps their order himself.
    """

    do: Do
    ready: Ready = nothing
    abreast: int = 1
    _lanes: dict[str, Lane] = field(default_factory=dict)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    @property
    def full(self) -> bool:
        return len(self._tasks) >= MOST_LANES

    def begin(self, jobs: Sequence[Job]) -> None:
        """Take up leased jobs. The lease of a long one ends: its group comes again then, and goes on where it is."""
        for job in jobs:
            lane = self._lanes.setdefault(_lane(job), Lane())
            if job.id not in lane.in_hand:
                lane.todo.setdefault(job.id, job)
        for name in self._lanes.keys() - self._tasks.keys():
            self._tasks[name] = asyncio.create_task(self._in_order(name))

    async def pause(self, bell: Bell) -> None:
        """Until a lane is done, the bell rings, or a second is over.

        While a lane is busy the bell mostly rings for work behind it: then it does not count at once.
        """
        ring = asyncio.create_task(bell.wait(IDLE_SECONDS))
        ended, _ = await asyncio.wait({ring, *self._tasks.values()}, return_when=asyncio.FIRST_COMPLETED)
        ring.cancel()
        if self._tasks and ended == {ring}:
            await asyncio.sleep(BUSY_SECONDS)

    async def stop(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _in_order(self, name: str) -> None:
        lane = self._lanes[name]
        try:
            while lane.todo:
                await self._run(lane)
        finally:
            for task in lane.going:
                task.cancel()
            del self._lanes[name], self._tasks[name]

    async def _run(self, lane: Lane) -> None:
        """Until nothing is to do, or a job was put off: the rest of its group must not overtake it."""
        lane.halted = False
        while lane.todo and not lane.halted:
            job = lane.todo.pop(next(iter(lane.todo)))
            lane.in_hand.add(job.id)
            await self._readied(job)
            if await lane.room(self.abreast):
                lane.going.add(asyncio.create_task(self._done(lane, job)))
            else:
                lane.in_hand.discard(job.id)
        if lane.halted:
            # Who put a job off gave back the leases behind it; what comes from now on was leased anew.
            lane.todo.clear()
        await lane.room(1)

    async def _readied(self, job: Job) -> None:
        """What goes wrong here is met again where the job is done, and told there."""
        with suppress(Exception):
            await self.ready(job)

    async def _done(self, lane: Lane, job: Job) -> bool:
        try:
            return await self.do(job)
        except Problem as trouble:
            log.warning("job failed", queue=job.queue, trouble=trouble.text)
        except Exception as fault:  # noqa: BLE001 - the worker outlives what no one foresaw
            log.error("job failed", queue=job.queue, fault=type(fault).__name__)
        finally:
            lane.in_hand.discard(job.id)
        return False


def _lane(job: Job) -> str:
    """Jobs of a group are done in order; a job without one stands for itself."""
    return job.group or job.id
