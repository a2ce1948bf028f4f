"""RXA of a vaccination report to Immunization, with the ORC before it and the RXR after it.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-rxa-to-immunization.html
"""

from adapters.contract import Resource
from adapters.hl7v2.codes import TERMINOLOGY, code
from adapters.hl7v2.contacts import address
from adapters.hl7v2.datatypes import absent, coded, practitioner, time, unit
from adapters.hl7v2.map_order_control import group, numbers, order_number
from adapters.hl7v2.map_order_details import add_secrecy
from adapters.hl7v2.map_place import location, location_key
from adapters.hl7v2.map_provenance import add_order_provenance
from adapters.hl7v2.numbers import number
from adapters.hl7v2.read import Segment
from adapters.hl7v2.scene import Scene
from adapters.hl7v2.times import day

# Registries write 999 for an amount that nobody noted.
_UNKNOWN_AMOUNT = "999"
_FINDINGS = {"64994-7": "programEligibility", "30963-3": "fundingSource"}


def map_immunization(scene: Scene, orc: Segment | None, rxa: Segment) -> Resource:
    # The hospital's own number of the shot alone is not enough: one order may hold several vaccines.
    number_of_it = order_number(orc) or f"{scene.patient_key}@{rxa.peek(3)}"
    key = scene.key("Immunization", number_of_it, rxa.peek(5) or rxa.peek(5, 2))
    at = scene.at("Immunization", key)
    given = time(scene, rxa.value(3), f"{at}occurrenceDateTime")
    if given and rxa.peek(4) == rxa.peek(3):
        rxa.take(4, f"{at}occurrenceDateTime")
    made = scene.add(
        "Immunization",
        key,
        {
            "identifier": [*numbers(scene, orc, at), *_group(scene, orc, at)],
            "status": _status(rxa, at),
            "isSubpotent": _is_partial(rxa, at),
            "statusReason": coded(scene, rxa.value(18), f"{at}statusReason", "v2-0116"),
            "vaccineCode": coded(scene, rxa.value(5), f"{at}vaccineCode", "vaccine") or absent(),
            "patient": scene.patient(),
            "encounter": scene.encounter(),
            **({"occurrenceDateTime": given} if given else {"_occurrenceDateTime": absent()}),
            "recorded": _recorded(scene, orc, rxa, at),
            "location": location(scene, rxa.value(27), f"{at}location")
            or location(scene, rxa.value(11), f"{at}location"),
            "manufacturer": _maker(rxa, at),
            "lotNumber": rxa.take(15, f"{at}lotNumber"),
            "expirationDate": _expiry(rxa, at),
            "doseQuantity": _dose(rxa, at),
            "performer": _performers(scene, orc, rxa, at),
            "note": [{"text": _words(rxa, n, f"{at}note[{n}].text")} for n in range(len(rxa.values(9)))],
            "reasonCode": [coded(scene, v, f"{at}reasonCode[{n}]", "reason") for n, v in enumerate(rxa.values(19))],
        },
    )
    if orc and orc.value(28):
        add_secrecy(scene, orc.value(28), made)
    if orc:
        add_order_provenance(scene, orc, made)
    if rxa.value(28):
        _add_address(scene, rxa, made)
    return made


def _group(scene: Scene, orc: Segment | None, at: str) -> list[Resource]:
    """ORC-4, the sheet that several shots were ordered on."""
    found = group(scene, orc, f"{at}identifier")
    kind = {"coding": [{"system": f"{TERMINOLOGY}v2-0203", "code": "PGN", "display": "Placer Group Number"}]}
    return [{"type": kind, **found}] if found else []


def _add_address(scene: Scene, rxa: Segment, shot: Resource) -> None:
    """RXA-28: the address of the place; a place that is not named otherwise is that address."""
    named = rxa.value(27) if location_key(rxa.value(27)) else rxa.value(11)
    key = location_key(named) or f"RXA-28|{shot['id']}"
    where = address(rxa.value(28), f"{scene.at('Location', key)}address")
    if where:
        shown = {} if "location" in shot else {"name": where.get("text", ""), "mode": "instance"}
        scene.add("Location", key, {**shown, "address": where})
        shot.setdefault("location", scene.reference("Location", key))


