"""Notifications to rest-hooks: in order, one at a time for each subscription, tried again for as long as it takes.

https://hl7.org/fhir/uv/subscriptions-backport/errors.html

Whoever holds the subscription's lease sends; ``told`` moves only after the subscriber answered. A gateway that dies in
between sends the same events under the same numbers once more: the subscriber sees a number twice, never a gap.
"""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta

from fhir_gateway.problem import Conflict, Invalid, Unavailable
from fhir_gateway.store.port import Commit
from fhir_gateway.subscriptions.notice import EVENT, HEARTBEAT, Notice, Told, notification, told
from fhir_gateway.subscriptions.office import Letter, Office, Undelivered
from fhir_gateway.subscriptions.register import (
    ACTIVE,
    FAILING,
    OFF,
    SHELF,
    Progress,
    Register,
    events,
    next_kept,
    progress,
    progress_note,
    registered,
)
from fhir_gateway.subscriptions.standing import turn
from fhir_gateway.subscriptions.terms import EMPTY, REST_HOOK
from fhir_gateway.subscriptions.topics import DELETE

ERROR_AFTER = 3
BATCHES = 50


async def send(office: Office, identity: str) -> None:
    """Send what is due of one subscription, unless another process is at it."""
    for _ in range(BATCHES):
        register = await registered(office.store, identity)
        if register is None or not register.in_force or office.trouble(register):
            return
        if not await _hold(office, identity):
            return
        holding = asyncio.create_task(_go_on_holding(office, identity))
        try:
            more = await _send_batch(office, register, await progress(office.store, identity))
        finally:
            holding.cancel()
        if not more:
            return


async def _hold(office: Office, identity: str) -> bool:
    return await office.store.hold(f"{SHELF}/{identity}", office.owner, office.lease_seconds)


async def _go_on_holding(office: Office, identity: str) -> None:
    """A slow answer outlasts the lease, which is short so that a dead process is soon replaced."""
    while True:
        await asyncio.sleep(office.lease_seconds / 3)
        with suppress(Unavailable):
            await _hold(office, identity)


def due(office: Office, register: Register, known: Progress) -> bool:
    """Whether something is to be done now: events, a heartbeat, the end."""
    if ended(office, register):
        return True
    now = office.clock()
    if register.terms.channel != REST_HOOK or _waits(office, known, now):
        return False
    return known.told < known.count or register.terms.beats(known.spoken, now)


def _waits(office: Office, known: Progress, now: datetime) -> bool:
    """Whether the pause after a failure goes on; one that ends later than it is long was begun by another clock."""
    return bool(known.attempts) and now < known.due <= now + _pause(office, known.attempts - 1)


def _pause(office: Office, attempts: int) -> timedelta:
    """Longer after each attempt before this one."""
    return timedelta(seconds=min(office.longest_seconds, office.first_seconds * 2 ** min(attempts, 30)))


def ended(office: Office, register: Register) -> bool:
    end = register.terms.end
    return end is not None and end <= office.clock()


async def _send_batch(office: Office, register: Register, known: Progress) -> bool:
    """One notification; True when the next may follow at once."""
    if ended(office, register):
        await turn(office, register, OFF)
        return False
    if not due(office, register, known):
        return False
    last = min(known.count, known.told + register.terms.max_count)
    found = await events(office.store, register.id, known.told + 1, last)
    if not found and known.told < last:
        return await _pass_over(office, register, known)
    batch = tuple(await told(office.store, found, office.today(register.asker)))
    try:
        await _carry(office, register, known, batch)
    except Undelivered as fault:
        await _failed(office, register, known, fault)
        return False
    await _went(office, register, known, batch)
    return True


async def _pass_over(office: Office, register: Register, known: Progress) -> bool:
    """Events that waited longer than they are kept: their numbers are missing where the next one is told."""
    following = await next_kept(office.store, register.id, known.told)
    reached = known.count if following is None else following - 1
    with suppress(Conflict):
        await office.store.commit(Commit(notes=(progress_note(known, told=reached),)))
    return True


async def _carry(office: Office, register: Register, known: Progress, batch: tuple[Told, ...]) -> None:
    terms = register.terms
    if terms.classic:
        letter = _classic(register, batch)
    else:
        notice = Notice(register, known, EVENT if batch else HEARTBEAT, office.clock(), batch)
        letter = Letter("POST", terms.endpoint, notification(office.base_url, notice))
    if letter is None:
        return
    try:
        # Asked each time: the operator may have taken the host off the list.
        office.endpoints.must_allow(terms.endpoint)
    except Invalid as fault:
        raise Undelivered(fault.text) from None
    await office.carrier.carry(terms, letter)


def _classic(register: Register, batch: tuple[Told, ...]) -> Letter | None:
    """R4's own form: an empty ping, or with a payload the resource put under its id; None where there is nothing."""
    terms = register.terms
    if terms.content == EMPTY:
        return Letter("POST", terms.endpoint)
    one = next(iter(batch), None)
    if one is None or one.version is None:
        return None
    url = f"{terms.endpoint.rstrip('/')}/{one.event.reference}"
    return Letter("DELETE", url) if one.event.interaction == DELETE else Letter("PUT", url, one.version.body)


async def _went(office: Office, register: Register, known: Progress, batch: tuple[Told, ...]) -> None:
    """Note what was taken, with its AuditEvent; a subscription that had failed works again."""
    now = office.clock()
    step = {"told": batch[-1].event.number} if batch else {"told": known.told}
    note = progress_note(known, **step, attempts=0, trouble="", due=now, spoken=now)
    shown = tuple(one.event.reference for one in batch if one.version is not None)
    event = office.event(register.asker, (f"Subscription/{register.id}", *shown))
    with suppress(Conflict):
        await office.store.commit(Commit(notes=(note,), events=(event,)))
        if register.state == FAILING:
            await turn(office, register, ACTIVE)


async def _failed(office: Office, register: Register, known: Progress, fault: Undelivered) -> None:
    """Wait longer each time; after some tries the Subscription itself says that it does not get through."""
    changed = {"attempts": known.attempts + 1, "trouble": fault.reason, "told": known.told}
    note = progress_note(known, **changed, due=office.clock() + _pause(office, known.attempts))
    event = office.event(register.asker, (f"Subscription/{register.id}",), status=503)
    with suppress(Conflict):
        await office.store.commit(Commit(notes=(note,), events=(event,)))
    if known.attempts + 1 >= ERROR_AFTER and register.state == ACTIVE:
        await turn(office, register, FAILING, fault.reason)
