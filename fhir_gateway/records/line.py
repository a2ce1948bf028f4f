"""Writers of one record stand in line, once they were in each other's way: each loses at most once in its own process.

https://hl7.org/fhir/R4/http.html#concurrency

Without it every writer that lost plans again at once with all the others, and of a hundred only one gets through each
time: 60 updates of one record took 50 seconds. The line is of this process; others are still met as a Conflict.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

PATIENCE_SECONDS = 15.0
"""Behind a database that does not answer nobody waits for longer than this: the answer is to say so."""


@dataclass(slots=True)
class _Line:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    standing: int = 0


@dataclass(slots=True)
class Lines:
    """The lines of one process; one that nobody stands in is forgotten."""

    _lines: dict[str, _Line] = field(default_factory=dict)

    @asynccontextmanager
    async def turn(self, names: Iterable[str]) -> AsyncIterator[None]:
        """At the head of all these lines, or out of patience; always in the same order, so that nobody blocks."""
        async with AsyncExitStack() as stack:
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    for name in sorted(set(names)):
                        await stack.enter_async_context(self._head(name))
            yield

    def __len__(self) -> int:
        return len(self._lines)

    @asynccontextmanager
    async def _head(self, name: str) -> AsyncIterator[None]:
        line = self._lines.setdefault(name, _Line())
        line.standing += 1
        try:
            async with line.lock:
                yield
        finally:
            line.standing -= 1
            if not line.standing:
                del self._lines[name]
