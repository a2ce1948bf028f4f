"""NK1 and the mother named in PID to RelatedPerson.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-nk1-to-relatedperson.html
"""

from datetime import date

from adapters.contract import Resource
from adapters.hl7v2.codes import TERMINOLOGY
from adapters.hl7v2.contacts import address, telecom
from adapters.hl7v2.datatypes import from_table, period, type_of
from adapters.hl7v2.languages import spoken
from adapters.hl7v2.map_organization import organization, reached
from adapters.hl7v2.map_patient import gender, patient_identifier, sort_of
from adapters.hl7v2.names import name_text, person_name
from adapters.hl7v2.read import Segment, Value
from adapters.hl7v2.scene import Scene
from adapters.hl7v2.times import day

_NEWBORN_DAYS = 28
_OFFICE = frozenset({13, 30, 31, 32, 41})
_MOTHER = {"coding": [{"system": f"{TERMINOLOGY}v3-RoleCode", "code": "MTH", "display": "mother"}]}


def map_relative(scene: Scene, nk1: Segment) -> Resource:
    """One next of kin. Its name, not its place in the list, makes the key: lists are sent in any order."""
    # NK1-1 numbers the rows of this message only; as a key it would turn the wife into the brother on a re-send.
    said = [nk1.peek(2, component) for component in (1, 2, 3)]
    key = scene.key("RelatedPerson", scene.patient_key, nk1.peek(3), *said)
    at = scene.at("RelatedPerson", key)
    numbers = [("home", value) for value in nk1.values(5)] + [("work", value) for value in nk1.values(6)]
    numbers += [("", value) for value in nk1.values(40)]
    role = (
        from_table(scene, nk1.value(7), f"{at}relationship[{1 if nk1.value(3) else 0}]", "v2-0131")
        if nk1.value(7)
        else None
    )
    names = [person_name(value, f"{at}name[{n}]") for n, value in enumerate(nk1.values(2))]
    ties = [from_table(scene, nk1.value(3), f"{at}relationship[0]", "v2-0063"), role]
    places = [address(value, f"{at}address[{n}]") for n, value in enumerate(nk1.values(4))]
    made = scene.put(
        "RelatedPerson",
        key,
        {
            "identifier": [number for number in _numbers(scene, nk1, at) if number],
            "active": True,
            "patient": scene.patient(),
            "relationship": [tie for tie in ties if tie],
            "name": [name for name in names if name],
            "telecom": reached(numbers, at),
            "gender": gender(nk1, 15, f"{at}gender"),
            "birthDate": _birth(nk1, at),
            "address": [place for place in places if place],
            "period": period(scene, (nk1.value(8), 1), (nk1.value(9), 1), f"{at}period"),
            "communication": _languages(scene, nk1, at),
        },
    )
    if nk1.peek(3).upper() == "MTH":
        _mark_borrowed_name(scene, made)
    if nk1.says(_OFFICE):
        _add_office(scene, nk1)
    return made


def _numbers(scene: Scene, nk1: Segment, at: str) -> list[Resource | None]:
    """The relative's own numbers: NK1-33, the employee's NK1-12, and NK1-37, in Vietnam the citizen's."""
    made: list[Resource | None] = []
    for value in (*nk1.values(33), *nk1.values(12)):
        number = patient_identifier(scene, value, f"{at}identifier[{len(made)}]")
        made.extend([number] if number else [])
    said = nk1.take(37, f"{at}identifier[{len(made)}].value")
    sort = sort_of("NI", said, nk1.place) if said else ""
    mark = {"use": "official" if sort == "cccd" else "secondary", "type": type_of("NI"), "system": scene.system(sort)}
    return [*made, {**mark, "value": said} if said else None]


def _add_office(scene: Scene, nk1: Segment) -> None:
    """NK1-13 and the person to call there: a contact of the patient that is a place, not a relative."""
    patient = scene.draft.live("Patient", scene.patient_key)
    listed = patient.setdefault("contact", [])
    at = f"{scene.at('Patient', scene.patient_key)}contact[{len(listed)}]"
    phones = [*nk1.values(31), *nk1.values(41)]
    entry = {
        "relationship": [from_table(scene, nk1.value(3), f"{at}.relationship[0]", "v2-0063")],
        "name": person_name(nk1.value(30), f"{at}.name"),
        "telecom": [telecom(value, f"{at}.telecom[{n}]", "work") for n, value in enumerate(phones)],
        "address": address(nk1.value(32), f"{at}.address"),
        "organization": organization(scene, nk1.value(13), f"{at}.organization"),
    }
    listed.append(entry)


