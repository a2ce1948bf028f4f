"""IN1 to Coverage: the insurance card and who pays.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-in1-to-coverage.html
"""

from adapters.contract import Resource
from adapters.hl7v2.contacts import address
from adapters.hl7v2.datatypes import absent, coded, from_table, identifier, period, type_of
from adapters.hl7v2.map_organization import addresses
from adapters.hl7v2.map_patient import gender, sort_of
from adapters.hl7v2.names import person_name, spoken_name
from adapters.hl7v2.read import Segment
from adapters.hl7v2.scene import Scene
from adapters.hl7v2.times import day

_CARD_FIELDS = (49, 36, 2)
# The insured is the patient (table 0063); what else is said of the insured person.
_SELF = frozenset({"SEL", "SELF", "PATIENT", "18"})
_PERSON = frozenset({18, 19, 43})


def map_coverage(scene: Scene, in1: Segment) -> Resource:
    field = next((field for field in _CARD_FIELDS if in1.peek(field)), 0)
    card = in1.peek(field) if field in (49, 36) else ""
    key = scene.key("Coverage", scene.patient_key, card or in1.peek(2) or in1.peek(3))
    at = scene.at("Coverage", key)
    number = _card(scene, in1, at)
    return scene.put(
        "Coverage",
        key,
        {
            "identifier": [number] if number else [],
            "status": "active",
            "type": coded(scene, in1.value(15), f"{at}type", "v2-0086"),
            **_holder(scene, in1, at),
            "subscriberId": in1.take(36, f"{at}subscriberId") or in1.take(49, f"{at}subscriberId"),
            "beneficiary": scene.patient(),
            "relationship": from_table(scene, in1.value(17), f"{at}relationship", "v2-0063"),
            "period": period(scene, (in1.value(12), 1), (in1.value(13), 1), f"{at}period"),
            "payor": [_payor(scene, in1, at)],
            "class": _classes(scene, in1, at),
        },
        clean=True,
    )


def _holder(scene: Scene, in1: Segment, at: str) -> Resource:
    """IN1-10 and 11, the employer that holds the policy; the insured person (IN1-16) is the holder without one."""
    title = in1.take(11, f"{at}policyHolder.display")
    number = identifier(scene, in1.value(10), f"{at}policyHolder.identifier")
    role = "subscriber" if title or number else "policyHolder"
    said = spoken_name(in1.value(16), f"{at}{role}.display")
    named = {**_insured(scene, in1, said), "display": said} if said else None
    if not title and not number:
        return {"policyHolder": named}
    employer = {"type": "Organization", "identifier": number, "display": title}
    return {"policyHolder": {name: part for name, part in employer.items() if part}, "subscriber": named}


def _insured(scene: Scene, in1: Segment, name: str) -> Resource:
    """IN1-16 to 19 and 43: the insured person, where it is another one than the patient, is a relative."""
    relation = in1.peek(17).upper()
    if not relation or relation in _SELF or not in1.says(_PERSON):
        return {}
    key = scene.key("RelatedPerson", scene.patient_key, "IN1", relation, name)
    at = scene.at("RelatedPerson", key)
    born = day(in1.peek(18)) if in1.peek(18) else None
    if born:
        in1.take(18, f"{at}birthDate")
    elements = {
        "patient": scene.patient(),
        "relationship": [from_table(scene, in1.value(17), f"{at}relationship[0]", "v2-0063")],
        "name": [person_name(in1.value(16), f"{at}name[0]")],
        "gender": gender(in1, 43, f"{at}gender"),
        "birthDate": born,
        "address": [address(value, f"{at}address[{n}]") for n, value in enumerate(in1.values(19))],
    }
    scene.add("RelatedPerson", key, elements)
    return scene.reference("RelatedPerson", key)


def _card(scene: Scene, in1: Segment, at: str) -> Resource | None:
    """The card number: a BHYT card by its pattern, else the insurer's own number."""
    value = in1.value(49) or in1.value(36)
    sort = sort_of("BHYT", value.peek(1), value.place)
    known = {"type": type_of("NIIP")} if sort else None
    return identifier(scene, value, f"{at}identifier[0]", scene.system(sort) if sort else "", known)


def _payor(scene: Scene, in1: Segment, at: str) -> Resource:
    number = in1.value(3).peek(1)
    title = in1.take(4, f"{at}payor[0].display")
    if not number and (not title or not in1.value(5)):
        return {"display": title} if title else absent()
    key = f"insurer:{number or title}"
    here = scene.at("Organization", key)
    mark = identifier(scene, in1.value(3), f"{here}identifier[0]")
    if title:
        in1.take(4, f"{here}name")
    place = addresses(in1, 5, here)
    elements = {"identifier": [mark] if mark else [], "name": title, "address": place}
    scene.put("Organization", key, elements, clean=True)
    link = scene.reference("Organization", key)
    return {**link, "display": title} if title else link


def _classes(scene: Scene, in1: Segment, at: str) -> list[Resource]:
    made: list[Resource] = []
    for kind, field, label in (("plan", 2, 0), ("group", 8, 9)):
        value = in1.value(field).take(1, f"{at}class[{len(made)}].value")
        if value:
            title = in1.take(label, f"{at}class[{len(made)}].name") if label else in1.value(2).take(2, f"{at}class")
            system = "http://terminology.hl7.org/CodeSystem/coverage-class"
            entry: Resource = {"type": {"coding": [{"system": system, "code": kind}]}, "value": value}
            made.append({**entry, "name": title} if title else entry)
    return made
