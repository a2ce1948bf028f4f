"""How long events are kept: those older than that are removed beside the requests, and their numbers stay taken.

https://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition-backport-subscription-events.html

Events are numbered in the order of time and removed from the front. So where they begin, and where they are young
enough, is found by halving: two dozen looks, however many there are. Keys to websockets go when they have expired.
"""

import asyncio
from collections.abc import Callable

import structlog

from fhir_gateway.problem import Problem
from fhir_gateway.subscriptions.answers import TOKENS
from fhir_gateway.subscriptions.office import Office
from fhir_gateway.subscriptions.register import EVENTS, Happening, event_key, progress, registers

log = structlog.get_logger()
EVERY_SECONDS = 3600.0
AT_ONCE = 500
LEASE = "subscription-retention"

Test = Callable[[Happening], bool]


async def keep_clearing(office: Office) -> None:
    """Once an hour by one of the processes; until cancelled."""
    while True:
        try:
            if await office.store.hold(LEASE, office.owner, EVERY_SECONDS * 1.5):
                await clear(office)
                await clear_tokens(office)
        except Problem as trouble:
            log.warning("old events stay", trouble=trouble.text)
        await asyncio.sleep(EVERY_SECONDS)


async def clear(office: Office) -> int:
    """Remove what is too old of every subscription, also of those that ended; how many that were."""
    before = office.clock() - office.kept
    removed = 0
    async for register in registers(office.store):
        count = (await progress(office.store, register.id)).count
        start = await _first(office, register.id, (1, count + 1), lambda event: True)
        stop = await _first(office, register.id, (start, count + 1), lambda event: event.time >= before)
        for number in range(start, stop, AT_ONCE):
            numbers = range(number, min(number + AT_ONCE, stop))
            await office.store.forget(EVENTS, [event_key(register.id, one) for one in numbers])
        removed += stop - start
    return removed


async def clear_tokens(office: Office) -> int:
    """Remove the keys to websockets that have expired; how many."""
    after, removed, now = "", 0, office.clock()
    while rows := await office.store.notes(TOKENS, {}, after, AT_ONCE):
        after = rows[-1][0]
        expired = [key for key, content in rows if content["until"] <= now]
        await office.store.forget(TOKENS, expired)
        removed += len(expired)
    return removed


async def _first(office: Office, identity: str, within: tuple[int, int], test: Test) -> int:
    """The first number whose event is there and passes, as all later ones do; the end where none is."""
    low, high = within
    while low < high:
        middle = (low + high) // 2
        event = await _event(office, identity, middle)
        low, high = (low, middle) if event is not None and test(event) else (middle + 1, high)
    return low


async def _event(office: Office, identity: str, number: int) -> Happening | None:
    content = await office.store.note(EVENTS, event_key(identity, number))
    return Happening(*content["event"]) if content else None
