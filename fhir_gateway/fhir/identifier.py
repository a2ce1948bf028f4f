"""Business identifiers: the numbers people and systems outside know a record by.

https://hl7.org/fhir/R4/datatypes.html#Identifier
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fhir_gateway.fhir.resource import Resource


@dataclass(frozen=True, slots=True, order=True)
class Identifier:
    """A number within its system; ``system`` is empty when the record names none."""

    system: str
    value: str

    @property
    def token(self) -> str:
        """``system|value``, as a search writes it."""
        return f"{self.system}|{self.value}"


def identifiers(resource: Resource) -> list[Identifier]:
    """The complete identifiers of a resource in their order, each once."""
    found = (
        Identifier(item.get("system", ""), item["value"])
        for item in _listed(resource.get("identifier"))
        if isinstance(item.get("value"), str)
    )
    return list(dict.fromkeys(found))


def find(resource: Resource, system: str) -> str | None:
    """The value of the first identifier of ``system``."""
    return next((item.value for item in identifiers(resource) if item.system == system), None)


def make(system: str, value: str, use: str | None = None, kind: str | None = None) -> dict[str, Any]:
    """An Identifier element; ``kind`` is a code of HL7 table 0203 (MR, NI, PPN ...)."""
    element: dict[str, Any] = {"use": use} if use else {}
    if kind:
        element["type"] = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": kind}]}
    return element | {"system": system, "value": value}


def _listed(element: Any) -> Iterator[dict[str, Any]]:
    items = element if isinstance(element, list) else [element]
    return (item for item in items if isinstance(item, dict))
