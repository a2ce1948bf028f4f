"""SCH with AIS, AIG, AIL and AIP to Appointment.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-sch-to-appointment.html
"""

from datetime import datetime, timedelta

from adapters.contract import Resource
from adapters.hl7v2.codes import TERMINOLOGY, code
from adapters.hl7v2.datatypes import absent, coded, coding_system, entity, is_local, practitioner, time
from adapters.hl7v2.map_note import annotation
from adapters.hl7v2.map_place import location
from adapters.hl7v2.numbers import positive
from adapters.hl7v2.read import Segment, Value
from adapters.hl7v2.scene import Scene, extension
from adapters.hl7v2.times import in_order, instant

_EVENTS = {"S15": "cancelled", "S16": "cancelled", "S17": "entered-in-error", "S26": "noshow"}
# R4 allows a reason with the status no-show too (app-4), a code that its own list spells noshow.
_ENDED = frozenset({"cancelled"})
_GOING = frozenset({"booked", "arrived", "fulfilled", "checked-in"})
_NOTE = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Appointment.note"
_SIGNED = frozenset({4, 5, 6, 9})
_CONTACTS = ((12, "placer contact"), (16, "filler contact"))
_ENTERER = {"system": f"{TERMINOLOGY}provenance-participant-type", "code": "enterer", "display": "Enterer"}
# The fields of each kind of resource row: what is booked, its type, its start, its length, its unit, its status.
_ROWS = {
    "AIS": (3, 0, 4, 7, 8, 10),
    "AIG": (3, 4, 8, 11, 12, 14),
    "AIL": (3, 4, 6, 9, 10, 12),
    "AIP": (3, 4, 6, 9, 10, 12),
}


def map_appointment(scene: Scene, sch: Segment) -> Resource:
    key = scene.key("Appointment", sch.peek(2) or sch.peek(1) or f"{scene.patient_key}@{scene.header.peek(10)}")
    at = scene.at("Appointment", key)
    status = _status(scene, sch, at)
    return scene.add(
        "Appointment",
        key,
        {
            "identifier": _numbers(scene, sch, at),
            "status": status,
            "cancelationReason": coded(scene, sch.value(6), f"{at}cancelationReason", "v2-0276")
            if status in _ENDED
            else None,
            "appointmentType": coded(scene, sch.value(8), f"{at}appointmentType", "v2-0277"),
            "reasonCode": [coded(scene, sch.value(7), f"{at}reasonCode[0]", "v2-0276")],
            **_times(scene, sch, at),
            "basedOn": _orders(scene, sch, at),
            "participant": [{"actor": scene.patient(), **_answer(status)}, *_contacts(scene, sch, at, status)],
        },
    )


def add_booked(scene: Scene, row: Segment, appointment: Resource) -> None:
    """A service, a thing, a place or a person of the appointment."""
    what, kind, start, length, unit, _ = _ROWS[row.name]
    if row.peek(2).upper() == "D":
        return
    if row.name == "AIS":
        _add_service(scene, row, appointment)
        return
    listed = appointment["participant"]
    at = f"Appointment/{appointment['id']}#participant[{len(listed)}]"
    actor = _actor(scene, row.value(what), f"{at}.actor", row.name)
    concept = coded(scene, row.value(kind), f"{at}.type[0]", "participant-type")
    if actor is None and concept is None:
        return
    begun = time(scene, row.value(start), f"{at}.period.start") or _offset(row, appointment, f"{at}.period.start")
    minutes = _minutes(row.value(length), row.value(unit), f"{at}.period.end") if begun else 0
    span = {"start": begun, "end": _later(begun, minutes)} if begun else {}
    entry = {"type": [concept], "actor": actor, "period": span, **_participation(row, at, appointment)}
    listed.append({name: value for name, value in entry.items() if value and value != [None]})


def add_comment(scene: Scene, nte: Segment, appointment: Resource) -> None:
    """NTE: comments of the whole appointment and of its rows are one text here; a signed one is kept as signed."""
    listed = list(appointment.get("extension", ()))
    at = f"Appointment/{appointment['id']}#extension[{len(listed)}].value"
    signed = annotation(scene, nte, at) if nte.says(_SIGNED) else None
    if signed:
        appointment["extension"] = [*listed, extension(_NOTE, valueAnnotation=signed)]
    lines = [value.take_text(f"Appointment/{appointment['id']}#comment") for value in nte.values(3)]
    said = [appointment.get("comment", ""), *lines]
    text = "\n".join(part for part in said if part)
    if text:
        appointment["comment"] = text


def _add_service(scene: Scene, ais: Segment, appointment: Resource) -> None:
    listed = appointment.setdefault("serviceType", [])
    concept = coded(scene, ais.value(3), f"Appointment/{appointment['id']}#serviceType[{len(listed)}]", "service")
    listed.extend([concept] if concept else [])
    if not listed:
        del appointment["serviceType"]
    at = f"Appointment/{appointment['id']}#"
    begun = _offset(ais, appointment, f"{at}start")
    if begun and "start" in appointment:
        ais.take(6, f"{at}start")
    said = code("v2-0278", ais.peek(10).upper())
    if said and said == appointment["status"]:
        ais.value(10).take_all(f"{at}status")
    if instant(ais.peek(4), scene.hospital.offset) == appointment.get("start") is not None:
        ais.take(4, f"{at}start")
    if ais.peek(7) and ais.peek(7) == str(appointment.get("minutesDuration")):
        _minutes(ais.value(7), ais.value(8), f"{at}minutesDuration")


