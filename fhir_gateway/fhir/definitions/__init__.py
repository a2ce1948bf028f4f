"""Facts of FHIR R4 4.0.1, trimmed from HL7's own definitions (``python -m fhir_gateway.fhir.definitions``).

https://hl7.org/fhir/R4/downloads.html
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any, cast

R4B_ONLY = frozenset(
    {
        "AdministrableProductDefinition",
        "Citation",
        "ClinicalUseDefinition",
        "EvidenceReport",
        "Ingredient",
        "ManufacturedItemDefinition",
        "MedicinalProductDefinition",
        "NutritionProduct",
        "PackagedProductDefinition",
        "RegulatedAuthorization",
        "SubscriptionStatus",
        "SubscriptionTopic",
        "SubstanceDefinition",
    }
)


@cache
def types() -> dict[str, dict[str, Any]]:
    """Every class (``Patient``, ``Patient.contact``, ``HumanName``) with its elements and their facts."""
    return cast("dict[str, dict[str, Any]]", _read("types.json"))


@cache
def valuesets() -> dict[str, dict[str, list[str]]]:
    """Codes by system of each value set that a required binding names and that can be enumerated."""
    return cast("dict[str, dict[str, list[str]]]", _read("valuesets.json"))


@cache
def constraints() -> dict[str, dict[str, str]]:
    """Invariants in FHIRPath by class or element, and key: those that the gate has no rule for."""
    return cast("dict[str, dict[str, str]]", _read("constraints.json"))


@cache
def lists() -> dict[str, dict[str, list[str]]]:
    """Codes by system of the other value sets that R4 lists."""
    return cast("dict[str, dict[str, list[str]]]", _read("lists.json"))


@cache
def codesystems() -> dict[str, list[str]]:
    """All codes of the code systems that FHIR itself defines."""
    return cast("dict[str, list[str]]", _read("codesystems.json"))


@cache
def profiles() -> dict[str, dict[str, Any]]:
    """R4's own profiles and extensions by address, with what they demand beyond their type."""
    return cast("dict[str, dict[str, Any]]", _read("profiles.json"))


@cache
def resource_types() -> frozenset[str]:
    """The 146 concrete resource types of R4."""
    return frozenset(name for name, facts in types().items() if facts["kind"] == "resource")


def _read(name: str) -> Any:
    return json.loads(files(__name__).joinpath(name).read_text(encoding="utf-8"))
