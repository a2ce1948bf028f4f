"""DG1 to Condition, and its role in the visit.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-dg1-to-condition.html
"""

from adapters.contract import Resource
from adapters.hl7v2.codes import TERMINOLOGY, table
from adapters.hl7v2.datatypes import coded, entity, icd10, practitioner, time
from adapters.hl7v2.map_visit_details import add_episode_diagnosis
from adapters.hl7v2.numbers import positive
from adapters.hl7v2.read import Segment
from adapters.hl7v2.scene import Scene, extension

_CATEGORY = {
    "system": f"{TERMINOLOGY}condition-category",
    "code": "encounter-diagnosis",
    "display": "Encounter Diagnosis",
}
_ASSERTED = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"
_DUE_TO = "http://hl7.org/fhir/StructureDefinition/condition-dueTo"
# Rows that complete a diagnosis with what they have not looked through.
_COMPLETING = frozenset({"ROL", "PRT", "RF1", "PRB"})
_DETAILS = frozenset({19, 22})
_VERIFICATION = {"W": "provisional", "F": "confirmed"}


def map_condition(scene: Scene, dg1: Segment) -> Resource:
    key = _key(scene, dg1)
    at = scene.at("Condition", key)
    number = entity(scene, dg1.value(20), f"{at}identifier[0]", "")
    made = scene.put(
        "Condition",
        key,
        {
            "identifier": [number] if number else [],
            "verificationStatus": _verification(dg1, at),
            "category": [{"coding": [dict(_CATEGORY)]}],
            "code": diagnosis_code(scene, dg1, at),
            "subject": scene.patient(),
            "encounter": scene.encounter(),
            "recordedDate": time(scene, dg1.value(5), f"{at}recordedDate")
            or time(scene, dg1.value(19), f"{at}recordedDate"),
            "asserter": practitioner(scene, dg1.value(16), f"{at}asserter"),
        },
        clean=scene.names.isdisjoint(_COMPLETING),
    )
    if dg1.says(_DETAILS):
        _add_details(scene, dg1, made, at)
    _add_to_visit(scene, dg1, key)
    return made


def _add_details(scene: Scene, dg1: Segment, made: Resource, at: str) -> None:
    """When it was attested (DG1-19), and which diagnosis it comes from (DG1-22)."""
    listed: list[Resource] = []
    attested = time(scene, dg1.value(19), f"{at}extension[0].value")
    if attested:
        listed.append(extension(_ASSERTED, valueDateTime=attested))
    parent = entity(scene, dg1.value(22), f"{at}extension[{len(listed)}].value.identifier", "")
    if parent:
        listed.append(extension(_DUE_TO, valueReference={"type": "Condition", "identifier": parent}))
    if listed:
        made["extension"] = listed


def diagnosis_code(scene: Scene, dg1: Segment, at: str) -> Resource | None:
    """DG1-3 with the ICD-10 of the Ministry and of WHO; DG1-4 is the older place of its text."""
    concept = coded(scene, dg1.value(3), f"{at}code", "diagnosis")
    text = dg1.take(4, f"{at}code.text")
    if concept is None:
        return {"text": text} if text else None
    declared = dg1.peek(3, 3).upper()
    codings = concept.get("coding", [])
    if codings and declared in ("", "I10", "ICD10", "ICD-10", "I10VN"):
        standard = icd10(scene, codings[0]["code"])
        display = codings[0].get("display")
        for coding in standard[:1] if display else ():
            coding["display"] = display
        concept["coding"] = standard + codings[bool(standard) :]
    return {**concept, "text": text} if text else concept


def _key(scene: Scene, dg1: Segment) -> str:
    if dg1.peek(20):
        return scene.key("Condition", scene.patient_key, dg1.peek(20))
    # The type (DG1-6) is a part: an admission diagnosis and the same discharge diagnosis are two statements.
    where = scene.encounter_key or scene.patient_key
    return scene.key("Condition", where, dg1.peek(6), dg1.peek(3) or dg1.peek(3, 2) or dg1.peek(4))


def _verification(dg1: Segment, at: str) -> Resource | None:
    status = "entered-in-error" if dg1.peek(21) == "D" else _VERIFICATION.get(dg1.peek(6), "")
    if not status:
        return None
    dg1.take(21 if dg1.peek(21) == "D" else 6, f"{at}verificationStatus")
    system = f"{TERMINOLOGY}condition-ver-status"
    return {"coding": [{"system": system, "code": status}]}


def _add_to_visit(scene: Scene, dg1: Segment, key: str) -> None:
    """Encounter.diagnosis: which diagnosis, in what role, of which rank."""
    if not scene.encounter_key:
        return
    at = scene.at("Encounter", scene.encounter_key)
    encounter = scene.draft.live("Encounter", scene.encounter_key)
    listed = encounter.setdefault("diagnosis", [])
    row = table("v2-0052").get(dg1.peek(6))
    entry: Resource = {"condition": scene.reference("Condition", key)}
    if row:
        dg1.take(6, f"{at}diagnosis[{len(listed)}].use")
        entry["use"] = {"coding": [{"system": row.system, "code": row.code, "display": row.display}]}
    rank = positive(dg1.peek(15))
    if rank:
        dg1.take(15, f"{at}diagnosis[{len(listed)}].rank")
        entry["rank"] = rank
    listed.append(entry)
    add_episode_diagnosis(scene, entry, (dg1, entry["condition"]["reference"]))
