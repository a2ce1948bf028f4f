"""ORC and OBR to ServiceRequest and DiagnosticReport.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-obr-to-diagnosticreport.html
"""

from dataclasses import dataclass

from adapters.contract import Resource
from adapters.draft import pruned
from adapters.hl7v2.codes import TERMINOLOGY, code
from adapters.hl7v2.datatypes import (
    absent,
    add_practitioner,
    coded,
    entity,
    from_table,
    moment_or_period,
    practitioner,
    time,
)
from adapters.hl7v2.map_order_details import add_order_details, add_secrecy
from adapters.hl7v2.map_place import facility
from adapters.hl7v2.map_provenance import add_order_provenance
from adapters.hl7v2.map_timing import priority as urgency_of
from adapters.hl7v2.map_timing import quantity, says, timing
from adapters.hl7v2.read import Segment, Value
from adapters.hl7v2.scene import Scene
from adapters.hl7v2.times import date_time, instant

_REPORTING = frozenset({"ORU", "OUL", "OPU"})
_PLACER = {"system": f"{TERMINOLOGY}v2-0203", "code": "PLAC", "display": "Placer Identifier"}
_FILLER = {"system": f"{TERMINOLOGY}v2-0203", "code": "FILL", "display": "Filler Identifier"}


@dataclass(slots=True)
class Order:
    """The order whose results are being read: its key, its request, its report and its section where there are."""

    key: str
    request: Resource
    report: Resource | None
    effective: Resource
    section: str = ""


def map_order(scene: Scene, orc: Segment | None, obr: Segment) -> Order:
    key = _key(scene, orc, obr)
    request = _map_request(scene, (orc, obr), key)
    add_order_details(scene, (orc, obr), request)
    if orc:
        add_order_provenance(scene, orc, request)
    report = None
    # Without a report OBR-7 has no place of its own; a result that names no time was observed then.
    effective: Resource = {"effectiveDateTime": date_time(obr.peek(7), scene.hospital.offset)}
    if scene.event.code in _REPORTING or obr.peek(25):
        effective = _effective(scene, obr, key)
        report = _map_report(scene, (orc, obr), key, effective)
        if orc and orc.value(28):
            add_secrecy(scene, orc.value(28), report)
    sections = [coding["code"] for one in (report or {}).get("category", ()) for coding in one.get("coding", ())]
    return Order(key, request, report, effective, sections[0] if sections else "")


def _key(scene: Scene, orc: Segment | None, obr: Segment) -> str:
    """The number of the department that answers (filler), else of the one that asks, with what was asked."""
    # One filler number may cover all panels of a tube, so what was asked for is a part of the key.
    numbers = [obr.peek(3), orc.peek(3) if orc else "", obr.peek(2), orc.peek(2) if orc else ""]
    number = next((number for number in numbers if number), f"{scene.patient_key}@{obr.peek(7)}")
    return scene.key("ServiceRequest", number, obr.peek(4) or obr.peek(4, 2))


def _numbers(scene: Scene, segments: tuple[Segment | None, Segment], at: str) -> list[Resource]:
    orc, obr = segments
    made: list[Resource] = []
    for field, kind in ((2, _PLACER), (3, _FILLER)):
        first = len(made)
        for value in (obr.value(field), *([orc.value(field)] if orc else [])):
            # ORC repeats the number of OBR as a rule; where it says another one, both are kept.
            said = len(made) > first and _says_again(value, made[first])
            number = entity(scene, value, f"{at}identifier[{first if said else len(made)}]", scene.system("order"))
            if number and said:
                made[first].update(pruned(number) if value.peek(2) else {})
            elif number:
                made.append({"type": {"coding": [dict(kind)]}, **number})
    return made


def _says_again(value: Value, known: Resource) -> bool:
    """Whether the field names the number that is known, with no other assigner."""
    assigner = known.get("assigner", {}).get("display", "")
    return value.peek(1) == known["value"] and (not assigner or value.peek(2) in ("", assigner))


def _map_request(scene: Scene, segments: tuple[Segment | None, Segment], key: str) -> Resource:
    orc, obr = segments
    at = scene.at("ServiceRequest", key)
    reasons = [coded(scene, value, f"{at}reasonCode[{n}]", "reason") for n, value in enumerate(obr.values(31))]
    for value in orc.values(16) if orc else ():
        reasons.append(coded(scene, value, f"{at}reasonCode[{len(reasons)}]", "reason"))
    if obr.peek(13):
        reasons.append({"text": obr.take(13, f"{at}reasonCode[{len(reasons)}].text")})
    return scene.put(
        "ServiceRequest",
        key,
        {
            "identifier": _numbers(scene, segments, at),
            "requisition": entity(scene, orc.value(4), f"{at}requisition", scene.system("order")) if orc else None,
            "status": _request_status(scene, segments, at),
            "intent": "order",
            "priority": _priority(obr, at),
            "code": coded(scene, obr.value(4), f"{at}code", "service"),
            "subject": scene.patient(),
            "encounter": scene.encounter(),
            "occurrenceDateTime": time(scene, obr.value(6), f"{at}occurrenceDateTime"),
            "authoredOn": time(scene, orc.value(9), f"{at}authoredOn") if orc else None,
            "requester": _requester(scene, segments, at),
            "reasonCode": [reason for reason in reasons if reason],
        },
    )


