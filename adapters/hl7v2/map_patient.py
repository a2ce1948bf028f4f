"""PID to Patient.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-pid-to-patient.html
"""

import re

from adapters.contract import Resource, Untranslatable
from adapters.hl7v2.codes import code
from adapters.hl7v2.contacts import address
from adapters.hl7v2.datatypes import coded, from_table, identifier, practitioner, time, type_of
from adapters.hl7v2.languages import spoken
from adapters.hl7v2.map_organization import reached
from adapters.hl7v2.map_place import facility
from adapters.hl7v2.names import person_name, spoken_name
from adapters.hl7v2.numbers import positive
from adapters.hl7v2.read import Segment, Value
from adapters.hl7v2.scene import Scene, extension
from adapters.hl7v2.times import day, instant

_EXTENSIONS = "http://hl7.org/fhir/StructureDefinition/"
_ETHNICITY = "http://fhir.hl7.org.vn/core/StructureDefinition/vn-ext-ethnicity"
OWN = frozenset({"MR", "MRN", "PI", "PT"})
_CITIZEN = frozenset({"NI", "NN", "NNVNM", "CCCD", "CMND", "CMT"})
_INSURANCE = frozenset({"HC", "NIIP", "BHYT", "SS", "SB", "BHXH"})
# The fields that become extensions, that say whether somebody died, and whether he has a twin.
_EXTENDED, _DEATH, _MULTIPLE = frozenset({6, 10, 17, 22, 23, 26, 28, 39}), frozenset({29, 30}), frozenset({24, 25})
_TYPES = {"passport": "PPN", "cccd": "NI", "cmnd": "NI"}
_FOREIGN = _CITIZEN | _INSURANCE | {"PPN"}
_CARD = re.compile(r"[A-Z]{2}[0-9A-Z]\d{12}")


def patient_number(scene: Scene, pid: Segment) -> str:
    """The hospital's own number of the patient. Raises Untranslatable when PID names no number at all."""
    numbers = [value for value in pid.values(3) if value.peek(1)]
    own = [value for value in numbers if kind_of(value) in OWN]
    ours = [value for value in own if _is_ours(scene, value)]
    plain = [] if own else [value for value in numbers if kind_of(value) not in _FOREIGN]
    for value in (*ours, *own, *plain, pid.value(2)):
        if value.peek(1):
            return value.peek(1)
    if numbers:
        return f"{kind_of(numbers[0])}:{numbers[0].peek(1)}"
    raise Untranslatable("the patient has no identifier", f"{pid.place}-3")


def _is_ours(scene: Scene, value: Value) -> bool:
    ours = {scene.hospital.name, scene.hospital.title, scene.hospital.facility_code, scene.header.peek(4), ""}
    return value.peek(4) in ours


def kind_of(value: Value) -> str:
    """What sort of number a CX is: its type (CX.5), else its authority where that names a sort of number."""
    authority = value.peek(4).upper()
    return value.peek(5).upper() or (authority if authority in _CITIZEN | _INSURANCE else "")


def map_patient(scene: Scene, pid: Segment) -> Resource:
    at = scene.at("Patient", scene.patient_key)
    names = [person_name(value, f"{at}name[{n}]") for n, value in enumerate(pid.values(5))]
    aliases = [person_name(value, f"{at}name[{n}]") for n, value in enumerate(pid.values(9), len(names))]
    place = len(names) + len(aliases)
    # XPN.15, what somebody is called by.
    said = [value for value in pid.values(5) if 15 in value]
    called = [{"use": "nickname", "text": v.take(15, f"{at}name[{place + n}].text")} for n, v in enumerate(said)]
    return scene.put(
        "Patient",
        scene.patient_key,
        {
            "extension": _extensions(scene, pid, at) if pid.says(_EXTENDED) else [],
            "identifier": identifiers(scene, pid, at),
            "name": [*filter(None, names), *[{"use": "nickname", **alias} for alias in aliases if alias], *called],
            "telecom": _telecoms(pid, at),
            "gender": gender(pid, 8, f"{at}gender"),
            **_birth(scene, pid, at),
            **(_death(scene, pid, at) if pid.says(_DEATH) else {}),
            "address": _addresses(pid, at),
            "maritalStatus": from_table(scene, pid.value(16), f"{at}maritalStatus", "v2-0002"),
            **(_multiple_birth(pid, at) if pid.says(_MULTIPLE) else {}),
            "communication": _languages(scene, pid, at),
            "managingOrganization": facility(scene),
        },
    )