def add_shot_route(scene: Scene, rxr: Segment, shot: Resource) -> None:
    at = f"Immunization/{shot['id']}#"
    route = coded(scene, rxr.value(1), f"{at}route", "v2-0162")
    site = coded(scene, rxr.value(2), f"{at}site", "v2-0163")
    shot.update({name: part for name, part in (("route", route), ("site", site)) if part})


def _status(rxa: Segment, at: str) -> str:
    if rxa.peek(21).upper() == "D":
        rxa.take(21, f"{at}status")
        return "entered-in-error"
    rxa.take(21, f"{at}status")
    said = code("v2-0322", rxa.peek(20).upper())
    if said:
        rxa.take(20, f"{at}status")
    elif rxa.peek(20):
        rxa.notice(20, "the completion status is not known")
    elif rxa.value(18):
        # The guide has "completed" here; a vaccine that somebody refused must not be read as given.
        rxa.notice(20, "a reason for refusal without a completion status: the vaccine is kept as not given")
        return "not-done"
    return said or "completed"


def _is_partial(rxa: Segment, at: str) -> bool | None:
    """RXA-20 ``PA``: a part of the dose."""
    if rxa.peek(20).upper() != "PA":
        return None
    rxa.take(20, f"{at}isSubpotent")
    return True


def add_shot_finding(observation: Resource, shot: Resource) -> None:
    """What FHIR's own mapping takes from a result under the shot: who may have it for free, and who pays."""
    codes = [one["code"] for one in observation["code"].get("coding", ()) if one.get("system") == "http://loinc.org"]
    concept = observation.get("valueCodeableConcept")
    for element in [_FINDINGS[one] for one in codes if one in _FINDINGS and concept]:
        shot[element] = [*shot.get(element, ()), concept] if element == "programEligibility" else concept


def _recorded(scene: Scene, orc: Segment | None, rxa: Segment, at: str) -> str | None:
    entered = time(scene, rxa.value(22), f"{at}recorded")
    return entered or (time(scene, orc.value(9), f"{at}recorded") if orc else None)


def _maker(rxa: Segment, at: str) -> Resource | None:
    value = rxa.value(17)
    mark, title = value.take(1, f"{at}manufacturer.identifier.value"), value.take(2, f"{at}manufacturer.display")
    if not mark and not title:
        return None
    return {"type": "Organization", "identifier": {"value": mark}, "display": title}


def _expiry(rxa: Segment, at: str) -> str | None:
    said = day(rxa.peek(16)) if rxa.peek(16) else None
    if said:
        rxa.take(16, f"{at}expirationDate")
    return said


def _dose(rxa: Segment, at: str) -> Resource | None:
    read = number(rxa.peek(6)) if rxa.peek(6) else None
    if rxa.peek(6) == _UNKNOWN_AMOUNT:
        rxa.notice(6, "the amount 999 says that nobody noted it; it was left out")
        return None
    if read is None:
        return None
    rxa.take(6, f"{at}doseQuantity.value")
    return {"value": read.value, **unit(rxa.value(7), f"{at}doseQuantity")}


def _performers(scene: Scene, orc: Segment | None, rxa: Segment, at: str) -> list[Resource]:
    people = [("AP", "Administering Provider", value) for value in rxa.values(10)]
    people += [("OP", "Ordering Provider", value) for value in orc.values(12)] if orc else []
    made: list[Resource] = []
    for role, title, value in people:
        actor = practitioner(scene, value, f"{at}performer[{len(made)}].actor")
        coding = {"system": f"{TERMINOLOGY}v2-0443", "code": role, "display": title}
        made.extend([{"function": {"coding": [coding]}, "actor": actor}] if actor else [])
    return made


def _words(rxa: Segment, place: int, target: str) -> str:
    """RXA-9: the code of where the report comes from, with its words."""
    value = rxa.values(9)[place]
    return " ".join(part for part in (value.take(1, target), value.take(2, target)) if part)
