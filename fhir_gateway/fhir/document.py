"""A document: a Composition first, then everything it cites, so that it can be read without the server.

https://hl7.org/fhir/R4/documents.html#bundle
"""

from collections.abc import Callable, Iterator

from fhir_gateway.fhir.reference import Link, parse, references
from fhir_gateway.fhir.resource import Resource, reference
from fhir_gateway.problem import Invalid, Issue

Resolve = Callable[[str], Resource | None]

_URI = "urn:ietf:rfc:3986"
_ELSEWHERE = ("contained", "absolute")


def build(composition: Resource, resolve: Resolve, identity: str, timestamp: str, base_url: str) -> Resource:
    """The document Bundle of a Composition and all it reaches, each resource once, nearest first.

    ``identity`` is a UUID, id of the Bundle and its identifier for ever; ``timestamp`` an instant. Raises Invalid
    naming every reference that ``resolve`` does not know; one to another server (absolute) may stay outside.
    """
    if composition.get("resourceType") != "Composition":
        raise Invalid("a document starts with a Composition", "Bundle.entry[0].resource")
    contents, missing = _reached(composition, resolve)
    if missing:
        raise Invalid(missing[0].text, missing[0].where, tuple(missing))
    return {
        "resourceType": "Bundle",
        "id": identity,
        "identifier": {"system": _URI, "value": f"urn:uuid:{identity}"},
        "type": "document",
        "timestamp": timestamp,
        "entry": [{"fullUrl": f"{base_url}/{name}", "resource": resource} for name, resource in contents.items()],
    }


def _reached(composition: Resource, resolve: Resolve) -> tuple[dict[str, Resource], list[Issue]]:
    found = {reference(composition): composition}
    missing: list[Issue] = []
    waiting = [composition]
    for resource in waiting:
        for link, target in _targets(resource, resolve):
            if target is None:
                missing.append(Issue("the document cites what cannot be found", link.path, "not-found"))
            elif reference(target) not in found:
                found[reference(target)] = target
                waiting.append(target)
    return found, missing


def _targets(resource: Resource, resolve: Resolve) -> Iterator[tuple[Link, Resource | None]]:
    for link in references(resource):
        form = parse(link.target).form
        target = None if form == "contained" else resolve(link.target)
        if target is not None or form not in _ELSEWHERE:
            yield link, target
