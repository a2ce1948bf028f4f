"""Long work in portions: a request that has had the loop to itself for a while lets the others have their turn.

https://docs.python.org/3/library/asyncio-task.html#sleeping
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from time import perf_counter
from typing import ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")

TURN_SECONDS = 0.004
"""What a small request may have to wait behind a large one, each time."""
LONG = 100
"""Of so many items one step of work takes longer than a turn, so it goes to a thread."""


async def in_turns(items: Iterable[T]) -> AsyncIterator[T]:
    """The items one by one; between two of them, now and then, other requests have their turn."""
    end = perf_counter() + TURN_SECONDS
    for item in items:
        if perf_counter() > end:
            await asyncio.sleep(0)
            end = perf_counter() + TURN_SECONDS
        yield item


async def alongside(size: int, work: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """What the work gives. It is done in a thread, which shares the processor fairly, where ``size`` is ``LONG``."""
    if size < LONG:
        return work(*given, **named)
    return await asyncio.to_thread(work, *given, **named)
