"""How a Subscription comes into force: its terms are read, its endpoint answers a handshake, and then it counts.

https://hl7.org/fhir/uv/subscriptions-backport/workflow.html

The job is in the commit of the Subscription's own version, due when every process must have learnt what is watched now.
Who asked is in that commit too: a Subscription that came by any other road than the API has nobody to answer for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.problem import Invalid
from fhir_gateway.security.caller import Caller
from fhir_gateway.store.port import Commit, Job, Note, Version
from fhir_gateway.subscriptions.notice import HANDSHAKE, REQUESTED, Notice, notification
from fhir_gateway.subscriptions.office import Letter, Office, Undelivered
from fhir_gateway.subscriptions.register import (
    ACTIVE,
    ASKERS,
    OFF,
    PROGRESS,
    REFUSED,
    Register,
    asker,
    progress,
    progress_note,
    registered,
)
from fhir_gateway.subscriptions.standing import entered, turned
from fhir_gateway.subscriptions.terms import REST_HOOK, TIMEOUT_SECONDS, Terms

NOBODY = Caller("", "", "", ())


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a Subscription: a state, and the trouble in words."""

    state: str
    trouble: str = ""


async def enrol(office: Office, job: Job) -> None:
    """Bring the register in line with the newest version of one Subscription."""
    known = await registered(office.store, job.group)
    current = await office.store.current(f"Subscription/{job.group}")
    replaces = known.version if known else None
    if current is None or (known is not None and known.version == current.number):
        await office.store.settle(job.id)
        return
    content = await office.store.note(ASKERS, f"{current.id}/{current.number}")
    by = asker(content) if content else NOBODY
    fresh = Register(current.id, OFF, current.number, current.body or (known.body if known else b""), by)
    if current.deleted or decode_resource(current.body)["status"] == OFF:
        # Deleted before it ever stood: nothing to take back.
        notes = (entered(fresh, replaces),) if fresh.body else ()
        await office.store.commit(Commit(notes=notes, settled=(job.id,)))
        return
    verdict = await _verdict(office, fresh, content)
    commit = turned(office, replace(fresh, state=verdict.state), current, verdict.trouble, replaces)
    counters = await _counters(office, current)
    await office.store.commit(replace(commit, notes=(*commit.notes, counters), settled=(job.id,)))


async def _counters(office: Office, current: Version) -> Note:
    """A changed Subscription goes on counting; what failed before is tried again at once."""
    now = office.clock()
    if await office.store.note(PROGRESS, current.id) is None:
        fresh = {"id": current.id, "count": 0, "told": 0}
        return Note(PROGRESS, current.id, {**fresh, "attempts": 0, "trouble": "", "due": now, "spoken": now})
    known = await progress(office.store, current.id)
    return replace(progress_note(known, attempts=0, trouble="", due=now, spoken=now), expected={})


async def _verdict(office: Office, register: Register, content: Mapping[str, Any] | None) -> Verdict:
    if content is None:
        return Verdict(REFUSED, "nobody asked for this subscription through the API")
    try:
        terms = register.terms
        if terms.channel == REST_HOOK:
            office.endpoints.must_allow(terms.endpoint)
            await _shake_hands(office, register, terms)
    except Invalid as fault:
        return Verdict(REFUSED, fault.text)
    except Undelivered as fault:
        return Verdict(REFUSED, fault.reason)
    return Verdict(ACTIVE)


async def _shake_hands(office: Office, register: Register, terms: Terms) -> None:
    """R4's own form knows no handshake."""
    if terms.classic:
        return
    known = replace(await progress(office.store, register.id), trouble="")
    body = notification(office.base_url, Notice(replace(register, state=REQUESTED), known, HANDSHAKE, office.clock()))
    patient = replace(terms, timeout_seconds=min(terms.timeout_seconds, TIMEOUT_SECONDS))
    await office.carrier.carry(patient, Letter("POST", terms.endpoint, body))
