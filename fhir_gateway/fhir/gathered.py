"""A Bundle as a whole: entries have addresses, and a document holds what it speaks of and nothing else.

https://hl7.org/fhir/R4/bundle.html#references, https://hl7.org/fhir/R4/documents.html#bundle

Asked by $validate. What is stored is not refused for it: hospitals keep documents whose parts stay where they were.
"""

import re
from collections.abc import Iterator

from fhir_gateway.fhir.definitions import resource_types
from fhir_gateway.fhir.profile.surroundings import Surroundings
from fhir_gateway.fhir.reference import links, parse
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import Issue

_SEARCHED = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+)")
_ADDRESSED = ("document", "message", "collection")
_HEADS = {"document": "Composition", "message": "MessageHeader"}


def faults(resource: Resource, around: Surroundings) -> Iterator[Issue]:
    """What is wrong with a Bundle that its entries do not show one by one; nothing of any other resource."""
    if resource.get("resourceType") != "Bundle":
        return
    for place, entry in enumerate(resource.get("entry", ())):
        yield from _address_faults(str(resource.get("type")), entry, f"Bundle.entry[{place}]")
    if resource.get("type") == "searchset":
        yield from _result_faults(resource)
    if resource.get("type") in _HEADS:
        yield from _document_faults(resource, around)


def _address_faults(kind: str, entry: Resource, path: str) -> Iterator[Issue]:
    address = entry.get("fullUrl")
    if address is None:
        if kind in _ADDRESSED and "resource" in entry:
            yield Issue("an entry of this kind of Bundle has a fullUrl", f"{path}.fullUrl", "required")
    elif ":" not in address:
        yield Issue("a fullUrl is an absolute address", f"{path}.fullUrl", "value")
    elif _names_a_record(address) and "id" not in entry.get("resource", {"id": ""}) and "request" not in entry:
        yield Issue("a fullUrl with an id is that of a resource with this id", f"{path}.fullUrl", "value")


def _result_faults(bundle: Resource) -> Iterator[Issue]:
    """What was found is of the type that was searched, and has an id; what is told of the search is an outcome."""
    wanted = _searched(bundle)
    for place, entry in enumerate(bundle.get("entry", ())):
        found, mode = entry.get("resource", {}), entry.get("search", {}).get("mode")
        kind, path = found.get("resourceType"), f"Bundle.entry[{place}].resource"
        if mode == "outcome" and kind not in (None, "OperationOutcome"):
            yield Issue("what is told of the search is an OperationOutcome", path, "structure")
        if mode in ("match", "include") and found and "id" not in found:
            yield Issue("what is found by a search has an id", f"{path}.id", "required")
        if mode == "match" and wanted and kind not in (None, wanted):
            yield Issue(f"the search was for {wanted}", path, "structure")


def _searched(bundle: Resource) -> str:
    """The type that the link to itself asks for; empty where it asks for none or for several."""
    urls = [str(link.get("url")) for link in bundle.get("link", ()) if link.get("relation") == "self"]
    match = _SEARCHED.fullmatch(urls[0].partition("?")[0]) if len(urls) == 1 else None
    return match[1] if match and match[1] in resource_types() else ""


def _names_a_record(address: str) -> bool:
    target = parse(address)
    return target.form == "absolute" and bool(target.id)


def _document_faults(bundle: Resource, around: Surroundings) -> Iterator[Issue]:
    """Each entry is reached from the first, forwards or backwards; what the first refers to is there."""
    reached: dict[str, set[str]] = {}
    for place, entry in enumerate(bundle.get("entry", ())):
        path = f"Bundle.entry[{place}].resource"
        for link in links(entry["resource"]) if "resource" in entry else ():
            found = around.resolve(path, link.target)
            if found:
                there = ".".join(found[0].split(".")[:3])
                reached.setdefault(path, set()).add(there)
                reached.setdefault(there, set()).add(path)
            elif place == 0 and link.kind == "Reference" and _belongs_inside(link.target):
                where = f"{path}{link.path[len(entry['resource']['resourceType']) :]}"
                yield Issue("what a document or message refers to is in its Bundle", where, "not-found")
    yield from _unreached(bundle, reached)


def _belongs_inside(target: str) -> bool:
    return target.startswith("urn:") or parse(target).form == "relative"


def _unreached(bundle: Resource, reached: dict[str, set[str]]) -> Iterator[Issue]:
    seen, waiting = {"Bundle.entry[0].resource"}, ["Bundle.entry[0].resource"]
    while waiting:
        found = reached.get(waiting.pop(), set()) - seen
        seen |= found
        waiting += sorted(found)
    for place, entry in enumerate(bundle.get("entry", ())):
        if "resource" in entry and f"Bundle.entry[{place}].resource" not in seen:
            text = "no link leads from the first entry to this one, nor back"
            yield Issue(text, f"Bundle.entry[{place}]", "not-found", "warning")
