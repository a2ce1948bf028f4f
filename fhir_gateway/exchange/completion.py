"""A message completed with what is stored: shared resources folded, and a record that was filed under a stand-in found.

https://hl7.org/fhir/R4/patient-operation-merge.html - what a replaced record looks like
"""

from collections.abc import Iterable, Mapping
from typing import Any

from adapters.contract import LINK_ENDED, Hospital
from fhir_gateway.exchange import circles, parts
from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.reference import rewrite
from fhir_gateway.fhir.resource import Resource, reference
from fhir_gateway.store.port import Store, Version

# What many messages speak of, each saying only a part: a later message completes them and never blanks what it omits.
SHARED = frozenset({"Patient", "Encounter", "Practitioner", "Organization", "Location", "Coverage", "RelatedPerson"})
MERGED_LISTS = frozenset({"identifier", "link"})
OPPOSITE = {"replaces": "replaced-by", "replaced-by": "replaces"}
# What the gateway itself writes into ``meta`` of each version.
WRITTEN = frozenset({"versionId", "lastUpdated", "source"})
CHOICES = ("deceased", "multipleBirth")
BEGINNINGS, BEGUN = frozenset({"planned", "arrived"}), frozenset({"in-progress", "onleave", "finished"})


async def completed(
    store: Store, hospital: Hospital, bundle: Resource, receipt: str
) -> tuple[dict[str, Resource], Mapping[str, Version]]:
    """The message's resources by ``Type/id``, shared ones completed with what is stored, and the current versions."""
    resources = told(bundle)
    current = await store.currents([reference(resource) for resource in resources])
    return await folded_into(store, hospital, (resources, receipt), current)


def told(bundle: Resource) -> list[Resource]:
    """What a message says, linked by ``Type/id``."""
    entries = bundle["entry"]
    local = {entry["fullUrl"]: reference(entry["resource"]) for entry in entries}
    return [rewrite(entry["resource"], local) for entry in entries]


async def folded_into(
    store: Store, hospital: Hospital, message: tuple[list[Resource], str], current: Mapping[str, Version]
) -> tuple[dict[str, Resource], Mapping[str, Version]]:
    """What a message says (and its receipt) upon the versions ``current``, which may be those of an earlier day."""
    resources, receipt = message
    resources, more = await _under_one_patient(store, hospital, resources, current)
    current = {**current, **more}
    wholes = _wholes(resources)
    folded = [_turned_round(_fold(resource, current.get(reference(resource))), wholes) for resource in resources]
    stays = await circles.closed(store, resources, current)
    folded = [circles.freed(resource, told_now, stays) for resource, told_now in zip(folded, resources, strict=True)]
    return {reference(resource): _sourced(resource, receipt) for resource in folded}, current


def _fold(given: Resource, current: Version | None) -> Resource:
    resource, ended = _taken_back(given)
    if resource["resourceType"] not in SHARED or current is None or current.deleted:
        return resource
    stored = decode_resource(current.body)
    said_now = {
        name: value
        for name, value in resource.items()
        if not _says_nothing(name, value) and not _is_behind(name, value, stored)
    }
    merged = {**_not_contradicted(stored, said_now), **said_now}
    for name in sorted(MERGED_LISTS & stored.keys() & resource.keys()):
        rows = [row_identity(row) for row in resource[name]]
        kept = [row for row in stored[name] if row_identity(row) not in rows and not _turned(row, resource[name])]
        merged[name] = [*resource[name], *kept]
    if ended:
        merged["link"] = [row for row in merged.get("link", ()) if row["other"].get("reference") not in ended]
    return {name: value for name, value in merged.items() if value != []}


def _wholes(resources: Iterable[Resource]) -> dict[str, Resource]:
    """Which visit of a message is a part of which other of its visits."""
    visits = {reference(resource): resource for resource in resources if resource["resourceType"] == "Encounter"}
    found = {ref: visit.get("partOf", {}).get("reference", "") for ref, visit in visits.items()}
    return {ref: visits[whole] for ref, whole in found.items() if whole in visits}


def _turned_round(folded: Resource, wholes: Mapping[str, Resource]) -> Resource:
    """A merge of visits the other way round takes the first one back: who has become the part gives back its number."""
    whole = wholes.get(reference(folded))
    if whole is None:
        return folded
    own = [row_identity(row) for row in whole.get("identifier", ()) if row.get("use") != "old"]
    kept = [row for row in folded.get("identifier", ()) if row.get("use") != "old" or row_identity(row) not in own]
    return {**folded, "identifier": kept} if kept else folded


