"""NK1 and the mother named in PID to RelatedPerson.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-nk1-to-relatedperson.html
"""

from adapters.contract import Resource
from adapters.hl7v2.codes import TERMINOLOGY
from adapters.hl7v2.datatypes import address, coded, from_table, period, person_name, telecom
from adapters.hl7v2.map_patient import gender, patient_identifier
from adapters.hl7v2.read import Segment
from adapters.hl7v2.scene import Scene
from adapters.hl7v2.times import day

_MOTHER = {"coding": [{"system": f"{TERMINOLOGY}v3-RoleCode", "code": "MTH", "display": "mother"}]}


def map_relative(scene: Scene, nk1: Segment) -> Resource:
    """One next of kin. Its name, not its place in the list, makes the key: lists are sent in any order."""
    # NK1-1 numbers the rows of this message only; as a key it would turn the wife into the brother on a re-send.
    said = [nk1.peek(2, component) for component in (1, 2, 3)]
    key = scene.key("RelatedPerson", scene.patient_key, nk1.peek(3), *said)
    at = scene.at("RelatedPerson", key)
    numbers = [("home", value) for value in nk1.values(5)] + [("work", value) for value in nk1.values(6)]
    role = from_table(scene, nk1.value(7), f"{at}relationship[1]", "v2-0131") if nk1.value(7) else None
    names = [person_name(value, f"{at}name[{n}]") for n, value in enumerate(nk1.values(2))]
    made = scene.add(
        "RelatedPerson",
        key,
        {
            "identifier": [patient_identifier(scene, value, f"{at}identifier") for value in nk1.values(33)],
            "active": True,
            "patient": scene.patient(),
            "relationship": [from_table(scene, nk1.value(3), f"{at}relationship[0]", "v2-0063"), role],
            "name": names,
            "telecom": [telecom(value, f"{at}telecom[{n}]", use) for n, (use, value) in enumerate(numbers)],
            "gender": gender(nk1, 15, f"{at}gender"),
            "birthDate": _birth(nk1, at),
            "address": [address(value, f"{at}address[{n}]") for n, value in enumerate(nk1.values(4))],
            "period": period(scene, (nk1.value(8), 1), (nk1.value(9), 1), f"{at}period"),
            "communication": _languages(scene, nk1, at),
        },
    )
    if nk1.peek(3).upper() == "MTH":
        _mark_borrowed_name(scene, made)
    return made


def map_mother(scene: Scene, pid: Segment) -> None:
    """The mother's number in PID-21 (a newborn's): a person related to the patient, the one of NK1 if named there."""
    if not pid.value(21).peek(1):
        return
    listed = next((person for person in scene.made("RelatedPerson") if _is_mother(person)), None)
    if listed is not None:
        marks = listed.setdefault("identifier", [])
        for value in pid.values(21):
            mark = patient_identifier(scene, value, f"RelatedPerson/{listed['id']}#identifier[{len(marks)}]")
            marks.extend([mark] if mark else [])
        return
    key = f"{scene.patient_key}|MTH|{pid.value(21).peek(1)}"
    at = scene.at("RelatedPerson", key)
    marks = [patient_identifier(scene, value, f"{at}identifier[{n}]") for n, value in enumerate(pid.values(21))]
    name = person_name(pid.value(6), f"{at}name[0]")
    person = {"identifier": marks, "patient": scene.patient(), "relationship": [_MOTHER], "name": [name]}
    made = scene.add("RelatedPerson", key, person)
    _mark_borrowed_name(scene, made)


def _is_mother(person: Resource) -> bool:
    return any(
        coding.get("code") == "MTH"
        for concept in person.get("relationship", ())
        for coding in concept.get("coding", ())
    )


def _mark_borrowed_name(scene: Scene, mother: Resource) -> None:
    """A newborn filed under its mother's name: the name is a stand-in until it is registered."""
    texts = {name["text"].casefold() for name in mother.get("name", ())}
    patient = scene.draft.add("Patient", scene.patient_key, {})
    for name in patient.get("name", ()):
        if name.get("text", "").casefold() in texts:
            name["use"] = "temp"


def _birth(nk1: Segment, at: str) -> str | None:
    born = day(nk1.peek(16)) if nk1.peek(16) else None
    if born:
        nk1.take(16, f"{at}birthDate")
    return born


def _languages(scene: Scene, nk1: Segment, at: str) -> list[Resource]:
    language = coded(scene, nk1.value(20), f"{at}communication[0].language", "language")
    return [{"language": language}] if language else []