def map_mother(scene: Scene, pid: Segment) -> None:
    """The mother's number in PID-21 (a newborn's): a person related to the patient, the one of NK1 if named there."""
    if not pid.value(21).peek(1):
        return
    listed = next((person for person in scene.made("RelatedPerson") if _is_mother(person)), None)
    if listed is not None:
        _add_to_mother(scene, pid, listed)
        return
    key = f"{scene.patient_key}|MTH|{pid.value(21).peek(1)}"
    at = scene.at("RelatedPerson", key)
    name = person_name(pid.value(6), f"{at}name[0]")
    person = {"patient": scene.patient(), "relationship": [_MOTHER], "name": [name]}
    made = scene.add("RelatedPerson", key, person)
    _add_to_mother(scene, pid, made)
    _mark_borrowed_name(scene, made)
    if not made.get("name") and _is_newborn(scene, pid):
        _mark_unregistered_name(scene)


def _is_name(value: Value) -> bool:
    """Whether PID-21, a number by the standard, holds the mother's name, as some senders have it."""
    words = value.peek(1)
    return 4 not in value and 5 not in value and len(words) > 1 and not any(letter.isdigit() for letter in words)


def _add_to_mother(scene: Scene, pid: Segment, mother: Resource) -> None:
    """What PID-21 says of the mother: her numbers, and a name where that is another one than is known."""
    here = f"RelatedPerson/{mother['id']}#"
    marks, names = list(mother.get("identifier", ())), list(mother.get("name", ()))
    for value in pid.values(21):
        if not _is_name(value):
            mark = patient_identifier(scene, value, f"{here}identifier[{len(marks)}]")
            marks.extend([mark] if mark else [])
            continue
        known = [name.get("text") for name in names]
        place = known.index(name_text(value)) if name_text(value) in known else len(names)
        named = person_name(value, f"{here}name[{place}]")
        names.extend([named] if named and place == len(names) else [])
    mother.update({name: part for name, part in (("identifier", marks), ("name", names)) if part})


def _is_newborn(scene: Scene, pid: Segment) -> bool:
    """Whether the child is at most 28 days old on the day of the message: before its birth is registered."""
    born, today = day(pid.peek(7)), day(scene.header.peek(7)) or day(pid.peek(33))
    if not born or not today or len(born) < 10 or len(today) < 10:
        return False
    return 0 <= (date.fromisoformat(today) - date.fromisoformat(born)).days <= _NEWBORN_DAYS


def _mark_unregistered_name(scene: Scene) -> None:
    """The mother is known by her number alone, so nobody can see whether the name is hers: it is a stand-in."""
    for name in scene.draft.live("Patient", scene.patient_key).get("name", ()):
        name.setdefault("use", "temp")


def _is_mother(person: Resource) -> bool:
    return any(
        coding.get("code") == "MTH"
        for concept in person.get("relationship", ())
        for coding in concept.get("coding", ())
    )


def _mark_borrowed_name(scene: Scene, mother: Resource) -> None:
    """A newborn filed under its mother's name: the name is a stand-in until it is registered."""
    texts = {name["text"].casefold() for name in mother.get("name", ())}
    patient = scene.draft.live("Patient", scene.patient_key)
    for name in patient.get("name", ()):
        if name.get("text", "").casefold() in texts:
            name["use"] = "temp"


def _birth(nk1: Segment, at: str) -> str | None:
    born = day(nk1.peek(16)) if nk1.peek(16) else None
    if born:
        nk1.take(16, f"{at}birthDate")
    return born


def _languages(scene: Scene, nk1: Segment, at: str) -> list[Resource]:
    language = spoken(scene, nk1.value(20), f"{at}communication[0].language")
    return [{"language": language}] if language else []
