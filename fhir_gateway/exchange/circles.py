"""Merges that close a circle: who stays now was merged, over others, into who goes now. The older merge of his ends.

https://hl7.org/fhir/R4/patient-definitions.html#Patient.link
"""

from collections.abc import Iterable, Mapping

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.resource import Resource, reference
from fhir_gateway.store.port import Store, Version

# Longer than any chain of corrections that somebody keys by hand; a longer one is left as it is.
_STEPS = 16


def goes_into(resource: Resource) -> list[str]:
    """Whom this visit or this patient was merged into."""
    if resource["resourceType"] == "Encounter":
        whole = resource.get("partOf", {}).get("reference", "")
        return [whole] if whole else []
    links = resource.get("link", ()) if resource["resourceType"] == "Patient" else ()
    return [link["other"].get("reference", "") for link in links if link.get("type") == "replaced-by"]


async def closed(store: Store, resources: Iterable[Resource], current: Mapping[str, Version]) -> frozenset[str]:
    """Those who stay by this message and by what is stored went, over whatever steps, into who goes now."""
    merges = [(reference(gone), stays) for gone in resources for stays in goes_into(gone)]
    return frozenset([stays for gone, stays in merges if await _leads(store, (stays, gone), current)])


async def _leads(store: Store, ends: tuple[str, str], current: Mapping[str, Version]) -> bool:
    start, wanted = ends
    reached = _onward([start], current)
    for _ in range(_STEPS):
        if not reached or wanted in reached:
            break
        reached = _onward(reached, await store.currents(reached))
    return wanted in reached


def _onward(references: Iterable[str], known: Mapping[str, Version]) -> list[str]:
    there = [known[ref] for ref in references if ref in known and not known[ref].deleted]
    return list(dict.fromkeys(one for version in there for one in goes_into(decode_resource(version.body))))


def freed(folded: Resource, said: Resource, stays: frozenset[str]) -> Resource:
    """Who stays is in nobody any longer, but for what the message itself says."""
    if reference(folded) not in stays:
        return folded
    kept = goes_into(said)
    if folded["resourceType"] == "Encounter":
        return folded if kept else {name: value for name, value in folded.items() if name != "partOf"}
    gone = [ref for ref in goes_into(folded) if ref not in kept]
    links = [
        link
        for link in folded.get("link", ())
        if link.get("type") != "replaced-by" or link["other"].get("reference") not in gone
    ]
    return {name: value for name, value in {**folded, "link": links}.items() if value != []}