def _actor(scene: Scene, value: Value, at: str, name: str) -> Resource | None:
    if name == "AIP":
        return practitioner(scene, value, at)
    if name == "AIL":
        return location(scene, value, at)
    number, title = value.take(1, f"{at}.identifier.value"), value.take(2, f"{at}.display")
    listed = value.take(3, f"{at}.identifier.system") if number else ""
    known = listed and not is_local(listed)
    mark = {"system": coding_system(scene, listed if known else "resource"), "value": number} if number else None
    return {"identifier": mark, "display": title} if mark or title else None


def _status(scene: Scene, sch: Segment, at: str) -> str:
    """What the filler says; else what the event says: an appointment that is announced is booked."""
    said = code("v2-0278", sch.peek(25).upper())
    if said:
        sch.value(25).take_all(f"{at}status")
    elif sch.peek(25):
        sch.notice(25, "the status of the appointment is not known")
    return _EVENTS.get(scene.event.trigger, "") or said or "booked"


def _answer(status: str) -> Resource:
    """The answer of who takes part: said for what goes on, unknown for what was called off."""
    return {"status": "accepted"} if status in _GOING else {"_status": absent()}


def _offset(row: Segment, appointment: Resource, target: str) -> str | None:
    """A start said as so long after that of the appointment: the two fields after the start."""
    start = _ROWS[row.name][2]
    minutes = _minutes(row.value(start + 1), row.value(start + 2), target) if not row.value(start) else 0
    return _later(appointment.get("start"), minutes)


def _participation(row: Segment, at: str, appointment: Resource) -> Resource:
    field = _ROWS[row.name][5]
    said = code("participation", row.peek(field).upper())
    if said:
        row.value(field).take_all(f"{at}.status")
        return {"status": said}
    return _answer(appointment["status"])


def _numbers(scene: Scene, sch: Segment, at: str) -> list[Resource]:
    made: list[Resource] = []
    for field, kind in ((1, "PLAC"), (2, "FILL")):
        number = entity(scene, sch.value(field), f"{at}identifier[{len(made)}]", scene.system("order"))
        if number:
            made.append({"type": {"coding": [{"system": f"{TERMINOLOGY}v2-0203", "code": kind}]}, **number})
    return made


def _orders(scene: Scene, sch: Segment, at: str) -> list[Resource]:
    """The orders it answers, by number: they came in messages of their own."""
    made: list[Resource] = []
    for value in (*sch.values(26), *sch.values(27)):
        number = entity(scene, value, f"{at}basedOn[{len(made)}].identifier", scene.system("order"))
        made.extend([{"type": "ServiceRequest", "identifier": number}] if number else [])
    return made


def _contacts(scene: Scene, sch: Segment, at: str, status: str) -> list[Resource]:
    made: list[Resource] = []
    roles = [(field, {"text": role}) for field, role in _CONTACTS] + [(20, {"coding": [_ENTERER]})]
    for field, role in roles:
        for value in sch.values(field):
            person = practitioner(scene, value, f"{at}participant[{len(made) + 1}].actor")
            made.extend([{"type": [role], "actor": person, **_answer(status)}] if person else [])
    return made


def _times(scene: Scene, sch: Segment, at: str) -> Resource:
    """Start and end, both or neither (app-2); a booked one whose end nobody says has an end that is unknown.

    TQ1 took the place of SCH-11 in version 2.5: of the two it is the one that is kept up.
    """
    timings = [row for row in scene.segments if row.name == "TQ1"]
    starts = [*((row.value(7), 1) for row in timings), (sch.value(11), 4)]
    starts += [(row.value(_ROWS[row.name][2]), 1) for row in scene.segments if row.name in _ROWS]
    start = next((moment for value, part in starts if (moment := _instant(scene, value, part, f"{at}start"))), None)
    minutes = _minutes(sch.value(9), sch.value(10), f"{at}minutesDuration") or _length(scene, at)
    length = {"minutesDuration": minutes} if minutes else {}
    if start is None:
        return {**length, "_start": absent(), "_end": absent()}
    ends = [*((row.value(8), 1) for row in timings), (sch.value(11), 5)]
    end = next((moment for value, part in ends if (moment := _instant(scene, value, part, f"{at}end"))), None)
    if end and not in_order(start, end):
        sch.notice(11, "the end is before the start")
        end = None
    end = end or _later(start, minutes)
    return {**length, "start": start, **({"end": end} if end else {"_end": absent()})}


def _instant(scene: Scene, value: Value, component: int, target: str) -> str | None:
    moment = instant(value.peek(component), scene.hospital.offset) if value.peek(component) else None
    if moment:
        value.took(component, target)
    return moment


def _length(scene: Scene, at: str) -> int:
    """How long the first row that says it takes."""
    for row in scene.segments:
        fields = _ROWS.get(row.name)
        if fields and row.peek(fields[3]):
            return _minutes(row.value(fields[3]), row.value(fields[4]), f"{at}minutesDuration")
    return 0


def _minutes(length: Value, unit: Value, target: str) -> int:
    """The length in minutes; 0 when it is none, or in a unit that is neither minutes nor hours."""
    count = positive(length.peek())
    said = unit.peek().casefold()
    factor = (
        60 if said in ("h", "hr", "hour", "giờ") else 1 if said in ("", "m", "min", "minute", "minutes", "phút") else 0
    )
    if not count or not factor or count > 100_000:
        return 0
    length.took(1, target)
    unit.take_all(target)
    return count * factor


def _later(start: str | None, minutes: int) -> str | None:
    if not start or "T" not in start or not minutes:
        return None
    try:
        return (datetime.fromisoformat(start) + timedelta(minutes=minutes)).isoformat()
    except OverflowError:
        return None