def add_request_timing(scene: Scene, tq1: Segment, request: Resource) -> None:
    """TQ1 of an order: how often, how many, how urgent. OBR-6, where it is given, has said the time already."""
    at = f"ServiceRequest/{request['id']}#"
    if not any(name.startswith("occurrence") for name in request):
        rhythm = timing(scene, tq1, f"{at}occurrenceTiming")
        if says(rhythm):
            request["occurrenceTiming"] = rhythm
    amount = quantity(tq1.value(2), f"{at}quantityQuantity")
    urgency = urgency_of(tq1, f"{at}priority")
    words = tq1.take(11, f"{at}patientInstruction")
    said = {"quantityQuantity": amount, "priority": urgency, "patientInstruction": words}
    request.update({name: value for name, value in said.items() if value})


def _request_status(scene: Scene, segments: tuple[Segment | None, Segment], at: str) -> str:
    orc, obr = segments
    status = code("v2-0038", orc.peek(5).upper()) if orc else ""
    if orc and status:
        orc.take(5, f"{at}status")
        return status
    if obr.peek(25) in ("F", "C"):
        obr.take(25, f"{at}status")
        return "completed"
    if obr.peek(25) == "X":
        obr.take(25, f"{at}status")
        return "revoked"
    return code("v2-0119", orc.take(1, f"{at}status").upper(), "unknown") if orc else "unknown"


def _priority(obr: Segment, at: str) -> str:
    """OBR-5, or the sixth component of the old timing field OBR-27."""
    priority = code("priority", obr.peek(5).upper())
    if priority:
        obr.take(5, f"{at}priority")
        return priority
    priority = code("priority", obr.peek(27, 6).upper())
    if priority:
        obr.value(27).took(6, f"{at}priority")
    return priority


def _requester(scene: Scene, segments: tuple[Segment | None, Segment], at: str) -> Resource | None:
    """ORC-12, else OBR-16; of the two, who has a number. A name alone that is not he stays unmapped."""
    orc, obr = segments
    said = [value for value in (*([orc.value(12)] if orc else []), obr.value(16)) if value]
    asker = next((value for value in said if value.peek(1)), said[0] if said else None)
    kept = [value for value in said if value is asker or value.peek(1) or _same_name(value, asker)]
    people = {id(value): practitioner(scene, value, f"{at}requester") for value in kept}
    return people[id(asker)] if asker else None


def _same_name(value: Value, other: Value | None) -> bool:
    return other is not None and all(value.peek(n) == other.peek(n) for n in (2, 3, 4))


def _effective(scene: Scene, obr: Segment, key: str) -> Resource:
    at = scene.at("DiagnosticReport", key)
    return moment_or_period(scene, (obr.value(7), 1), (obr.value(8), 1), at, "effective")


def _map_report(scene: Scene, segments: tuple[Segment | None, Segment], key: str, effective: Resource) -> Resource:
    obr = segments[1]
    at = scene.at("DiagnosticReport", key)
    section = from_table(scene, obr.value(24), f"{at}category[0]", "v2-0074")
    return scene.put(
        "DiagnosticReport",
        key,
        {
            "identifier": _numbers(scene, segments, at),
            "basedOn": [scene.reference("ServiceRequest", key)],
            "status": _report_status(obr, at),
            "category": [section] if section else [],
            "code": coded(scene, obr.value(4), f"{at}code", "service") or absent(),
            "subject": scene.patient(),
            "encounter": scene.encounter(),
            **effective,
            "issued": _issued(scene, obr.value(22), f"{at}issued"),
            "performer": [facility(scene)],
            "resultsInterpreter": _interpreters(scene, obr, at),
        },
    )


def _report_status(obr: Segment, at: str) -> str:
    status = code("v2-0123", obr.peek(25).upper())
    if status:
        obr.take(25, f"{at}status")
    elif obr.peek(25):
        obr.notice(25, "the result status is not known")
    return status or "unknown"


def _issued(scene: Scene, value: Value, target: str) -> str | None:
    moment = instant(value.peek(), scene.hospital.offset) if value.peek() else None
    if moment:
        value.took(1, target)
    return moment


def _interpreters(scene: Scene, obr: Segment, at: str) -> list[Resource]:
    """OBR-32 to 35 are NDL: a person packed into the first component, then times and a place."""
    made: list[Resource] = []
    for field in (32, 33, 34, 35):
        for value in obr.values(field):
            person = packed_person(scene, value, f"{at}resultsInterpreter[{len(made)}]")
            if person:
                made.append(person)
    return made


def packed_person(scene: Scene, value: Value, at: str) -> Resource | None:
    """The CNN of an NDL, or an XCN that stands in its place."""
    number, family = value.peek(1), value.peek(1, 2)
    if not family and value.peek(2):
        return practitioner(scene, value, at)
    own, middle = value.peek(1, 3), value.peek(1, 4)
    text = " ".join(part for part in (family, middle, own) if part)
    if not number and not text:
        return None
    if not number:
        for sub in (2, 3, 4):
            value.took(1, f"{at}.display", sub)
        return {"display": text}
    here = scene.at("Practitioner", number)
    value.took(1, f"{here}identifier[0].value")
    for sub in (2, 3, 4):
        value.took(1, f"{here}name[0]", sub)
    mark = {"system": scene.system("practitioner"), "value": number}
    name = {"text": text, "family": family, "given": [*middle.split(), *own.split()]}
    add_practitioner(scene, number, mark, pruned(name) if text else {})
    return {**scene.reference("Practitioner", number), "display": text}
