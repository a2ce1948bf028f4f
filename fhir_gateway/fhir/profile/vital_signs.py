"""Vital signs: whoever records one of those that R4 lists keeps R4's profile of it, whether it is claimed or not.

https://hl7.org/fhir/R4/observation-vitalsigns.html
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from fhir_gateway.fhir.definitions import profiles
from fhir_gateway.fhir.profile.tree import CORE
from fhir_gateway.fhir.resource import Resource

_LOINC = "http://loinc.org"
_CODE = "Observation.code.coding.code"


def profile_of(resource: Resource) -> str | None:
    """The address of the profile that an Observation has to keep for its code."""
    if resource.get("resourceType") != "Observation":
        return None
    code = resource.get("code")
    codings = code.get("coding") if isinstance(code, dict) else None
    named = (str(one.get("code")) for one in codings or () if isinstance(one, dict) and one.get("system") == _LOINC)
    return next((_by_code()[name] for name in named if name in _by_code()), None)


@cache
def _by_code() -> Mapping[str, str]:
    return {code: url for url, facts in profiles().items() for code in _codes(facts)}


def _codes(profile: Mapping[str, Any]) -> Iterator[str]:
    if profile.get("baseDefinition") == f"{CORE}vitalsigns":
        fixed = (one["fixedCode"] for one in profile["differential"]["element"] if one["path"] == _CODE)
        yield from fixed
