"""Contained resources at hand: a reference ``#id`` alone does not tell what it is contained in.

https://hl7.org/fhir/R4/references.html#contained
"""

from typing import Any

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.store.port import Version


class Leading(dict[str, Any]):
    """A Reference that knows the resource it leads to; as an element it is what it was."""

    __slots__ = ("target",)

    def __init__(self, element: dict[str, Any], target: Resource) -> None:
        super().__init__(element)
        self.target = target


def opened(version: Version) -> Resource:
    """The resource of a version; its references to contained resources know these."""
    resource = decode_resource(version.body)
    contained = {f"#{one['id']}": one for one in resource.get("contained", ()) if "id" in one}
    if contained:
        _lead(resource, {**contained, "#": resource})
    return resource


def _lead(element: Any, contained: dict[str, Resource]) -> None:
    for place, child in list(element.items() if isinstance(element, dict) else enumerate(element)):
        if isinstance(child, dict | list):
            _lead(child, contained)
        if isinstance(child, dict) and str(child.get("reference", "")) in contained:
            element[place] = Leading(child, contained[child["reference"]])
