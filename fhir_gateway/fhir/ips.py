"""The International Patient Summary: its sections as data, and the Composition that holds them.

https://hl7.org/fhir/uv/ips/STU1.1/StructureDefinition-Composition-uv-ips.html

A required section without a record holds one that says that nothing is known, which every version of the guide allows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from fhir_gateway.fhir.resource import Resource, reference

LOINC = "http://loinc.org"
ABSENT = "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips"
PROFILE = "http://hl7.org/fhir/uv/ips/StructureDefinition/Bundle-uv-ips"
COMPOSITION = "http://hl7.org/fhir/uv/ips/StructureDefinition/Composition-uv-ips"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
ABSENT_REASON = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/"

Element = dict[str, Any]
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """``sources`` are the searches that fill it; ``absent`` is the code for knowing nothing, empty if optional."""

    title: str
    code: str
    display: str
    sources: tuple[tuple[str, Pairs], ...]
    absent: str = ""


SECTIONS = (
    Section(
        "Dị ứng",
        "48765-2",
        "Allergies and adverse reactions Document",
        (("AllergyIntolerance", ()),),
        "no-allergy-info",
    ),
    Section(
        "Thuốc",
        "10160-0",
        "History of Medication use Narrative",
        (("MedicationStatement", ()), ("MedicationRequest", ())),
        "no-medication-info",
    ),
    Section("Vấn đề sức khỏe", "11450-4", "Problem list - Reported", (("Condition", ()),), "no-problem-info"),
    Section("Tiêm chủng", "11369-6", "History of Immunization note", (("Immunization", ()),)),
    Section("Thủ thuật, phẫu thuật", "47519-4", "History of Procedures Document", (("Procedure", ()),)),
    Section(
        "Kết quả",
        "30954-2",
        "Relevant diagnostic tests/laboratory data note",
        (("Observation", (("category", f"{CATEGORY}|laboratory"),)), ("DiagnosticReport", ())),
    ),
    Section(
        "Dấu hiệu sinh tồn",
        "8716-3",
        "Vital signs note",
        (("Observation", (("category", f"{CATEGORY}|vital-signs"),)),),
    ),
)


def section(of: Section, entries: Sequence[Resource], more: int = 0) -> Element:
    """A section with its narrative; ``more`` records are there that it leaves out, and says so."""
    code = {"coding": [{"system": LOINC, "code": of.code, "display": of.display}]}
    cited = [{"reference": reference(one)} for one in entries]
    return {"title": of.title, "code": code, "text": narrative(of.title, entries, more), "entry": cited}


def narrative(title: str, entries: Sequence[Resource], more: int = 0) -> Element:
    rows = "".join(f"<tr><td>{escape(_said(one))}</td><td>{escape(_when(one))}</td></tr>" for one in entries)
    rest = f"<p>… và {more} mục khác không liệt kê</p>" if more else ""
    table = f"<table><tbody>{rows}</tbody></table>" if rows else ""
    div = f'<div xmlns="http://www.w3.org/1999/xhtml"><p><b>{escape(title)}</b></p>{table}{rest}</div>'
    return {"status": "generated", "div": div}


def composition(identity: str, subject: str, author: str, date: str, sections: Sequence[Element]) -> Resource:
    """The first entry of a summary; ``identity`` is a UUID."""
    return {
        "resourceType": "Composition",
        "id": identity,
        "meta": {"profile": [COMPOSITION]},
        "status": "final",
        "type": {"coding": [{"system": LOINC, "code": "60591-5", "display": "Patient summary Document"}]},
        "subject": {"reference": subject},
        "date": date,
        "author": [{"reference": author}],
        "title": "Tóm tắt hồ sơ người bệnh",
        "section": list(sections),
    }


def unknown(of: Section, identity: str, patient: str) -> Resource:
    """The record that says that nothing is known about a required section."""
    concept = {"coding": [{"system": ABSENT, "code": of.absent}], "text": "Không có thông tin"}
    subject = {"reference": patient}
    made = {"resourceType": of.sources[0][0], "id": identity}
    if of.absent == "no-medication-info":
        reason = {"extension": [{"url": ABSENT_REASON, "valueCode": "unknown"}]}
        facts = {"status": "unknown", "medicationCodeableConcept": concept, "subject": subject}
        return {**made, **facts, "_effectiveDateTime": reason}
    if of.absent == "no-allergy-info":
        return {**made, "clinicalStatus": _active("allergyintolerance-clinical"), "code": concept, "patient": subject}
    return {**made, "clinicalStatus": _active("condition-clinical"), "code": concept, "subject": subject}


def _active(system: str) -> Element:
    return {"coding": [{"system": f"{_CLINICAL}{system}", "code": "active"}]}


def _said(resource: Mapping[str, Any]) -> str:
    """What the record is about, and the value it gives, as a line of text."""
    names = ("code", "vaccineCode", "medicationCodeableConcept", "medicationReference")
    found: Any = next((resource[name] for name in names if name in resource), {})
    quantity = resource.get("valueQuantity", {})
    amount = f"{quantity.get('value', '')} {quantity.get('unit', '')}".strip()
    amount = amount or _concept(resource.get("valueCodeableConcept")) or str(resource.get("valueString", ""))
    components = ", ".join(_said(one) for one in resource.get("component", ()))
    return ": ".join(part for part in (_concept(found), amount or components) if part) or "—"


def _concept(concept: Any) -> str:
    if not isinstance(concept, dict):
        return ""
    coding: Element = next(iter(concept.get("coding", ())), {})
    return str(concept.get("text") or coding.get("display") or coding.get("code") or concept.get("display") or "")


_WHEN = ("effectiveDateTime", "performedDateTime", "occurrenceDateTime", "authoredOn", "onsetDateTime", "recordedDate",
         "issued", "dateAsserted")  # fmt: skip


def _when(resource: Mapping[str, Any]) -> str:
    period = resource.get("effectivePeriod") or resource.get("performedPeriod") or {}
    return str(next((resource[name] for name in _WHEN if name in resource), period.get("start", "")))
