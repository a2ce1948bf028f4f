"""Patients, staff and stays: what every row hangs on.

https://hl7.org/fhir/R4/patient.html
"""

import re
from collections.abc import Callable, Mapping

from adapters.contract import Hospital, Resource
from adapters.draft import pruned
from adapters.tabular.line import Line

IDENTIFIER_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CORE = "http://fhir.hl7.org.vn/core/StructureDefinition"
_CARD = re.compile(r"[A-Z]{2}[0-9A-Z]\d{12}")


def map_patient(line: Line) -> None:
    """A row of patients."""
    number = line.peek("number")
    line.target = f"Patient/{line.export.draft.id('Patient', number)}"
    marks = [_mark(line, "number", "identifier[0].value")]
    for field in ("citizen", "insurance"):
        if line.peek(field):
            marks.append(_mark(line, field, f"identifier[{len(marks)}].value"))
    elements: Resource = {
        "extension": _extensions(line),
        "identifier": marks,
        "name": [human_name(line.text("name", "name[0].text"))],
        "telecom": _telecom(line),
        "gender": line.known("sex", "gender"),
        "birthDate": line.day("birth_date", "birthDate"),
        **_death(line),
        "address": [{"use": "home", "text": text} for text in [line.text("address", "address[0].text")] if text],
        "managingOrganization": facility(line),
    }
    line.export.draft.add("Patient", number, elements)


def _mark(line: Line, field: str, path: str) -> Resource:
    value = line.text(field, path)
    return identifier(line.hospital, _SORTS[field](value), value)


def _citizen(value: str) -> str:
    digits = value.isascii() and value.isdigit()
    return {12: "cccd", 9: "cmnd"}.get(len(value), "passport") if digits else "passport"


def _insurance(value: str) -> str:
    return "bhxh" if len(value) == 10 and value.isdigit() else "bhyt"


_SORTS: Mapping[str, Callable[[str], str]] = {
    "number": lambda _: "mrn",
    "citizen": _citizen,
    "insurance": _insurance,
}


def identifier(hospital: Hospital, sort: str, value: str) -> Resource:
    """A number with the system, type and use of its sort."""
    kind = {"mrn": "MR", "cccd": "NI", "cmnd": "NI", "passport": "PPN"}.get(sort, "NIIP")
    use = {"mrn": "usual", "cccd": "official"}.get(sort, "secondary")
    coding = [{"system": IDENTIFIER_TYPE, "code": kind}]
    return {"use": use, "type": {"coding": coding}, "system": hospital.systems[sort], "value": value}


def human_name(text: str) -> Resource:
    """The name as written; family and given are a guess: first word, and the rest."""
    words = text.split()
    return {"text": text, "family": words[0], "given": words[1:]} if words else {}


def _telecom(line: Line) -> list[Resource]:
    made: list[Resource] = []
    for field in ("phone", "email"):
        value = line.text(field, f"telecom[{len(made)}].value")
        if value:
            made.append({"system": field, "value": value})
    return made


def _death(line: Line) -> Resource:
    when = line.moment("deceased_at", "deceasedDateTime")
    said = line.yes("deceased", "deceasedDateTime" if when else "deceasedBoolean")
    return {"deceasedDateTime": when} if when else {"deceasedBoolean": said} if said is not None else {}


def _extensions(line: Line) -> list[Resource]:
    made: list[Resource] = []
    for field in ("ethnicity", "occupation"):
        concept = line.concept(field, "", f"extension[{len(made)}].valueCodeableConcept")
        if concept:
            if field == "ethnicity":
                concept["coding"][0]["system"] = line.hospital.systems["ethnicity"]
            made.append({"url": f"{CORE}/vn-ext-{field}", "valueCodeableConcept": concept})
    return made


