"""Which resources are R4 and which of them a hospital may send; other versions are told by name.

https://hl7.org/fhir/R4/versioning.html
"""

import csv
from importlib.resources import files

from adapters.contract import Resource, Untranslatable


def _rows(name: str) -> list[dict[str, str]]:
    text = files("adapters.fhir_bundle").joinpath(f"codes/{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


_TYPES = {row["type"]: row for row in _rows("types")}
_OTHERS = {(row["type"], row["element"]): row["version"] for row in _rows("other_versions")}
_VERSIONS = {"4.0": "", "4.0.1": "", "5.0": "R5", "3.0": "STU3", "1.0": "DSTU2", "4.3": "R4B"}


def check_declared(version: str) -> None:
    """The fhirVersion of Content-Type. Raises Untranslatable when it is not R4."""
    if version and _VERSIONS.get(version, version):
        told = _VERSIONS.get(version, version)
        raise Untranslatable(f"this is FHIR {told} by its Content-Type; the gateway takes R4 (4.0.1)", "Content-Type")


def check(resource: Resource, place: str) -> None:
    """Raises Untranslatable for a resource of another version, and for one that is not a hospital's to send."""
    kind = resource.get("resourceType")
    if not isinstance(kind, str) or not kind:
        raise Untranslatable("resourceType is missing: this is no FHIR resource", f"{place}.resourceType")
    foreign = _OTHERS.get((kind, ""))
    if foreign:
        raise Untranslatable(f"{kind} is a resource of FHIR {foreign}; the gateway takes R4 (4.0.1)", place)
    row = _TYPES.get(kind)
    if row is None:
        raise Untranslatable("the resourceType is not one of R4", f"{place}.resourceType")
    if row["refused"]:
        raise Untranslatable(f"{kind} cannot be sent here: {row['refused']}", place)
    if kind == "Provenance" and "signature" in resource:
        raise Untranslatable("signatures are verified and kept by the gateway alone", f"{place}.signature")
    _check_elements(kind, resource, place)


def _check_elements(kind: str, resource: Resource, place: str) -> None:
    for element in resource:
        version = _OTHERS.get((kind, element))
        # Encounter.class is an element of all versions, a list in R5 alone.
        if version is None and kind == "Encounter" and element == "class" and isinstance(resource[element], list):
            version = "R5"
        if version:
            text = f"{kind}.{element} in this form is of FHIR {version}; the gateway takes R4 (4.0.1)"
            raise Untranslatable(text, f"{place}.{element}")


def identifiers(kind: str) -> str:
    """How many identifiers a resource of this type has: many, one, none."""
    return _TYPES[kind]["identifier"]
