"""ROL and PRT to who takes part in care, GT1 to who answers for the bill as a person to call.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-prt-to-practitionerrole.html
"""

from adapters.contract import Resource
from adapters.hl7v2.codes import TERMINOLOGY
from adapters.hl7v2.datatypes import address, coded, period, person_name, practitioner, telecom
from adapters.hl7v2.map_patient import gender, patient_identifier
from adapters.hl7v2.read import Segment
from adapters.hl7v2.scene import Scene
from adapters.hl7v2.times import day

_PRIMARY = frozenset({"PP", "FHCP", "PCP"})
# Where each row keeps the role, the person, and the two ends of the time.
_FIELDS = {"ROL": (3, 4, 5, 6), "PRT": (4, 5, 11, 12)}
_GUARANTOR = {"coding": [{"system": f"{TERMINOLOGY}v3-RoleClass", "code": "GUAR", "display": "guarantor"}]}


def map_role(scene: Scene, row: Segment, about: Resource | None) -> None:
    """A family doctor goes to the Patient; who treats in this visit to the Encounter; who resulted, to the result."""
    role, person, _, _ = _FIELDS[row.name]
    if not row.values(person):
        return
    if row.peek(role).upper() in _PRIMARY:
        _add_primary(scene, row)
    elif about and about["resourceType"] in ("Observation", "ServiceRequest", "DiagnosticReport"):
        _add_performer(scene, row, about)
    elif scene.encounter_key and scene.draft.has("Encounter", scene.encounter_key):
        _add_participant(scene, row)


def _add_primary(scene: Scene, row: Segment) -> None:
    role, person, _, _ = _FIELDS[row.name]
    patient = scene.draft.add("Patient", scene.patient_key, {})
    listed = patient.setdefault("generalPractitioner", [])
    at = f"{scene.at('Patient', scene.patient_key)}generalPractitioner"
    row.value(role).take_all(at)
    for value in row.values(person):
        made = practitioner(scene, value, f"{at}[{len(listed)}]")
        listed.extend([made] if made and made not in listed else [])
    if not listed:
        del patient["generalPractitioner"]


def _add_performer(scene: Scene, row: Segment, about: Resource) -> None:
    role, person, _, _ = _FIELDS[row.name]
    at = f"{about['resourceType']}/{about['id']}#performer"
    listed = list(about.get("performer", ()))
    for value in row.values(person):
        made = practitioner(scene, value, f"{at}[{len(listed)}]")
        listed.extend([made] if made and made not in listed else [])
    if listed:
        row.value(role).take_all(at)
        about["performer"] = listed


def _add_participant(scene: Scene, row: Segment) -> None:
    role, person, start, end = _FIELDS[row.name]
    encounter = scene.draft.add("Encounter", scene.encounter_key, {})
    listed = encounter.setdefault("participant", [])
    at = f"{scene.at('Encounter', scene.encounter_key)}participant"
    for value in row.values(person):
        here = f"{at}[{len(listed)}]"
        individual = practitioner(scene, value, f"{here}.individual")
        if not individual:
            continue
        concept = coded(scene, row.value(role), f"{here}.type[0]", "v2-0443")
        span = period(scene, (row.value(start), 1), (row.value(end), 1), f"{here}.period")
        kept = {name: moment for name, moment in span.items() if moment}
        listed.append(
            {"individual": individual} | ({"type": [concept]} if concept else {}) | ({"period": kept} if kept else {})
        )
    if not listed:
        del encounter["participant"]


def map_guarantor(scene: Scene, gt1: Segment) -> Resource:
    """Who answers for the costs is a person related to the patient; what he pays is no clinical record."""
    said = [gt1.peek(3, component) for component in (1, 2, 3)]
    key = scene.key("RelatedPerson", scene.patient_key, "GT1", *said)
    at = scene.at("RelatedPerson", key)
    relation = coded(scene, gt1.value(11), f"{at}relationship[1]", "v2-0063")
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
            "telecom": [telecom(value, f"{at}telecom[{n}]", use) for n, (use, value) in enumerate(numbers)],
            "gender": gender(gt1, 9, f"{at}gender"),
            "birthDate": born,
            "address": [address(value, f"{at}address[{n}]") for n, value in enumerate(gt1.values(5))],
            "period": period(scene, (gt1.value(13), 1), (gt1.value(14), 1), f"{at}period"),
        },
    )