def _turned(row: Resource, said: Iterable[Resource]) -> bool:
    """Whether a stored link says the opposite of one said now: who replaces the other is not replaced by it."""
    opposite = OPPOSITE.get(row.get("type", "")) if "other" in row else None
    return opposite is not None and (row["other"].get("reference", ""), opposite) in [row_identity(new) for new in said]


def _taken_back(resource: Resource) -> tuple[Resource, list[str]]:
    """The resource without its marks of links that end, and whom they led to: all that a message may remove here."""
    marks = [mark for mark in resource.get("extension", ()) if mark.get("url") == LINK_ENDED]
    if not marks:
        return resource, []
    kept = [mark for mark in resource["extension"] if mark not in marks]
    said = {name: value for name, value in {**resource, "extension": kept}.items() if value != []}
    return said, [mark["valueReference"]["reference"] for mark in marks]


def _not_contradicted(stored: Resource, said: Resource) -> Resource:
    """What stays of the stored resource: no other variant of a choice now given, no extension of a changed value."""
    given = {choice for choice in CHOICES for name in said if name.startswith(choice)}
    changed = {f"_{name}" for name, value in said.items() if stored.get(name) != value}
    return {n: v for n, v in stored.items() if n not in changed and not n.startswith(tuple(given))}


def _is_behind(name: str, value: Any, stored: Resource) -> bool:
    """A check-in that comes after the stay it announced: a visit that began does not go back to its door."""
    return name == "status" and value in BEGINNINGS and stored.get("status") in BEGUN


def _says_nothing(name: str, value: Any) -> bool:
    """An element FHIR requires, given by a message that does not know: a late result must not reopen a stay."""
    if name == "class" and isinstance(value, dict):  # of an Encounter; a Coverage has a list of that name
        return bool(value.get("code") == "UNK")
    return name == "status" and value == "unknown"


def row_identity(row: Resource) -> tuple[str, ...]:
    """What makes two rows of ``identifier`` or ``link`` the same row."""
    if "other" in row:
        return row["other"].get("reference", ""), row.get("type", "")
    return row.get("system", ""), row.get("value", "")


def says_more(resource: Resource, current: Version | None) -> bool:
    """Whether a resource brings anything new: without this each message would rewrite its facility."""
    if current is None or current.deleted:
        return True
    return not is_same(decode_resource(current.body), resource)


def is_same(one: Resource, other: Resource) -> bool:
    """Whether two versions say the same, whoever wrote them and when."""
    return {**one, "meta": _said(one)} == {**other, "meta": _said(other)}


def _said(resource: Resource) -> Resource:
    return {name: value for name, value in resource.get("meta", {}).items() if name not in WRITTEN}


async def _under_one_patient(
    store: Store, hospital: Hospital, resources: list[Resource], current: Mapping[str, Version]
) -> tuple[list[Resource], dict[str, Version]]:
    """A stay that is known under another patient: which of the two records is the hospital's own, which a stand-in.

    A transfer slip sent alone names no patient number, so its patient is filed under the episode. It follows the
    stay's own patient where that is known; a stand-in stored earlier is replaced by the one that comes with a number.
    """
    for visit in (resource for resource in resources if resource["resourceType"] == "Encounter"):
        theirs = _stored_subject(visit, current)
        mine = visit.get("subject", {}).get("reference")
        if theirs in (None, mine):
            continue
        known = await store.currents([theirs])
        patient = next((r for r in resources if reference(r) == mine), None)
        if patient is None or theirs not in known:
            continue
        if not _has_number(patient, hospital):
            return [_moved(r, patient, theirs) for r in resources], known
        stand_in = decode_resource(known[theirs].body)
        if not _has_number(stand_in, hospital):
            return [*resources, _replaced(stand_in, mine)], known
    return resources, {}


def _stored_subject(visit: Resource, current: Mapping[str, Version]) -> str | None:
    version = current.get(reference(visit))
    if version is None or version.deleted:
        return None
    subject: str | None = decode_resource(version.body).get("subject", {}).get("reference")
    return subject


def _has_number(patient: Resource, hospital: Hospital) -> bool:
    return any(i.get("system") == hospital.systems["mrn"] for i in patient.get("identifier", ()))


def _moved(resource: Resource, patient: Resource, target: str) -> Resource:
    """The resource with its links to the stand-in led to the real patient; the stand-in becomes the patient itself."""
    if resource is patient:
        return {**resource, "id": target.partition("/")[2]}
    return rewrite(resource, {reference(patient): target})


def _replaced(stand_in: Resource, by: str) -> Resource:
    return {**stand_in, "active": False, "link": [{"other": {"reference": by}, "type": "replaced-by"}]}


def _sourced(resource: Resource, receipt: str) -> Resource:
    return {**resource, "meta": {**resource.get("meta", {}), "source": f"{parts.RECEIPT}:{receipt}"}}
