"""What comes one by one and goes in company: a journey costs the same for one as for fifty.

https://www.postgresql.org/docs/current/runtime-config-wal.html#GUC-COMMIT-DELAY

Who comes while a company is on its way waits for the next one. When that would be much smaller than the last, those
who have just been served are about to come again: a moment's patience lets them come along.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

PATIENCE_SECONDS = 0.002
"""Less than a write to disk takes; a lone caller never waits."""

T = TypeVar("T")


class Gathering(Generic[T]):
    """``go`` takes a company to its end; what it raises ends its task loudly. Belongs to one event loop."""

    def __init__(self, go: Callable[[list[T]], Awaitable[None]]) -> None:
        self._go = go
        self._waiting: list[T] = []
        self._last = 0
        self._journey: asyncio.Task[None] | None = None
        self._patience: asyncio.TimerHandle | None = None

    def join(self, *those: T) -> None:
        """They go with the next company, together."""
        self._waiting += those
        self._start()

    def _start(self) -> None:
        if self._journey is not None or not self._waiting:
            return
        if self._last > 2 * len(self._waiting):
            if self._patience is None:
                self._patience = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._start_late)
            return
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        self._journey = asyncio.create_task(self._travel())
        self._journey.add_done_callback(self._arrived)

    def _start_late(self) -> None:
        self._patience = None
        self._last = 0
        self._start()

    async def _travel(self) -> None:
        # Taken only now: whoever came in the same turn of the loop is in.
        company, self._waiting = self._waiting, []
        self._last = len(company)
        await self._go(company)

    def _arrived(self, _: asyncio.Task[None]) -> None:
        self._journey = None
        self._start()
