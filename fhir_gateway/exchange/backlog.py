"""How far the translator is behind each hospital, so that a door can say "later" instead of taking what must wait.

Counted for each hospital alone: one whose messages hang does not close the doors of the others.
"""

import time
from collections import Counter
from dataclasses import dataclass, field

from fhir_gateway.exchange import inbox
from fhir_gateway.problem import Unavailable
from fhir_gateway.store.port import Store

LOOK_SECONDS = 1.0
# The embedded engine counts 10,000 jobs in half a second: it may spend a twentieth of its time on that.
PAUSE_FACTOR = 20


class Behind(Unavailable):
    """The message was not taken, and is to be sent again."""


@dataclass(slots=True)
class _Count:
    """``waiting`` messages at the moment ``looked``, which took ``cost`` seconds to count."""

    waiting: int
    looked: float
    cost: float


@dataclass(slots=True)
class Backlog:
    """``limit`` messages of one hospital may wait for their translation.

    What this process takes and settles is counted at once, what others do when the store is asked again: together
    they may exceed the limit by what they take in that time.
    """

    store: Store
    limit: int
    _counts: dict[str, _Count] = field(default_factory=dict)
    _moved: Counter[str] = field(default_factory=Counter)

    async def admit(self, hospital: str) -> None:
        """Raises Behind while too much waits."""
        count = self._counts.get(hospital)
        if count is None or time.monotonic() - count.looked > max(LOOK_SECONDS, PAUSE_FACTOR * count.cost):
            count = await self._look(hospital, count)
        if count.waiting + self._moved[hospital] >= self.limit:
            raise Behind(f"{self.limit} messages of this hospital wait for their translation: send it again later")

    def taken(self, hospital: str) -> None:
        """A message was kept."""
        self._moved[hospital] += 1

    def settled(self, hospital: str) -> None:
        """A message was stored or quarantined."""
        self._moved[hospital] -= 1

    async def _look(self, hospital: str, last: _Count | None) -> _Count:
        started, before = time.monotonic(), self._moved[hospital]
        if last is not None:
            last.looked = started
        # Beyond the limit too: messages that are replayed pass no door.
        waiting = await self.store.waiting(f"{inbox.TRANSLATE}/{hospital}/", 2 * self.limit)
        now = time.monotonic()
        self._moved[hospital] -= before
        self._counts[hospital] = _Count(waiting, now, now - started)
        return self._counts[hospital]
