"""Secret categories: what in a record reveals HIV, addiction, mental illness, abuse, reproduction, genes, transplants.

https://hl7.org/fhir/R4/security-labels.html

Each resource that does gets ``meta.security``: R (restricted) and the category of HL7's information sensitivity policy.
What reveals is a table: ICD-10 prefixes, exact codes, words (``categories/*.csv``). A label passes on to what cites the
labelled record and, from a diagnosis, to the visit and its narratives. A label is never taken away.
"""

import csv
import re
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files

from fhir_gateway.fhir.reference import references
from fhir_gateway.fhir.resource import Resource

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
RESTRICTED = {"system": CONFIDENTIALITY, "code": "R", "display": "restricted"}
#: Restricted and very restricted.
SECRET = frozenset({"R", "V"})
#: Where a record says what it is about.
TELLING = ("code", "medicationCodeableConcept", "reasonCode", "valueCodeableConcept", "vaccineCode", "conclusionCode")
#: Who takes part, and where, is no secret by itself.
NEUTRAL = frozenset(
    {"Patient", "RelatedPerson", "Practitioner", "PractitionerRole", "Organization", "Location", "Coverage", "Specimen"}
)
#: What is written in words about a whole visit.
NARRATIVE = frozenset(
    {"Encounter", "Composition", "ClinicalImpression", "CarePlan", "Appointment", "DocumentReference"}
)


def _table(name: str) -> list[dict[str, str]]:
    text = (files("fhir_gateway.security") / "categories" / f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


DISPLAYS = {row["label"]: row["display"] for row in _table("labels")}
PREFIXES = tuple((row["prefix"], row["label"]) for row in _table("diagnoses"))
CODES = {(row["system"], row["code"]): row["label"] for row in _table("codes")}
WORDS = tuple((re.compile(row["pattern"], re.IGNORECASE), row["label"]) for row in _table("words"))
ANY_WORD = re.compile("|".join(row["pattern"] for row in _table("words")), re.IGNORECASE)
REMEMBERED = 8192


def label(bundle: Resource) -> None:
    """Label the resources of a Bundle that reveal a secret, in place."""
    resources = {
        entry.get("fullUrl", ""): entry["resource"] for entry in bundle.get("entry", ()) if "resource" in entry
    }
    found = {url: labels for url, resource in resources.items() if (labels := revealed(resource))}
    if not found:
        return
    visits = _visits(resources, found)
    for url, resource in resources.items():
        if resource["resourceType"] not in NEUTRAL:
            mark(resource, found.get(url, set()) | _passed_on(url, resource, found, visits))


def revealed(resource: Resource) -> set[str]:
    """The categories that the codes and words of one resource reveal, with those it is labelled with already."""
    if resource["resourceType"] in NEUTRAL:
        return set()
    labels = {mark["code"] for mark in resource.get("meta", {}).get("security", ()) if mark.get("code") in DISPLAYS}
    for concept in _concepts(resource):
        labels |= _of_text(concept.get("text", ""))
        for coding in concept.get("coding", ()):
            labels |= _of_code(coding.get("system", ""), coding.get("code", "")) | _of_text(coding.get("display", ""))
    return labels


def mark(resource: Resource, labels: set[str]) -> None:
    """Add the labels that are not there yet; a confidentiality that the sender stated stays."""
    meta = resource.get("meta", {})
    there = list(meta.get("security", ()))
    codes = {row.get("code") for row in there}
    new = [{"system": ACT_CODE, "code": code, "display": DISPLAYS[code]} for code in sorted(labels - codes)]
    if not new:
        return
    stated = any(row.get("system") == CONFIDENTIALITY for row in there)
    resource["meta"] = {**meta, "security": [*([] if stated else [dict(RESTRICTED)]), *there, *new]}


def is_restricted(resource: Resource) -> bool:
    """Whether a resource carries a category of this table."""
    return any(row.get("code") in DISPLAYS for row in resource.get("meta", {}).get("security", ()))


def is_secret(resource: Resource) -> bool:
    """Whether a record is to be seen by its own hospital alone: restricted, or holding something that is."""
    marks = resource.get("meta", {}).get("security", ())
    if any(mark.get("code") in DISPLAYS or _is_confidential(mark) for mark in marks):
        return True
    if resource["resourceType"] != "Bundle":
        return False
    return any(is_secret(entry["resource"]) for entry in resource.get("entry", ()) if "resource" in entry)


def _is_confidential(mark: Resource) -> bool:
    return mark.get("code") in SECRET and str(mark.get("system", "")).endswith("Confidentiality")


def _concepts(resource: Resource) -> Iterator[Resource]:
    for part in (resource, *resource.get("component", ())):
        for name in TELLING:
            value = part.get(name)
            if value is not None:
                yield from value if isinstance(value, list) else (value,)


@lru_cache(maxsize=REMEMBERED)
def _of_code(system: str, code: str) -> frozenset[str]:
    exact = CODES.get((system, code))
    if exact:
        return frozenset({exact})
    plain = system.lower().replace("-", "")
    if "icd10" not in plain or "pcs" in plain:
        return frozenset()
    bare = code.upper().replace(".", "")
    return _most_telling({(prefix, of) for prefix, of in PREFIXES if bare.startswith(prefix)})


def _most_telling(met: set[tuple[str, str]]) -> frozenset[str]:
    """Addiction is a chapter of mental illness: F11 is told as addiction alone, F64 as both of what it stands for."""
    labels = {of for _, of in met}
    return frozenset(labels - {"PSY"} if {"SUD", "PSY"} <= labels else labels)


@lru_cache(maxsize=REMEMBERED)
def _of_text(text: str) -> frozenset[str]:
    if not text or not ANY_WORD.search(text):
        return frozenset()
    return frozenset(of for pattern, of in WORDS if pattern.search(text))


def _visits(resources: dict[str, Resource], found: dict[str, set[str]]) -> dict[str, set[str]]:
    """Visits whose diagnosis, or own reason, is secret."""
    visits: dict[str, set[str]] = {}
    for url, labels in found.items():
        kind = resources[url]["resourceType"]
        visit = url if kind == "Encounter" else _visit_of(resources[url]) if kind == "Condition" else ""
        if visit:
            visits.setdefault(visit, set()).update(labels)
    return visits


def _visit_of(resource: Resource) -> str:
    link = resource.get("encounter") or resource.get("context") or {}
    return str(link.get("reference", "")) if isinstance(link, dict) else ""


def _passed_on(url: str, resource: Resource, found: dict[str, set[str]], visits: dict[str, set[str]]) -> set[str]:
    labels: set[str] = set()
    if resource["resourceType"] in NARRATIVE:
        labels |= visits.get(url, set()) | visits.get(_visit_of(resource), set())
    for link in references(resource):
        if link.target not in visits:
            labels |= found.get(link.target, set())
    return labels
