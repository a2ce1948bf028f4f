"""Taking back an identity link: who decided it and why is recorded beside what was changed.

https://hl7.org/fhir/R4/provenance.html
"""

from dataclasses import dataclass

from fhir_gateway.exchange import parts
from fhir_gateway.exchange.filing import changes_for
from fhir_gateway.exchange.house import House
from fhir_gateway.fhir.resource import instant
from fhir_gateway.identity.link import unlink
from fhir_gateway.records.revision import revision
from fhir_gateway.security.access import may
from fhir_gateway.security.audit import Act
from fhir_gateway.security.caller import Caller
from fhir_gateway.store.port import Commit


@dataclass(frozen=True, slots=True)
class Separation:
    """The wish to keep a patient record and a Person apart: references and the reason in words."""

    person: str
    patient: str
    reason: str


async def separate(house: House, caller: Caller, wish: Separation, request: str = "") -> list[str]:
    """Give the patient a Person of its own; the Persons touched. Raises NotFound, Forbidden or Conflict."""
    may(caller, "update", "Person")
    linking = await unlink(house.store, house.systems, wish.person, wish.patient)
    now = house.clock()
    changes = tuple(revision(p, f"Person/{p['id']}", version, now, ()) for p, version in linking.persons)
    touched = [change.version.reference for change in changes]
    decision = parts.decision(f"{wish.person}|{wish.patient}", instant(now), caller.client, (wish.reason, touched))
    recorded = await changes_for(house.store, [decision], (), now)
    act = Act("update", caller, entities=tuple(touched), patients=(wish.patient,), request=request)
    await house.store.commit(
        Commit(changes=changes + recorded, claims=linking.claims, events=(house.event(act),)),
    )
    return touched
