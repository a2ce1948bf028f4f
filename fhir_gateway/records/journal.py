"""Which AuditEvent each interaction leaves: one for each request, naming every record it touched.

https://profiles.ihe.net/ITI/BALP/
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import uuid4

from fhir_gateway.records.desk import Desk
from fhir_gateway.records.trace import event, maker
from fhir_gateway.security.audit import Act
from fhir_gateway.security.caller import Caller
from fhir_gateway.store.port import Change, Draft, Event, Version


@dataclass(frozen=True, slots=True)
class Visit:
    """One request: whose, its X-Request-Id, and the network address it came from.

    ``purpose`` is the reason of one that breaks the glass.
    """

    caller: Caller
    request: str = ""
    address: str = ""
    purpose: str = ""


@dataclass(frozen=True, slots=True)
class Touched:
    """What an interaction was about: references of records, and the search it asked."""

    entities: tuple[str, ...] = ()
    query: str = ""


NOTHING = Touched()
_PATIENT = re.compile(rb'"reference":"(Patient/[A-Za-z0-9.-]{1,64})["/]')


def entry(desk: Desk, visit: Visit, interaction: str, touched: Touched = NOTHING, status: int = 200) -> Event:
    """The AuditEvent of an interaction, to be committed with what it did."""
    return event(_act(visit, interaction, touched, status), desk.now(), desk.name, str(uuid4()))


def _act(visit: Visit, interaction: str, touched: Touched, status: int) -> Act:
    return Act(
        interaction,
        visit.caller,
        status,
        visit.address,
        tuple(ref for ref in touched.entities if not ref.startswith("Patient/")),
        tuple(ref.partition("/_history")[0] for ref in touched.entities if ref.startswith("Patient/")),
        touched.query,
        visit.request,
        visit.purpose,
    )


async def record(desk: Desk, visit: Visit, interaction: str, touched: Touched = NOTHING, status: int = 200) -> None:
    """Return when the AuditEvent is durable; only then may the answer leave."""
    await desk.trail.enter(*draft(desk, visit, interaction, touched, status))


def draft(desk: Desk, visit: Visit, interaction: str, touched: Touched = NOTHING, status: int = 200) -> Draft:
    """As ``entry``, of an interaction whose event may share a page with others."""
    act = _act(visit, interaction, touched, status)
    return maker(act, desk.name), desk.now()


def patients(versions: Collection[Version]) -> tuple[str, ...]:
    """The patients that the versions are of or refer to; read from the text, as stored without white space."""
    found = (name.decode("ascii") for version in versions for name in _PATIENT.findall(version.body))
    own = (version.reference for version in versions if version.type == "Patient")
    return tuple(dict.fromkeys((*own, *found)))


def written(changes: Sequence[Change]) -> Touched:
    """The versions a commit writes, and the patients they are about."""
    versions = [f"{change.version.reference}/_history/{change.version.number}" for change in changes]
    about = [f"Patient/{patient}" for change in changes for patient in change.index.get("patients", ())]
    return Touched(tuple(dict.fromkeys((*versions, *about))))