def add_primary_care(scene: Scene, pd1: Segment) -> None:
    """PD1: the facility and the doctor the patient is registered with."""
    patient = scene.draft.live("Patient", scene.patient_key)
    at = scene.at("Patient", scene.patient_key)
    made: list[Resource] = []
    for value in pd1.values(3):
        title = value.take(1, f"{at}generalPractitioner[{len(made)}].display")
        number = value.take(10, f"{at}generalPractitioner[{len(made)}].identifier") or value.take(
            3, f"{at}generalPractitioner[{len(made)}].identifier"
        )
        mark = {"system": scene.system("facility"), "value": number} if number else None
        made.extend([{"type": "Organization", "identifier": mark, "display": title}] if mark or title else [])
    _add_marks(scene, pd1, patient, at)
    for value in pd1.values(4):
        doctor = practitioner(scene, value, f"{at}generalPractitioner[{len(made)}]")
        made.extend([doctor] if doctor else [])
    if made:
        patient["generalPractitioner"] = made


def _add_marks(scene: Scene, pd1: Segment, patient: Resource, at: str) -> None:
    """PD1-6 handicap, PD1-7 living will, PD1-14 congregation."""
    listed = list(patient.get("extension", ()))
    handicap = coded(scene, pd1.value(6), f"{at}extension[{len(listed)}].value", "v2-0295")
    if handicap:
        listed.append(extension(f"{_EXTENSIONS}patient-disability", valueCodeableConcept=handicap))
    church = pd1.take(14, f"{at}extension[{len(listed)}].value")
    if church:
        listed.append(extension(f"{_EXTENSIONS}patient-congregation", valueString=church))
    if len(listed) > len(patient.get("extension", ())):
        patient["extension"] = listed
    if pd1.value(7):
        _add_living_will(scene, pd1)


def _add_living_will(scene: Scene, pd1: Segment) -> None:
    key = scene.key("Observation", scene.patient_key, "PD1-7")
    at = scene.at("Observation", key)
    elements = {
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "42348-3", "display": "Advance directives"}]},
        "subject": scene.patient(),
        "valueCodeableConcept": from_table(scene, pd1.value(7), f"{at}valueCodeableConcept", "v2-0315"),
    }
    scene.add("Observation", key, elements)


def gender(segment: Segment, field: int, target: str) -> str:
    """The administrative gender; a code that table 0001 and the hospitals do not know stays unmapped."""
    source = segment.peek(field)
    known = code("v2-0001", source) or code("v2-0001", source.upper())
    if known:
        segment.take(field, target)
    elif source:
        segment.notice(field, "the sex code is not known")
    return known


def identifiers(scene: Scene, pid: Segment, at: str) -> list[Resource]:
    """All numbers of the patient, the hospital's own first met in PID-3."""
    made: list[Resource] = []
    kept: list[Value] = []
    numbers: list[str] = []
    for value in (*pid.values(3), *pid.values(2), *pid.values(4), *pid.values(19)):
        number = value.peek(1)
        if number in numbers:
            place = numbers.index(number)
            _repeated(value, kept[place], f"{at}identifier[{place}]")
            continue
        found = patient_identifier(scene, value, f"{at}identifier[{len(made)}]")
        if found:
            made.append(found)
            kept.append(value)
            numbers.append(number)
    licence = pid.value(20)
    if licence.peek() in numbers:
        place = numbers.index(licence.peek())
        _repeated(licence, kept[place], f"{at}identifier[{place}]")
        return made
    return made + _licence(licence, f"{at}identifier[{len(made)}]")


def _licence(value: Value, at: str) -> list[Resource]:
    """A DLN: number, who issued it, until when; older senders write it as any other number."""
    number = value.take(1, f"{at}.value")
    if not number:
        return []
    issuer = value.take(2, f"{at}.assigner.display") or value.take(4, f"{at}.assigner.display")
    ends = day(value.peek(3)) if value.peek(3) else None
    if ends:
        value.took(3, f"{at}.period.end")
    mark = {"use": "secondary", "type": type_of("DL"), "value": number, "period": {"end": ends}}
    return [{**mark, "assigner": {"display": issuer}}]


def _repeated(value: Value, other: Value, at: str) -> None:
    """A number sent again: what it says alike is there; who else gave it, or what else it is called, stays unmapped."""
    for component, path in ((1, "value"), (4, "assigner.display"), (5, "type")):
        if value.peek(component) == other.peek(component):
            value.took(component, f"{at}.{path}")


def patient_identifier(scene: Scene, value: Value, at: str) -> Resource | None:
    """One number with the system of its sort: the hospital's, the citizen's, the passport's, the insurance's."""
    kind, number = kind_of(value), value.peek(1)
    if number == scene.patient_key or (kind in ("MR", "MRN") and _is_ours(scene, value)):
        return identifier(scene, value, at, scene.system("mrn"), {"use": "usual", "type": type_of("MR")})
    sort = sort_of(kind, number, value.place)
    if sort:
        known = {"use": "official" if sort == "cccd" else "secondary", "type": type_of(_TYPES.get(sort, "NIIP"))}
        return identifier(scene, value, at, scene.system(sort), known)
    # PID-19 is the number of a social insurance, outside of the United States.
    known = {"use": "secondary", **({"type": type_of("SB")} if "-19[" in value.place else {})}
    return identifier(scene, value, at, "", known)


