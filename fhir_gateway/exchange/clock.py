"""The clock of the machine, when it is set back: what is leased or put off until a time would wait for it twice."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

import structlog

from fhir_gateway.problem import Problem
from fhir_gateway.store.port import Store

log = structlog.get_logger()
LOOK_SECONDS = 5.0


def ahead() -> float:
    """How far the wall's clock is before the one that never jumps."""
    return time.time() - time.monotonic()


async def set_right(store: Store, queues: Mapping[str, float]) -> None:
    """At a start: what waits longer than the seconds a job of its queue may wait was put off by another clock."""
    for queue, longest in queues.items():
        await store.hasten(queue, longest)


async def keep_time(store: Store, queues: Iterable[str], measure: Callable[[], float] = ahead) -> None:
    """For ever: what waits in ``queues`` is made ready when the clock was set back by more than a look."""
    was, queues = measure(), tuple(queues)
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        before, was = was, measure()
        if was < before - LOOK_SECONDS:
            log.warning("the clock was set back", seconds=round(before - was))
            with suppress(Problem):
                for queue in queues:
                    await store.hasten(queue)
