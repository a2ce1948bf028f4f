"""Composition/$document: a stored Composition and what it cites as one Bundle, which can be kept.

https://hl7.org/fhir/R4/composition-operation-document.html
"""

from collections.abc import Iterator
from uuid import uuid4

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.reference import Link, parse, references
from fhir_gateway.fhir.resource import Resource, instant, reference
from fhir_gateway.problem import Invalid, Issue, TooCostly
from fhir_gateway.records import write
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.everything import sees, visible
from fhir_gateway.records.journal import Touched, Visit, record

INTERACTION = "$document"
SIZE_LIMIT = 1000

_URI = "urn:ietf:rfc:3986"
# What a Composition replaces or appends to is told, not held: https://hl7.org/fhir/R4/documents.html#content
_TOLD = "Composition.relatesTo["


async def document(desk: Desk, visit: Visit, identity: str, *, persist: bool = False) -> Resource:
    """The document of ``Composition/identity``, stored as a Bundle with ``persist``.

    Raises Invalid when the Composition cites what is not there for this caller; further links may lead out of it.
    """
    version = await visible(desk, visit, f"Composition/{identity}", "read")
    composition = decode_resource(version.body)
    contents, missing = await gathered(desk, visit, composition)
    if missing:
        raise Invalid(missing[0].text, missing[0].where, tuple(missing))
    made = bundle(desk, list(contents.values()), str(uuid4()))
    if persist:
        result = await write.update(desk, visit, reference(made), made)
        assert result.version is not None
        made = decode_resource(result.version.body)
    await record(desk, visit, INTERACTION, Touched(tuple(contents)))
    return made


def bundle(desk: Desk, contents: list[Resource], identity: str) -> Resource:
    """A document Bundle of resources, the Composition first; those made for it alone have a UUID as id and name."""
    return {
        "resourceType": "Bundle",
        "id": identity,
        "identifier": {"system": _URI, "value": f"urn:uuid:{identity}"},
        "type": "document",
        "timestamp": instant(desk.now()),
        "entry": [{"fullUrl": f"{desk.base_url}/{reference(one)}", "resource": one} for one in contents],
    }


async def gathered(desk: Desk, visit: Visit, composition: Resource) -> tuple[dict[str, Resource], list[Issue]]:
    """Everything the Composition reaches, nearest first, and the places where it cites what is not there."""
    found = {reference(composition): composition}
    missing: list[Issue] = []
    around = [composition]
    while around:
        wanted = {target for one in around for _, target in _targets(one) if target not in found}
        there = await desk.store.currents(sorted(wanted)) if wanted else {}
        seen = {name: decode_resource(version.body) for name, version in there.items() if sees(visit, version)}
        if composition in around:
            cited = [(link, target) for link, target in _targets(composition) if not link.path.startswith(_TOLD)]
            missing = [_missing(link) for link, target in cited if target not in {**found, **seen}]
        around = list(seen.values())
        found |= seen
        if len(found) > SIZE_LIMIT:
            raise TooCostly(f"a document may hold {SIZE_LIMIT} resources")
    return found, missing


def _targets(resource: Resource) -> Iterator[tuple[Link, str]]:
    """The links of a resource that lead to this server."""
    for link in references(resource):
        target = parse(link.target)
        if target.form == "relative":
            yield link, target.reference


def _missing(link: Link) -> Issue:
    return Issue("the document cites what cannot be found", link.path, "not-found")
