"""PV1 and PV2 to Encounter.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-pv1-to-encounter.html
"""

from adapters.contract import Resource
from adapters.hl7v2.codes import TERMINOLOGY, table
from adapters.hl7v2.datatypes import coded, identifier, of_row, period, practitioner, type_of
from adapters.hl7v2.map_place import facility, location
from adapters.hl7v2.map_visit_details import PV1_DETAILS, PV2_DETAILS, add_plans, add_visit_places
from adapters.hl7v2.numbers import positive
from adapters.hl7v2.read import Segment, Value
from adapters.hl7v2.scene import Scene
from adapters.hl7v2.times import date_time, in_order

_DOCTORS = (
    (7, "ATND", "attender"),
    (8, "REF", "referrer"),
    (9, "CON", "consultant"),
    (17, "ADM", "admitter"),
    (52, "PART", "Participation"),
)
# How the patient came and went: field, element, whether it is a list, and what the hospital's own list is called.
_STAY = (
    (14, "admitSource", False, "v2-0023"),
    (13, "reAdmission", False, "v2-0092"),
    (38, "dietPreference", True, "v2-0114"),
    (16, "specialCourtesy", True, "v2-0099"),
    (15, "specialArrangement", True, "v2-0009"),
    (37, "destination", False, ""),
    (36, "dischargeDisposition", False, "v2-0112"),
)
UNKNOWN_CLASS = {"system": f"{TERMINOLOGY}v3-NullFlavor", "code": "UNK", "display": "unknown"}


def visit_number(scene: Scene, pv1: Segment) -> str:
    """What the hospital calls this visit; without a number, patient and admission time; else this one message.

    Empty for the PV1 of a message about the person alone (class N): there is no visit.
    """
    if pv1.peek(19):
        return pv1.peek(19)
    if pv1.peek(44):
        return f"{scene.patient_key}@{pv1.peek(44)}"
    if pv1.peek(2).upper() == "N":
        return ""
    return f"{scene.patient_key}@message:{scene.header.peek(10)}"


def map_encounter(scene: Scene, pv1: Segment, pid: Segment) -> Resource:
    at = scene.at("Encounter", scene.encounter_key)
    account = identifier(scene, pid.value(18), f"{at}account[0].identifier")
    kind = coded(scene, pv1.value(4), f"{at}type[0]", "v2-0007")
    made = scene.put(
        "Encounter",
        scene.encounter_key,
        {
            "identifier": _identifiers(scene, pv1, at),
            "status": _status(scene, pv1, at),
            "class": _class(pv1, at),
            "type": [kind] if kind else [],
            "serviceType": coded(scene, pv1.value(10), f"{at}serviceType", "v2-0069"),
            "subject": scene.patient(),
            "participant": _participants(scene, pv1, at),
            "period": period(scene, (pv1.value(44), 1), (pv1.value(45), 1), f"{at}period"),
            "account": [{"identifier": account}] if account else [],
            "hospitalization": _hospitalization(scene, pv1, at),
            "location": _locations(scene, pv1, at),
            "serviceProvider": facility(scene),
        },
    )
    if pv1.says(PV1_DETAILS):
        add_visit_places(scene, pv1, made)
    return made


def add_visit_details(scene: Scene, pv2: Segment) -> None:
    """PV2: reason, expected times, priority, put into the Encounter of the PV1 before it."""
    encounter = scene.draft.live("Encounter", scene.encounter_key)
    at = scene.at("Encounter", scene.encounter_key)
    reasons = [coded(scene, pv2.value(3), f"{at}reasonCode[0]", "admit-reason")]
    if pv2.peek(12):
        reasons.append({"text": pv2.take(12, f"{at}reasonCode[{1 if reasons[0] else 0}].text")})
    made = [reason for reason in reasons if reason]
    if made:
        encounter["reasonCode"] = made
    priority = coded(scene, pv2.value(25), f"{at}priority", "v2-0217")
    if priority:
        encounter["priority"] = priority
    if pv2.says(PV2_DETAILS):
        add_plans(scene, pv2, encounter)
    days = positive(pv2.peek(11))
    if days:
        pv2.take(11, f"{at}length")
        encounter["length"] = {"value": days, "unit": "d", "system": "http://unitsofmeasure.org", "code": "d"}


