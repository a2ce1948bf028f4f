"""The Person resource: one human, the patients that hospitals know it by, and why each is believed to be it.

https://hl7.org/fhir/R4/person.html
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID, uuid5

from fhir_gateway.fhir.resource import Resource
from fhir_gateway.identity.compare import Verdict

EVIDENCE = "urn:vn:quang-ninh:fhir-gateway:link-evidence"
KEPT_APART = "urn:vn:quang-ninh:fhir-gateway:kept-apart"
NAMESPACE = UUID("b4f1f0a4-5d0b-5b5e-9a43-3f2a86a3a0c7")


def born(patient_reference: str, patient: Mapping[str, Any], distinction: str = "") -> Resource:
    """A Person known from one patient record only."""
    person: Resource = {
        "resourceType": "Person",
        "id": str(uuid5(NAMESPACE, f"{patient_reference}|{distinction}")),
        "active": True,
    }
    for element in ("name", "gender", "birthDate"):
        if element in patient:
            person[element] = patient[element]
    return person


def linked(person: Resource, target: str, verdict: Verdict) -> Resource:
    """The Person with a link to ``target`` (Patient or Person), replacing an earlier one to the same."""
    link = {
        "extension": [{"url": EVIDENCE, "valueString": verdict.evidence.text}],
        "target": {"reference": target},
        "assurance": verdict.assurance,
    }
    return {**person, "link": [*(row for row in person.get("link", ()) if _target(row) != target), link]}


def unlinked(person: Resource, target: str) -> Resource:
    """The Person without that link and with the note that these two are different people."""
    apart = {"url": KEPT_APART, "valueReference": {"reference": target}}
    rest = [row for row in person.get("link", ()) if _target(row) != target]
    changed = {**person, "link": rest, "extension": [*person.get("extension", ()), apart]}
    return changed if rest else {name: value for name, value in changed.items() if name != "link"}


def numbered(person: Resource, numbers: Iterable[tuple[str, str]]) -> Resource:
    """The Person with those identifying numbers, each once."""
    known = {(i.get("system"), i.get("value")) for i in person.get("identifier", ())}
    fresh = [{"system": s, "value": v} for s, v in numbers if (s, v) not in known]
    return {**person, "identifier": [*person.get("identifier", ()), *fresh]} if fresh else person


def named(person: Resource, patient: Mapping[str, Any]) -> Resource:
    """The Person under its own name, once a newborn known by its mother's has one."""
    own = [name for name in patient.get("name", ()) if name.get("use") != "temp"]
    borrowed = all(name.get("use") == "temp" for name in person.get("name", ()))
    return {**person, "name": own} if own and borrowed else person


def patients(person: Mapping[str, Any]) -> list[str]:
    """The patient records that are this human with certainty (level3 and level4)."""
    rows = [row for row in person.get("link", ()) if row.get("assurance") in ("level3", "level4")]
    return [_target(row) for row in rows if _target(row).startswith("Patient/")]


def is_apart(person: Mapping[str, Any], target: str) -> bool:
    """Whether someone decided that ``target`` is not this human."""
    notes = [e for e in person.get("extension", ()) if e.get("url") == KEPT_APART]
    return any(note["valueReference"]["reference"] == target for note in notes)


def _target(row: Mapping[str, Any]) -> str:
    return str(row["target"]["reference"])
