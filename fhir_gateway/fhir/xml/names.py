"""What the XML form needs to know of each class: the order of its elements, and which of them repeat.

https://hl7.org/fhir/R4/xml.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from fhir_gateway.fhir.definitions import types
from fhir_gateway.fhir.elements import choice, is_primitive, members

FHIR = "http://hl7.org/fhir"


@dataclass(frozen=True, slots=True)
class Member:
    """``rank`` is its place among its siblings; an ``attribute`` of XML is a member like any other in JSON."""

    kind: str
    rank: int
    repeats: bool
    attribute: bool
    primitive: bool


@cache
def layout(kind: str) -> Mapping[str, Member]:
    """The members of a class that have a value of their own, choices spelled out; none for an unknown class."""
    if kind not in types():
        return {}
    repeating = _repeating(kind)
    known = [(name, child) for name, child in members(kind).items() if not name.startswith("_")]
    return {
        name: Member(child, rank, name in repeating, _is_attribute(kind, name), is_primitive(child))
        for rank, (name, child) in enumerate(known)
    }


def _repeating(kind: str) -> frozenset[str]:
    found = set()
    for name, facts in types()[kind]["elements"].items():
        if "max" in facts:
            found |= {choice(name, code) for code in facts["types"]} if name.endswith("[x]") else {name}
    return frozenset(found)


def _is_attribute(kind: str, name: str) -> bool:
    return (name == "id" and types()[kind]["kind"] != "resource") or (kind == "Extension" and name == "url")
