"""Breaking the glass: a doctor opens the secret records of patients, and their hospitals are told.

https://hl7.org/fhir/R4/security-labels.html#break-the-glass

Every request made so leaves an AuditEvent with that purpose and the reason. Beside it the hospital of each patient
gets one entry an hour for a doctor's system and a reason, to look at and to judge afterwards.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from fhir_gateway.fhir.resource import instant
from fhir_gateway.problem import BadRequest, Conflict, Forbidden, NotFound
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.journal import Visit
from fhir_gateway.security.caller import Caller
from fhir_gateway.security.purpose import Emergency
from fhir_gateway.store.port import Commit, Note

SHELF = "emergencies"
OPEN = "open"
FINDINGS = ("justified", "unjustified")
BREAKERS, REVIEWERS, LISTED = frozenset({"doctor"}), frozenset({"hospital"}), 100


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the patient's hospital found afterwards."""

    finding: str
    comment: str


async def opened(desk: Desk, visit: Visit, emergency: Emergency) -> Visit:
    """The visit with the glass broken, once it is on record. Raises Forbidden, NotFound for a patient that is not."""
    if visit.caller.role not in BREAKERS:
        raise Forbidden("only a treating doctor may break the glass", "X-Purpose-Of-Use")
    names = [f"Patient/{patient}" for patient in emergency.patients]
    found = await desk.store.currents(names)
    if any(name not in found or found[name].deleted for name in names):
        raise NotFound("there is no such patient", "X-Purpose-Patient")
    for name in names:
        if (hospital := found[name].owner) not in ("", visit.caller.organization):
            # The same again within the hour is on the audit trail, and no news to the hospital.
            with suppress(Conflict):
                await desk.store.commit(Commit(notes=(_entry(desk, visit, (hospital, name), emergency.reason),)))
    return replace(visit, caller=replace(visit.caller, unlocked=emergency.patients), purpose=emergency.reason)


def _entry(desk: Desk, visit: Visit, whose: tuple[str, str], reason: str) -> Note:
    hospital, patient = whose
    moment = instant(desk.now())
    names = "\n".join((hospital, patient, visit.caller.client, reason))
    key = f"{moment[:13]}-{sha256(names.encode()).hexdigest()[:32]}"
    content = {
        "emergency": key,
        "hospital": hospital,
        "patient": patient,
        "client": visit.caller.client,
        "organization": visit.caller.organization,
        "reason": reason,
        "since": moment,
        "request": visit.request,
        "state": OPEN,
        "comment": "",
        "reviewer": "",
        "reviewed": "",
    }
    return Note(SHELF, key, content)


async def listed(desk: Desk, caller: Caller, state: str, after: str) -> list[Mapping[str, Any]]:
    """What was opened of the caller's hospital, oldest first; the auditor and the admin see it of all."""
    if caller.role not in REVIEWERS | {"auditor", "admin"}:
        raise Forbidden(f"the role {caller.role} may not see who broke the glass")
    if state not in ("", OPEN, *FINDINGS):
        raise BadRequest(f"a state is one of {', '.join((OPEN, *FINDINGS))}", "state")
    where = {"hospital": caller.organization} if caller.role in REVIEWERS else {}
    rows = await desk.store.notes(SHELF, where | ({"state": state} if state else {}), after, LISTED)
    return [content for _, content in rows]


async def judged(desk: Desk, visit: Visit, key: str, judgement: Judgement) -> Mapping[str, Any]:
    """The entry with what its hospital found. Raises NotFound for another's, Conflict for one that is judged."""
    if visit.caller.role not in REVIEWERS:
        raise Forbidden(f"the role {visit.caller.role} may not judge who broke the glass")
    if judgement.finding not in FINDINGS:
        raise BadRequest(f"a finding is one of {', '.join(FINDINGS)}", "finding")
    kept = await desk.store.note(SHELF, key)
    if kept is None or kept["hospital"] != visit.caller.organization:
        raise NotFound("there is no such entry", "url")
    found = {
        "state": judgement.finding,
        "comment": judgement.comment,
        "reviewer": visit.caller.client,
        "reviewed": instant(desk.now()),
    }
    await desk.store.commit(Commit(notes=(Note(SHELF, key, found, expected={"state": OPEN}),)))
    return {**kept, **found}
