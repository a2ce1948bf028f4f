"""Notifications to rest-hooks: in order, one at a time for each subscription, tried again for as long as it takes.

https://hl7.org/fhir/uv/subscriptions-backport/errors.html

Whoever holds the subscription's lease sends; ``told`` moves only after the subscriber answered. A gateway that dies in
between sends the same events under the same numbers once more: the subscriber sees a number twice, never a gap.
"""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.problem import Conflict
from fhir_gateway.records.revision import revision
from fhir_gateway.store.port import Commit, Note
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
    progress,
    progress_note,
    registered,
)
from fhir_gateway.subscriptions.topics import DELETE

SPARE_SECONDS = 10.0
ERROR_AFTER = 3
BATCHES = 50


async def send(office: Office, identity: str) -> None:
    """Send what is due of one subscription, unless another process is at it."""
    register = await registered(office.store, identity)
    if register is None or not register.in_force:
        return
    lease = register.terms.timeout_seconds + SPARE_SECONDS if office.lease_seconds > 1 else office.lease_seconds
    for _ in range(BATCHES):
        if not await office.store.hold(f"{SHELF}/{identity}", office.owner, lease):
            return
        if not await _send_batch(office, register, await progress(office.store, identity)):
            return


def due(office: Office, register: Register, known: Progress) -> bool:
    """Whether anything is to be sent now: events, a heartbeat, the end."""
    now, terms = office.clock(), register.terms
    if known.due > now:
        return False
    if terms.end is not None and terms.end <= now:
        return True
    return known.told < known.count or _beats(office, register, known)


def _beats(office: Office, register: Register, known: Progress) -> bool:
    seconds = register.terms.heartbeat_seconds
    return bool(seconds) and known.spoken + timedelta(seconds=seconds) <= office.clock()


async def _send_batch(office: Office, register: Register, known: Progress) -> bool:
    """One notification; True when the next may follow at once."""
    if not due(office, register, known):
        return False
    if register.terms.end is not None and register.terms.end <= office.clock() and known.told == known.count:
        await turn(office, register, OFF)
        return False
    last = min(known.count, known.told + register.terms.max_count)
    found = await events(office.store, register.id, known.told + 1, last)
    batch = tuple(await told(office.store, found, register.asker))
    try:
        await _carry(office, register, known, batch)
    except Undelivered as fault:
        await _failed(office, register, known, fault)
        return False
    with suppress(Conflict):
        await _went(office, register, known, batch)
    return True


async def _carry(office: Office, register: Register, known: Progress, batch: tuple[Told, ...]) -> None:
    kind = EVENT if batch else HEARTBEAT
    body = notification(office.base_url, Notice(register, known, kind, office.clock(), batch))
    letter = _classic(register, batch) if register.terms.classic else Letter("POST", register.terms.endpoint, body)
    if letter is not None:
        await office.carrier.carry(register.terms, letter)


def _classic(register: Register, batch: tuple[Told, ...]) -> Letter | None:
    """R4's own form: an empty ping, or with a payload the resource put under its id; None where there is nothing."""
    terms = register.terms
    if not batch or terms.content == "empty":
        return Letter("POST", terms.endpoint) if batch else None
    (one,) = batch
    if one.version is None:
        return None
    url = f"{terms.endpoint.rstrip('/')}/{one.event.reference}"
    return Letter("DELETE", url) if one.event.interaction == DELETE else Letter("PUT", url, one.version.body)


async def _went(office: Office, register: Register, known: Progress, batch: tuple[Told, ...]) -> None:
    """Note what was taken, with its AuditEvent; a subscription that had failed works again."""
    now = office.clock()
    step = {"told": batch[-1].event.number} if batch else {}
    note = progress_note(known, **step, attempts=0, trouble="", due=now, spoken=now)
    shown = tuple(one.event.reference for one in batch if one.version is not None)
    event = office.event(register.asker, (f"Subscription/{register.id}", *shown))
    await office.store.commit(Commit(notes=(note,), events=(event,)))
    if register.state == FAILING:
        await turn(office, register, ACTIVE)


async def _failed(office: Office, register: Register, known: Progress, fault: Undelivered) -> None:
    """Wait longer each time; after some tries the Subscription itself says that it does not get through."""
    delay = min(office.longest_seconds, office.first_seconds * 2 ** min(known.attempts, 30))
    changed = {"attempts": known.attempts + 1, "trouble": fault.reason}
    note = progress_note(known, **changed, due=office.clock() + timedelta(seconds=delay))
    event = office.event(register.asker, (f"Subscription/{register.id}",), status=503)
    with suppress(Conflict):
        await office.store.commit(Commit(notes=(note,), events=(event,)))
    if known.attempts + 1 >= ERROR_AFTER and register.state == ACTIVE:
        await turn(office, register, FAILING, fault.reason)


async def turn(office: Office, register: Register, state: str, trouble: str = "") -> None:
    """Bring a subscription into another state: in the register and in ``Subscription.status``, in one commit.

    A Subscription that was changed or deleted meanwhile is left to those who enrol it.
    """
    current = await office.store.current(f"Subscription/{register.id}")
    if current is None or current.deleted or current.number != register.version:
        return
    with suppress(Conflict):
        await office.store.commit(turned(office, register, state, trouble))