def sort_of(kind: str, number: str, place: str) -> str:
    """The key of the identifier system, by declared type and by pattern; empty for a foreign number."""
    # Only a number said to be a citizen's is one: hospital numbers of twelve digits exist.
    if kind in _CITIZEN or "-19[" in place:
        return {12: "cccd", 9: "cmnd"}.get(len(number), "") if number.isdigit() else ""
    if kind == "PPN":
        return "passport"
    if kind in _INSURANCE or not kind:
        if _CARD.fullmatch(number):
            return "bhyt"
        return "bhxh" if kind and len(number) == 10 and number.isdigit() else ""
    return ""


def _addresses(pid: Segment, at: str) -> list[Resource]:
    """PID-11; the county of PID-12, which it replaced, is a district of the first that has none."""
    found = [address(value, f"{at}address[{n}]") for n, value in enumerate(pid.values(11))]
    made = [one for one in found if one]
    county = pid.peek(12)
    if county and county not in [one.get("district") for one in made]:
        place = next((n for n, one in enumerate(made) if not one.get("district")), len(made))
        pid.take(12, f"{at}address[{place}].district")
        known = made[place] if place < len(made) else {}
        before: Resource = {name: known[name] for name in ("use", "type", "text", "line", "city") if name in known}
        made[place:] = [{**before, "district": county, **known}, *made[place + 1 :]]
    return made


def _telecoms(pid: Segment, at: str) -> list[Resource]:
    numbers = [(use, value) for field, use in ((13, "home"), (14, "work"), (40, "")) for value in pid.values(field)]
    return reached(numbers, at)


def _birth(scene: Scene, pid: Segment, at: str) -> Resource:
    """Birth date, and birth time where it is given and is not the zeros of an unknown one."""
    text = pid.peek(7)
    born = day(text) if text else None
    if born is None:
        if text:
            pid.notice(7, "the birth date cannot be read")
        return {}
    pid.take(7, f"{at}birthDate")
    moment = instant(text, scene.hospital.offset) if text[8:12].strip("0") else None
    if moment is None:
        return {"birthDate": born}
    return {
        "birthDate": born,
        "_birthDate": {"extension": [extension(f"{_EXTENSIONS}patient-birthTime", valueDateTime=moment)]},
    }


def _death(scene: Scene, pid: Segment, at: str) -> Resource:
    moment = time(scene, pid.value(29), f"{at}deceasedDateTime")
    said = pid.peek(30).upper()
    if moment:
        pid.take(30, f"{at}deceasedDateTime")
        return {"deceasedDateTime": moment}
    if said in ("Y", "N"):
        pid.take(30, f"{at}deceasedBoolean")
        return {"deceasedBoolean": said == "Y"}
    return {}


def _multiple_birth(pid: Segment, at: str) -> Resource:
    order, said = positive(pid.peek(25)), pid.peek(24).upper()
    if order:
        pid.take(25, f"{at}multipleBirthInteger")
        pid.take(24, f"{at}multipleBirthInteger")
        return {"multipleBirthInteger": order}
    if said in ("Y", "N"):
        pid.take(24, f"{at}multipleBirthBoolean")
        return {"multipleBirthBoolean": said == "Y"}
    return {}


def _languages(scene: Scene, pid: Segment, at: str) -> list[Resource]:
    language = spoken(scene, pid.value(15), f"{at}communication[0].language")
    return [{"language": language, "preferred": True}] if language else []


def _extensions(scene: Scene, pid: Segment, at: str) -> list[Resource]:
    made: list[Resource] = []

    def here() -> str:
        return f"{at}extension[{len(made)}]"

    maiden = spoken_name(pid.value(6), f"{here()}.value")
    if maiden:
        made.append(extension(f"{_EXTENSIONS}patient-mothersMaidenName", valueString=maiden))
    religion = coded(scene, pid.value(17), f"{here()}.value", "religion")
    if religion:
        made.append(extension(f"{_EXTENSIONS}patient-religion", valueCodeableConcept=religion))
    # Senders who know only one of the two write the people somebody belongs to as race.
    people = pid.value(22) or pid.value(10)
    ethnicity = coded(scene, people, f"{here()}.value", "ethnicity")
    if ethnicity:
        if not people.peek(3) and "coding" in ethnicity:
            ethnicity["coding"][0]["system"] = scene.system("ethnicity")
        made.append(extension(_ETHNICITY, valueCodeableConcept=ethnicity))
    if pid.peek(23):
        place = {"text": pid.take(23, f"{here()}.value.text")}
        made.append(extension(f"{_EXTENSIONS}patient-birthPlace", valueAddress=place))
    nations = [("patient-citizenship", value) for value in pid.values(26)] + [("patient-nationality", pid.value(28))]
    for name, value in (*nations, *(("patient-citizenship", value) for value in pid.values(39))):
        nation = coded(scene, value, f"{here()}.extension[0].value", "country")
        if nation:
            inner = extension("code", valueCodeableConcept=nation)
            made.append({"url": f"{_EXTENSIONS}{name}", "extension": [inner]})
    return made
