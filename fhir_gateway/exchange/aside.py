"""Work that may never end, done aside: whoever waits for it stops waiting after a time, and nobody else waits at all.

A thread of its own for each piece of work: one that hangs takes no place in a pool, and does not hold up the end of
the process.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


async def aside(work: Callable[[], T], seconds: float) -> T:
    """The result of ``work``. Raises what it raises, and TimeoutError when it takes longer: it is then left alone."""
    loop = asyncio.get_running_loop()
    waiting: asyncio.Future[T] = loop.create_future()

    def end(tell: Callable[[], None]) -> None:
        if not waiting.done():
            tell()

    def run() -> None:
        try:
            result = work()
        except BaseException as raised:  # noqa: BLE001 - it is raised again where the work was asked for
            # A future cannot carry a StopIteration.
            fault = RuntimeError("StopIteration") if isinstance(raised, StopIteration) else raised
            tell = lambda: waiting.set_exception(fault)  # noqa: E731
        else:
            tell = lambda: waiting.set_result(result)  # noqa: E731
        # The loop may be gone: a gateway does not wait for the end of this.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(end, tell)

    Thread(target=run, daemon=True, name="aside").start()
    return await asyncio.wait_for(waiting, seconds)
