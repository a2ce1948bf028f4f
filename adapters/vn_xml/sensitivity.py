"""Secret categories: which codes and drugs reveal HIV, addiction or mental illness, and the label that says so.

https://hl7.org/fhir/R4/security-labels.html
"""

from functools import lru_cache

from adapters.contract import Resource
from adapters.vn_xml.codes import ACT_CODE
from adapters.vn_xml.fields import rows_of

RESTRICTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
    "code": "R",
    "display": "restricted",
}
_DIAGNOSES = [(row["prefix"], row["label"]) for row in rows_of("secret_diagnoses")]
_DRUGS = [(row["name"], row["label"]) for row in rows_of("secret_drugs")]
_DISPLAY = {row["label"]: row["display"] for row in rows_of("secret_diagnoses")}
HIV_ENTITLEMENT = "1.9"
REMEMBERED = 4096  # a hospital has a few thousand drugs, and each is asked for on every one of its rows


@lru_cache(maxsize=REMEMBERED)
def label_of_diagnosis(code: str) -> str:
    """HIV, SUD or PSY for a secret ICD-10 code, else empty; the first prefix of the table wins."""
    return next((label for prefix, label in _DIAGNOSES if code.upper().startswith(prefix)), "")


@lru_cache(maxsize=REMEMBERED)
def label_of_drug(name: str) -> str:
    lowered = name.casefold()
    return next((label for drug, label in _DRUGS if drug in lowered), "")


def label_of_test(name: str) -> str:
    """A test named after HIV tells that it was asked for, whatever its result."""
    return "HIV" if "HIV" in name.upper() else ""


def restrict(resource: Resource, labels: set[str]) -> None:
    """Mark a resource as restricted for these categories; nothing happens without one."""
    labels = labels - {""}
    if not labels:
        return
    marks = [{"system": ACT_CODE, "code": label, "display": _DISPLAY[label]} for label in sorted(labels)]
    resource["meta"] = {"security": [dict(RESTRICTED), *marks]}
