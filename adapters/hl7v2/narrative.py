"""The sections of a referral note, in Vietnamese, each with its text and the resources it cites.

https://hl7.org/fhir/R4/composition-definitions.html#Composition.section
"""

from collections.abc import Callable
from html import escape

from adapters.contract import Resource

_SECTIONS = (
    ("Lý do chuyển", "42349-1", "Reason for referral (narrative)", ("ServiceRequest",)),
    ("Chẩn đoán", "29548-5", "Diagnosis Narrative", ("Condition",)),
    ("Kết quả cận lâm sàng", "30954-2", "Relevant diagnostic tests/laboratory data Narrative", ("Observation",)),
    ("Phương pháp đã điều trị", "47519-4", "History of Procedures Document", ("Procedure",)),
    ("Dị ứng", "48765-2", "Allergies and adverse reactions Document", ("AllergyIntolerance",)),
)


def sections(request: Resource, made: Callable[[str], list[Resource]]) -> list[Resource]:
    """The sections that have something to say. The request's own words open the note."""
    listed: list[Resource] = []
    for title, code, display, types in _SECTIONS:
        cited = [request] if types == ("ServiceRequest",) else [one for kind in types for one in made(kind)]
        lines = [line for resource in cited for line in _lines(resource)]
        if lines:
            loinc = {"system": "http://loinc.org", "code": code, "display": display}
            listed.append(
                {
                    "title": title,
                    "code": {"coding": [loinc]},
                    "text": {"status": "generated", "div": _div(lines)},
                    "entry": [{"reference": f"urn:uuid:{resource['id']}"} for resource in cited],
                }
            )
    return listed


def _div(lines: list[str]) -> str:
    items = "".join(f"<li>{escape(line, quote=False).replace(chr(10), '<br/>')}</li>" for line in lines)
    return f'<div xmlns="http://www.w3.org/1999/xhtml"><ul>{items}</ul></div>'


def _lines(resource: Resource) -> list[str]:
    if resource["resourceType"] == "ServiceRequest":
        reasons = [_words(reason) for reason in resource.get("reasonCode", ())]
        return [line for line in (*reasons, *[note["text"] for note in resource.get("note", ())]) if line]
    name = _words(resource.get("code", {}))
    result = _result(resource)
    return [f"{name}: {result}" if result else name] if name or result else []


def _words(concept: Resource) -> str:
    codings = concept.get("coding", [])
    text = concept.get("text") or next((coding["display"] for coding in codings if coding.get("display")), "")
    code = codings[0].get("code", "") if codings else ""
    return f"{text} ({code})" if code and text and code != text else str(text or code)


def _result(observation: Resource) -> str:
    quantity = observation.get("valueQuantity")
    if quantity:
        parts = (quantity.get("comparator", ""), str(quantity["value"]), " " + quantity.get("unit", ""))
        return "".join(parts).strip()
    concept = observation.get("valueCodeableConcept")
    return _words(concept) if concept else str(observation.get("valueString", ""))
