"""Datatypes: sizes that are true, systems and identifiers that are unambiguous, ids that are unique.

https://hl7.org/fhir/R4/datatypes.html, https://hl7.org/fhir/R4/element.html
"""

from collections.abc import Iterator

from fhir_gateway.fhir.answer_limits import size_of
from fhir_gateway.fhir.elements import nodes, spelt
from fhir_gateway.fhir.prose.rule import Demand, Element, Fault, is_absolute
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import Issue

_URIS = "urn:ietf:rfc:3986"
_FHIR_VALUE_SET = "http://hl7.org/fhir/ValueSet/"
# In these each element definition stands twice under one id, in the differential and in the snapshot.
_TWOFOLD = frozenset({"StructureDefinition"})


def _size(attachment: Element) -> Iterator[Fault]:
    stated, found = attachment.get("size"), size_of(attachment)
    if isinstance(stated, int) and "data" in attachment and found is not None and stated != found:
        yield "size", f"the data has {found} bytes"


def _system(coding: Element) -> Iterator[Fault]:
    system = coding.get("system")
    if not is_absolute(system):
        yield "system", "a code system is named by an absolute address"
    elif isinstance(system, str) and system.startswith(_FHIR_VALUE_SET):
        yield "system", "is the address of a value set; codes belong to code systems"


def _value(identifier: Element) -> Iterator[Fault]:
    if identifier.get("system") == _URIS and not is_absolute(identifier.get("value")):
        yield "value", f"of the system {_URIS} the value is a full URI"


def _link(reference: Element) -> Iterator[Fault]:
    text = reference.get("reference")
    if isinstance(text, str) and any(letter.isspace() for letter in text):
        yield "reference", "an address has no blanks"


def repeated_ids(path: str, resource: Resource) -> Iterator[Issue]:
    """The ids of elements that are in the resource twice."""
    if resource["resourceType"] in _TWOFOLD:
        return
    seen: set[str] = set()
    for place, kind, element in nodes((None, path, None), resource["resourceType"], resource):
        identity = element.get("id")
        if kind == "Resource" or "resourceType" in element or not isinstance(identity, str):
            continue
        if identity in seen:
            yield Issue("an element of the resource has this id already", f"{spelt(place)}.id", "value")
        seen.add(identity)


DEMANDS: dict[str, tuple[Demand, ...]] = {
    "Attachment": (_size,),
    "Coding": (_system,),
    "Identifier": (_value,),
    "Reference": (_link,),
}
