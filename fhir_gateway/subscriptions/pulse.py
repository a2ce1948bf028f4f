"""Wakes everyone in this process who waits for news; without it they look for themselves after a while."""

import asyncio
from contextlib import suppress


class Pulse:
    """Counts its beats, so that one between a look and a wait is not missed. Belongs to one event loop."""

    def __init__(self) -> None:
        self.beats = 0
        self._next = asyncio.Event()

    def beat(self) -> None:
        self.beats += 1
        self._next.set()
        self._next = asyncio.Event()

    async def wait(self, seen: int, seconds: float) -> int:
        """Return the number of beats once it differs from ``seen``, or after ``seconds``."""
        if self.beats == seen:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._next.wait(), seconds)
        return self.beats
