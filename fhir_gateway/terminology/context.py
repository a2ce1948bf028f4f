"""A context instead of a value set: the element of a profile or of R4 itself that the codes are for.

https://hl7.org/fhir/R4/valueset-operation-expand.html

It is written [URL of a StructureDefinition]#[path of an element].
"""

from fhir_gateway.fhir.definitions import types
from fhir_gateway.fhir.parameters import Arguments
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import BadRequest, NotFound
from fhir_gateway.terminology.library import Library

CORE = "http://hl7.org/fhir/StructureDefinition/"
DIRECTIONS = ("incoming", "outgoing")


async def resolved(library: Library, asked: Arguments) -> Arguments:
    """The arguments with the ``url`` of the value set that the context is bound to; both directions take the same."""
    context, direction = asked.text("context"), asked.text("contextDirection")
    if direction is not None and (context is None or direction not in DIRECTIONS):
        raise BadRequest(
            f"'contextDirection' goes with a context, and is {' or '.join(DIRECTIONS)}", "contextDirection"
        )
    if context is None:
        return asked
    if asked.text("url") or asked.element("valueSet"):
        raise BadRequest("a context stands instead of 'url' and 'valueSet'", "context")
    url = await _bound(library, context)
    rest = tuple(pair for pair in asked.entries if pair[0] not in ("context", "contextDirection"))
    return Arguments((*rest, ("url", url)))


async def _bound(library: Library, context: str) -> str:
    profile, mark, path = context.partition("#")
    if not mark or not path:
        raise BadRequest("a context looks like [URL of a StructureDefinition]#[path of an element]", "context")
    edition = await library.find("StructureDefinition", profile)
    found = _of_profile(edition.resource, path) if edition else _of_core(profile, path)
    if not found:
        raise NotFound("no element with a value set is known by that context", "context")
    return found


def _of_profile(profile: Resource, path: str) -> str:
    for form in ("snapshot", "differential"):
        for element in profile.get(form, {}).get("element", ()):
            if path in (element.get("id"), element.get("path")) and "valueSet" in element.get("binding", {}):
                return str(element["binding"]["valueSet"])
    return ""


def _of_core(profile: str, path: str) -> str:
    """Of R4's own definitions the required bindings are kept."""
    name = profile.removeprefix(CORE)
    owner, _, member = path.rpartition(".")
    if name == profile or owner.partition(".")[0] != name:
        return ""
    elements = types().get(owner, {}).get("elements", {})
    return str(elements.get(member, {}).get("binding", ""))