def _identifiers(scene: Scene, pv1: Segment, at: str) -> list[Resource]:
    known = {"use": "official", "type": type_of("VN")}
    number = identifier(scene, pv1.value(19), f"{at}identifier[0]", scene.system("visit"), known)
    other = identifier(scene, pv1.value(50), f"{at}identifier[{1 if number else 0}]")
    return [made for made in (number, other) if made]


def _status(scene: Scene, pv1: Segment, at: str) -> str:
    """What the event says; else what the times say; a message that says neither leaves it unknown."""
    if scene.event.encounter_status:
        scene.header.value(9).took(2, f"{at}status")
        return scene.event.encounter_status
    if pv1.peek(45):
        pv1.value(45).took(1, f"{at}status")
        return "finished"
    # A result or an order is no event of the visit: 'in-progress' here would reopen one that was closed.
    if scene.event.code != "ADT":
        return "unknown"
    if pv1.peek(2) == "P":
        return "planned"
    return "in-progress" if pv1.peek(44) else "unknown"


def _class(pv1: Segment, at: str) -> Resource:
    row = table("v2-0004").get(pv1.peek(2).upper())
    if row is None:
        if pv1.peek(2):
            pv1.notice(2, "the patient class is not known")
        return dict(UNKNOWN_CLASS)
    pv1.take(2, f"{at}class")
    return of_row(row)


def _participants(scene: Scene, pv1: Segment, at: str) -> list[Resource]:
    made: list[Resource] = []
    for field, role, display in _DOCTORS:
        for value in pv1.values(field) if field in pv1.sent else ():
            person = practitioner(scene, value, f"{at}participant[{len(made)}].individual")
            kind = {"system": f"{TERMINOLOGY}v3-ParticipationType", "code": role, "display": display}
            if person:
                made.append({"type": [{"coding": [kind]}], "individual": person})
    return made


def _hospitalization(scene: Scene, pv1: Segment, at: str) -> Resource:
    inside = f"{at}hospitalization"
    before = identifier(scene, pv1.value(5), f"{inside}.preAdmissionIdentifier")
    made: Resource = {"preAdmissionIdentifier": before} if before else {}
    for field, name, many, local in _STAY:
        if field not in pv1.sent:
            continue
        if field == 37:
            went = _destination(pv1.value(field), f"{inside}.destination")
            made.update({"destination": went} if went else {})
            continue
        concept = coded(scene, pv1.value(field), f"{inside}.{name}{'[0]' if many else ''}", local)
        if concept:
            made[name] = [concept] if many else concept
    return made


def _destination(value: Value, at: str) -> Resource | None:
    """Where the patient went: the name of the place with its code, or what alone is said."""
    mark, title = value.peek(1), value.peek(1, 2)
    if not title:
        return {"display": value.take(1, f"{at}.display")} if mark else None
    value.took(1, f"{at}.identifier.value")
    named = {"identifier": {"value": mark}} if mark else {}
    return {**named, "display": value.take(1, f"{at}.display", 2)}


def _locations(scene: Scene, pv1: Segment, at: str) -> list[Resource]:
    made: list[Resource] = []
    over = scene.event.encounter_status == "finished"
    for field, status in ((3, "completed" if over else "active"), (6, "completed"), (42, "planned")):
        if field not in pv1.sent:
            continue
        place = location(scene, pv1.value(field), f"{at}location[{len(made)}].location")
        if place and place not in [other["location"] for other in made]:
            # A late result names the bed of the past: only an event of the visit says who lies where now.
            said = scene.event.code == "ADT" or field != 3
            made.append({"location": place, "status": status} if said else {"location": place})
    return made


def add_event_time(scene: Scene, evn: Segment) -> None:
    """EVN-6, when it happened: the end of the visit for a discharge whose PV1-45 is empty."""
    encounter = scene.draft.live("Encounter", scene.encounter_key)
    spans = encounter.setdefault("period", {})
    edge = {"A01": "start", "A04": "start", "A03": "end"}.get(scene.event.trigger, "")
    said = date_time(evn.peek(6), scene.hospital.offset) if edge else None
    whole = {**spans, edge: said}
    if said and spans.get(edge, said) == said and in_order(whole.get("start", said), whole.get("end", said)):
        evn.take(6, f"{scene.at('Encounter', scene.encounter_key)}period.{edge}")
        spans[edge] = said
    if not spans:
        del encounter["period"]
