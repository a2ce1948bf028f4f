"""ROL and PRT to who takes part in care, GT1 to who answers for the bill as a person to call.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-prt-to-practitionerrole.html
"""

from dataclasses import dataclass

from adapters.contract import Resource
from adapters.hl7v2.codes import TERMINOLOGY
from adapters.hl7v2.contacts import address
from adapters.hl7v2.datatypes import coded, entity, from_table, period, practitioner
from adapters.hl7v2.languages import spoken
from adapters.hl7v2.map_device import DEVICE_FIELDS, add_device, add_places
from adapters.hl7v2.map_organization import (
    addresses,
    organization,
    organization_key,
    practitioner_role,
    reached,
    telecoms,
)
from adapters.hl7v2.map_patient import gender, patient_identifier
from adapters.hl7v2.map_place import location
from adapters.hl7v2.names import person_name
from adapters.hl7v2.read import Segment
from adapters.hl7v2.scene import Scene
from adapters.hl7v2.times import day

_PRIMARY = frozenset({"PP", "FHCP", "PCP"})
_GUARANTOR = {"coding": [{"system": f"{TERMINOLOGY}v3-RoleClass", "code": "GUAR", "display": "guarantor"}]}


@dataclass(frozen=True, slots=True)
class Layout:
    """Where ROL and PRT keep the same things; 0 where one does not say it."""

    role: int
    person: int
    start: int
    end: int
    number: int
    specialty: int
    unit: int
    address: int
    phone: int
    location: int
    organization: int
    preferred: int = 0
    reason: int = 0
    roles: str = "v2-0443"

    @property
    def details(self) -> frozenset[int]:
        """What makes a person one who works somewhere."""
        return frozenset({self.specialty, self.unit, self.address, self.phone, self.location, self.organization})


_LAYOUTS = {
    "ROL": Layout(3, 4, 5, 6, 1, 9, 10, 11, 12, 13, 14, reason=8),
    "PRT": Layout(4, 5, 11, 12, 24, 6, 7, 14, 15, 9, 8, preferred=23, reason=3, roles="v2-0912"),
}
_DETAILS = {name: layout.details for name, layout in _LAYOUTS.items()}


def map_role(scene: Scene, row: Segment, about: Resource | None) -> None:
    """A family doctor goes to the Patient; who treats in this visit to the Encounter; who resulted, to the result."""
    fields = _LAYOUTS[row.name]
    if about and about["resourceType"] == "Observation" and row.says(DEVICE_FIELDS) and row.name == "PRT":
        add_device(scene, row, about)
    if not row.values(fields.person) and not row.values(fields.organization):
        if about and about["resourceType"] == "Observation" and row.name == "PRT":
            add_places(scene, row, about)
        return
    if row.peek(fields.role).upper() in _PRIMARY:
        _add_primary(scene, row, fields)
    elif about and about["resourceType"] in ("Observation", "ServiceRequest", "DiagnosticReport"):
        _add_performer(scene, row, about)
    elif scene.encounter_key and scene.draft.has("Encounter", scene.encounter_key):
        _add_participant(scene, row, fields)
    else:
        _add_member(scene, row, fields)


def _holders(scene: Scene, row: Segment, at: str, listed: list[Resource]) -> list[Resource]:
    """The people of the row, each as a Practitioner, or as one who works somewhere where the row says so."""
    fields = _LAYOUTS[row.name]
    works = row.says(_DETAILS[row.name])
    made: list[Resource] = []
    for value in row.values(fields.person):
        person = practitioner(scene, value, f"{at}[{len(listed) + len(made)}]")
        if person and works and "reference" in person:
            person = {**_role(scene, row, person), "display": person.get("display", "")}
        made.extend([person] if person and person not in listed else [])
    # Who takes part in a visit is a person (R4); elsewhere a place may stand alone.
    if not row.values(fields.person) and not at.endswith("individual"):
        found = organization(scene, row.value(fields.organization), f"{at}[{len(listed)}]")
        made.extend([found] if found else [])
    return made


def _role(scene: Scene, row: Segment, person: Resource) -> Resource:
    fields = _LAYOUTS[row.name]
    place = row.value(fields.organization)
    parts = (row.peek(fields.person), row.peek(fields.role), place.peek(10) or place.peek(3) or place.peek(1))
    key = "|".join(part for part in parts if part)
    at = scene.at("PractitionerRole", key)
    _add_home(scene, row, fields)
    # Many senders number their rows in ROL-1: only a number that says whose it is identifies anything.
    named = row.name == "PRT" or row.peek(fields.number, 2) or row.peek(fields.number, 3)
    number = entity(scene, row.value(fields.number), f"{at}identifier[0]", "") if named else None
    unit = _unit(scene, row, fields)
    return practitioner_role(
        scene,
        key,
        {
            "identifier": [number],
            "period": period(scene, (row.value(fields.start), 1), (row.value(fields.end), 1), f"{at}period"),
            "practitioner": person,
            "organization": organization(scene, place, f"{at}organization", {"type": [unit]}),
            "code": [coded(scene, row.value(fields.role), f"{at}code[0]", fields.roles)],
            "specialty": [coded(scene, row.value(fields.specialty), f"{at}specialty[0]", "specialty")],
            "location": [location(scene, value, f"{at}location[0]") for value in row.values(fields.location)],
            "telecom": telecoms(row, fields.phone, at, fields.preferred),
        },
    )


def _unit(scene: Scene, row: Segment, fields: Layout) -> Resource | None:
    """What sort of place it is; without a place that is named nobody is it."""
    key = organization_key(row.value(fields.organization))
    return coded(scene, row.value(fields.unit), f"{scene.at('Organization', key)}type[0]", "v2-0406") if key else None