def facility(line: Line) -> Resource:
    """The hospital itself, as an Organization of the Bundle."""
    hospital, draft = line.hospital, line.export.draft
    key = f"facility:{hospital.facility_code}"
    if not draft.has("Organization", key):
        mark = {"system": hospital.systems["facility"], "value": hospital.facility_code}
        draft.add("Organization", key, {"identifier": [mark], "name": hospital.title})
    return draft.reference("Organization", key)


def subject(line: Line, path: str = "subject") -> Resource:
    """Whose row it is; the patient of that number is in the Bundle, with the number alone where no row says more."""
    number, draft = line.text("patient", path), line.export.draft
    if not draft.has("Patient", number):
        draft.add("Patient", number, {"identifier": [identifier(line.hospital, "mrn", number)]})
    return draft.reference("Patient", number)


def stay(line: Line) -> Resource | None:
    """The visit a row names; its own details come with the rows of visits."""
    number, draft = line.text("visit", "encounter"), line.export.draft
    if not number:
        return None
    if not draft.has("Encounter", number):
        draft.add("Encounter", number, {
            "identifier": [{"system": line.hospital.systems["visit"], "value": number}],
            "status": "unknown",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": "UNK"},
            "subject": subject(line),
            "serviceProvider": facility(line),
        })  # fmt: skip
    return draft.reference("Encounter", number)


def doctor(line: Line, path: str) -> Resource | None:
    """Who did it: a Practitioner by number, else the name alone."""
    number = line.peek("doctor")
    name = line.text("doctor_name", f"{path}.display")
    if not number:
        return {"display": name} if name else None
    line.text("doctor", path)
    draft = line.export.draft
    if not draft.has("Practitioner", number) or name:
        mark = {"system": line.hospital.systems["practitioner"], "value": number}
        draft.add("Practitioner", number, {"identifier": [mark], "name": [human_name(name)]})
    return draft.reference("Practitioner", number, name or None)


def map_encounter(line: Line) -> None:
    """A row of visits."""
    number = line.peek("number")
    line.target = f"Encounter/{line.export.draft.id('Encounter', number)}"
    start, end = line.moment("start", "period.start"), line.moment("end", "period.end")
    kind = line.known("class", "class")
    who = doctor(line, "participant[0].individual")
    department, discharge = _department(line), line.concept("discharge", "", "hospitalization.dischargeDisposition")
    reason = line.text("reason", "reasonCode[0].text")
    elements: Resource = {
        "identifier": [{"system": line.hospital.systems["visit"], "value": line.text("number", "identifier[0].value")}],
        "status": "finished" if end else "in-progress" if start else "unknown",
        "class": {"system": ACT_CODE, "code": kind} if kind else _unknown_class(),
        "subject": subject(line),
        "participant": [{"individual": who}] if who else [],
        "period": period(line, start, end, "end"),
        "reasonCode": [{"text": reason}] if reason else [],
        "hospitalization": {"dischargeDisposition": discharge},
        "location": [{"location": department}] if department else [],
        "serviceProvider": facility(line),
    }
    line.export.draft.add("Encounter", number, elements)


def _unknown_class() -> Resource:
    return {"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": "UNK"}


def _department(line: Line) -> Resource | None:
    code = line.peek("department")
    if not code:
        return None
    concept = line.concept("department", "", "location[0].location")
    key = f"department:{code}"
    mark = {"system": concept["coding"][0]["system"], "value": code}
    line.export.draft.add("Location", key, {
        "identifier": [mark], "name": concept["text"], "managingOrganization": facility(line),
    })  # fmt: skip
    return line.export.draft.reference("Location", key)


def period(line: Line, start: str | None, end: str | None, field: str) -> Resource:
    """A Period that does not end before it starts; an end that does is told and left out."""
    if start and end and end[: len(start)] < start[: len(end)]:
        for column, _ in line.fields(field):
            line.note(column, "ends before it starts; the end is not kept in the period")
        return {"start": start}
    return pruned({"start": start, "end": end}) or {}
