"""Diagnoses, medicines, procedures, allergies and documents of an export.

https://hl7.org/fhir/R4/clinicalsummary-module.html
"""

from base64 import b64encode

from adapters.contract import Resource
from adapters.tabular.line import Line
from adapters.tabular.map_people import doctor, facility, period, stay, subject
from adapters.tabular.numbers import quantity

_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_ALLERGY_CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"


def begin(line: Line, kind: str, *parts: str) -> str:
    """The row's local key, its resource as the target of its fields."""
    key = line.key(line.peek("patient"), line.peek("visit"), *parts)
    line.target = f"{kind}/{line.export.draft.id(kind, key)}"
    return key


def marks(line: Line, sort: str = "order") -> list[Resource]:
    """The row's own number as an identifier."""
    number = line.text("number", "identifier[0].value")
    return [{"system": line.hospital.systems[sort], "value": number}] if number else []


def notes(line: Line) -> list[Resource]:
    text = line.text("note", "note[0].text")
    return [{"text": text}] if text else []


def map_condition(line: Line) -> None:
    """A row of diagnoses."""
    key = begin(line, "Condition", line.peek("code"))
    abated = line.moment("abated", "abatementDateTime")
    visit = stay(line)
    kind = "encounter-diagnosis" if visit else "problem-list-item"
    status = "resolved" if abated else "active"
    line.export.draft.add("Condition", key, {
        "identifier": marks(line, "document"),
        "clinicalStatus": {"coding": [{"system": _CLINICAL, "code": status}]},
        "category": [{"coding": [{"system": _CATEGORY, "code": kind}]}],
        "code": line.concept("code", "name", "code"),
        "subject": subject(line),
        "encounter": visit,
        "onsetDateTime": line.moment("onset", "onsetDateTime"),
        "abatementDateTime": abated,
        "recordedDate": line.moment("recorded", "recordedDate"),
        "recorder": doctor(line, "recorder"),
        "note": notes(line),
    })  # fmt: skip


def map_medication(line: Line) -> None:
    """A row of prescriptions."""
    key = begin(line, "MedicationRequest", line.peek("code") or line.peek("name"))
    start, end = line.moment("start", _BOUNDS + "start"), line.moment("end", _BOUNDS + "end")
    bounds = period(line, start, end, "end")
    dose, route = line.text("dose", "dosageInstruction[0].text"), line.concept("route", "", _ROUTE)
    dosage = {"text": dose, "timing": {"repeat": {"boundsPeriod": bounds}} if bounds else {}, "route": route}
    line.export.draft.add("MedicationRequest", key, {
        "identifier": marks(line),
        "status": "unknown",
        "intent": "order",
        "medicationCodeableConcept": line.concept("code", "name", "medicationCodeableConcept"),
        "subject": subject(line),
        "encounter": stay(line),
        "authoredOn": line.moment("ordered", "authoredOn"),
        "requester": doctor(line, "requester"),
        "note": notes(line),
        "dosageInstruction": [dosage],
        "dispenseRequest": {"quantity": _amount(line)},
    })  # fmt: skip


_BOUNDS = "dosageInstruction[0].timing.repeat.boundsPeriod."
_ROUTE = "dosageInstruction[0].route"


def _amount(line: Line) -> Resource:
    for column, cell in line.fields("amount"):
        found = line.number(column, cell)
        # A SimpleQuantity has no comparator.
        if found is None or found[0]:
            line.note(column, "not an unambiguous number; left unmapped")
            return {}
        line.took(column, "dispenseRequest.quantity.value")
        unit = line.text("unit", "dispenseRequest.quantity.unit") or column.unit
        return quantity(("", found[1]["value"]), unit)
    return {}


def map_procedure(line: Line) -> None:
    """A row of procedures."""
    key = begin(line, "Procedure", line.peek("code") or line.peek("name"))
    start, end = line.moment("start", "performedPeriod.start"), line.moment("end", "performedPeriod.end")
    who = doctor(line, "performer[0].actor")
    line.export.draft.add("Procedure", key, {
        "identifier": marks(line),
        "status": "completed" if end or start else "unknown",
        "code": line.concept("code", "name", "code"),
        "subject": subject(line),
        "encounter": stay(line),
        "performedPeriod": period(line, start, end, "end"),
        "performer": [{"actor": who}] if who else [],
        "outcome": line.concept("outcome", "", "outcome"),
        "note": notes(line),
    })  # fmt: skip


def map_allergy(line: Line) -> None:
    """A row of allergies."""
    key = begin(line, "AllergyIntolerance", line.peek("code") or line.peek("name"))
    line.export.draft.add("AllergyIntolerance", key, {
        "identifier": marks(line, "document"),
        "clinicalStatus": {"coding": [{"system": _ALLERGY_CLINICAL, "code": "active"}]},
        "code": line.concept("code", "name", "code"),
        "patient": subject(line, "patient"),
        "encounter": stay(line),
        "recordedDate": line.moment("recorded", "recordedDate"),
        "recorder": doctor(line, "recorder"),
        "note": notes(line),
        "reaction": _reaction(line),
    })  # fmt: skip


def _reaction(line: Line) -> list[Resource]:
    text = line.text("reaction", "reaction[0].manifestation[0].text")
    if not text:
        return []
    return [{"manifestation": [{"text": text}], "severity": line.known("severity", "reaction[0].severity")}]


def map_document(line: Line) -> None:
    """A row of documents: the text as it is."""
    key = begin(line, "DocumentReference")
    text = line.text("text", "content[0].attachment.data").encode()
    who, visit = doctor(line, "author[0]"), stay(line)
    line.export.draft.add("DocumentReference", key, {
        "identifier": marks(line, "document"),
        "status": "current",
        "type": line.concept("type", "", "type"),
        "subject": subject(line),
        "date": _instant(line),
        "author": [who] if who else [],
        "custodian": facility(line),
        "content": [{"attachment": {
            "contentType": "text/plain; charset=utf-8",
            "data": b64encode(text).decode(),
            "size": len(text),
            "title": line.text("title", "content[0].attachment.title"),
        }}],
        "context": {"encounter": [visit] if visit else []},
    })  # fmt: skip


def _instant(line: Line) -> str | None:
    """The date of a document is an instant: a day alone is not turned into one."""
    found = line.moment("date", "date")
    if found and "T" not in found:
        column = line.fields("date")[0][0]
        line.took(column, "content[0].attachment.creation")
        line.note(column, "a day without a time: kept as the day the text was made")
        return None
    return found