def _add_home(scene: Scene, row: Segment, fields: Layout) -> None:
    """Address of the person itself; a row that names several people does not say whose it is."""
    number = row.peek(fields.person)
    if number and len(row.values(fields.person)) == 1 and row.value(fields.address):
        at = scene.at("Practitioner", number)
        scene.add("Practitioner", number, {"address": addresses(row, fields.address, at)})


def _add_primary(scene: Scene, row: Segment, fields: Layout) -> None:
    patient = scene.draft.live("Patient", scene.patient_key)
    listed = patient.setdefault("generalPractitioner", [])
    at = f"{scene.at('Patient', scene.patient_key)}generalPractitioner"
    row.value(fields.role).take_all(at)
    listed.extend(_holders(scene, row, at, listed))
    if not listed:
        del patient["generalPractitioner"]


def _add_performer(scene: Scene, row: Segment, about: Resource) -> None:
    at = f"{about['resourceType']}/{about['id']}#performer"
    listed = list(about.get("performer", ()))
    listed.extend(_holders(scene, row, at, listed))
    if listed:
        row.value(_LAYOUTS[row.name].role).take_all(at)
        about["performer"] = listed


def _add_participant(scene: Scene, row: Segment, fields: Layout) -> None:
    encounter = scene.draft.live("Encounter", scene.encounter_key)
    listed = encounter.setdefault("participant", [])
    at = f"{scene.at('Encounter', scene.encounter_key)}participant"
    for individual in _holders(scene, row, f"{at}.individual", []):
        here = f"{at}[{len(listed)}]"
        concept = coded(scene, row.value(fields.role), f"{here}.type[0]", fields.roles)
        span = period(scene, (row.value(fields.start), 1), (row.value(fields.end), 1), f"{here}.period")
        kept = {name: moment for name, moment in span.items() if moment}
        listed.append(
            {"individual": individual} | ({"type": [concept]} if concept else {}) | ({"period": kept} if kept else {})
        )
    if not listed:
        del encounter["participant"]


def _add_member(scene: Scene, row: Segment, fields: Layout) -> None:
    """Who looks after the patient outside a visit: the care team."""
    team = scene.add("CareTeam", scene.patient_key, {"status": "active", "subject": scene.patient()})
    at = scene.at("CareTeam", scene.patient_key)
    listed = team.setdefault("participant", [])
    here = f"{at}participant[{len(listed)}]"
    roles = [
        coded(scene, row.value(fields.role), f"{here}.role", fields.roles),
        coded(scene, row.value(fields.specialty), f"{here}.role", "specialty"),
    ]
    span = period(scene, (row.value(fields.start), 1), (row.value(fields.end), 1), f"{here}.period")
    people = row.values(fields.person)
    # ctm-1: only a Practitioner acts on behalf of somebody.
    acting = [value for value in people if value.peek(1)]
    where = None
    if acting or not people:
        place = f"{at}participant.onBehalfOf" if people else f"{here}.member"
        more = {"type": [_unit(scene, row, fields)], **_reached(scene, row, fields)}
        where = organization(scene, row.value(fields.organization), place, more)
    _add_home(scene, row, fields)
    for value in people:
        person = practitioner(scene, value, f"{here}.member")
        entry = {"role": roles, "member": person, "period": span}
        listed.append({**entry, "onBehalfOf": where if value in acting else None})
    if not people and where:
        listed.append({"role": roles, "member": where, "period": span})
    reason = coded(scene, row.value(fields.reason), f"{at}reasonCode", "role-reason")
    phones = telecoms(row, fields.phone, at, fields.preferred)
    scene.add("CareTeam", scene.patient_key, {"participant": listed, "reasonCode": [reason], "telecom": phones})


def _reached(scene: Scene, row: Segment, fields: Layout) -> Resource:
    """Address of the place where the row names no person whose it could be."""
    key = organization_key(row.value(fields.organization))
    if not key or row.values(fields.person):
        return {}
    return {"address": addresses(row, fields.address, scene.at("Organization", key))}


def map_guarantor(scene: Scene, gt1: Segment) -> Resource:
    """Who answers for the costs is a person related to the patient; what he pays is no clinical record."""
    said = [gt1.peek(3, component) for component in (1, 2, 3)]
    key = scene.key("RelatedPerson", scene.patient_key, "GT1", *said)
    at = scene.at("RelatedPerson", key)
    relation = from_table(scene, gt1.value(11), f"{at}relationship[1]", "v2-0063")
    numbers = [("home", value) for value in gt1.values(6)] + [("work", value) for value in gt1.values(7)]
    born = day(gt1.peek(8)) if gt1.peek(8) else None
    if born:
        gt1.take(8, f"{at}birthDate")
    marks = [*gt1.values(2), *gt1.values(12)]
    return scene.add(
        "RelatedPerson",
        key,
        {
            "identifier": [patient_identifier(scene, value, f"{at}identifier[{n}]") for n, value in enumerate(marks)],
            "patient": scene.patient(),
            "relationship": [_GUARANTOR, relation],
            "name": [person_name(value, f"{at}name[{n}]") for n, value in enumerate(gt1.values(3))],
            "telecom": reached(numbers, at),
            "gender": gender(gt1, 9, f"{at}gender"),
            "birthDate": born,
            "address": [address(value, f"{at}address[{n}]") for n, value in enumerate(gt1.values(5))],
            "communication": [{"language": spoken(scene, gt1.value(36), f"{at}communication[0].language")}]
            if gt1.value(36)
            else [],
            "period": period(scene, (gt1.value(13), 1), (gt1.value(14), 1), f"{at}period"),
        },
    )
