"""Requests without a valid token: on the audit trail too, but never so many that they fill it.

https://profiles.ihe.net/ITI/BALP/content.html

The first of an address in a minute is an event of its own. Those that follow within it are counted, and told as one
event when the minute is over; addresses beyond ``MOST`` are counted together. An IPv6 address stands for its network,
because one sender has all of it.
"""

import asyncio
import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from fhir_gateway.problem import Problem
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.trace import event
from fhir_gateway.security.audit import Act

WINDOW_SECONDS = 60.0
MOST = 100
OTHERS = "several addresses"
_NETWORK = 64


@dataclass(slots=True)
class Refusals:
    """Those of one process. ``clock`` gives seconds that never go back."""

    clock: Callable[[], float] = time.monotonic
    most: int = MOST
    _until: float = 0.0
    _uncounted: dict[str, int] = field(default_factory=dict)

    async def note(self, desk: Desk, act: Act) -> None:
        """One more. It never fails: who is refused learns nothing, whatever the trail can take."""
        if self.clock() >= self._until:
            await self.tell(desk)
            self._until = self.clock() + WINDOW_SECONDS
        place = _network(act.address)
        if place not in self._uncounted and len(self._uncounted) >= self.most:
            place = OTHERS
        first = place not in self._uncounted
        self._uncounted[place] = 0 if first else self._uncounted[place] + 1
        if first and not await _written(desk, act):
            self._uncounted[place] += 1

    async def tell(self, desk: Desk) -> None:
        """One event for each address that was refused again; what the trail does not take is told the next time."""
        counted, self._uncounted = self._uncounted, {}
        for place, times in counted.items():
            if times and not await _written(desk, Act("unauthenticated", None, 401, place, times=times)):
                self._uncounted[place] = self._uncounted.get(place, 0) + times

    async def run(self, desk: Desk) -> None:
        """Tells what is left when nobody is refused any more."""
        while True:
            await asyncio.sleep(WINDOW_SECONDS)
            if self.clock() >= self._until:
                await self.tell(desk)


async def _written(desk: Desk, act: Act) -> bool:
    try:
        await desk.trail.enter(lambda name, moment: event(act, moment, desk.name, name), desk.now())
    except Problem:
        return False
    return True


def _network(address: str) -> str:
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    return str(known) if known.version == 4 else str(ipaddress.ip_network((known, _NETWORK), strict=False))
