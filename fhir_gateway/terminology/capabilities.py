"""The TerminologyCapabilities: which code systems come with the gateway, and how it expands and validates.

https://hl7.org/fhir/R4/terminologycapabilities.html

Stored code systems are found by ``GET CodeSystem``: what a hospital keeps is for those who may search.
"""

from functools import cache

from fhir_gateway.fhir.definitions import valuesets
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.terminology.expand import KNOWN


def statement(base_url: str, name: str, date: str) -> Resource:
    """What the terminology service of a gateway does; ``base_url`` is its address."""
    return {
        "resourceType": "TerminologyCapabilities",
        "status": "active",
        "date": date,
        "kind": "instance",
        "implementation": {"description": name, "url": base_url},
        "codeSystem": [{"uri": uri} for uri in _systems()],
        "expansion": {
            "hierarchical": False,
            "paging": True,
            "incomplete": False,
            "parameter": [{"name": parameter} for parameter in sorted(KNOWN)],
        },
        "codeSearch": "all",
        "validateCode": {"translations": False},
        "translation": {"needsMap": True},
        "closure": {"translation": False},
    }


@cache
def _systems() -> tuple[str, ...]:
    return tuple(sorted({system for listed in valuesets().values() for system in listed}))
