"""A message completed with what is stored: shared resources folded, and a record that was filed under a stand-in found.

https://hl7.org/fhir/R4/patient-operation-merge.html - what a replaced record looks like
"""

from collections.abc import Mapping
from typing import Any

from adapters.contract import Hospital
from fhir_gateway.exchange import parts
from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.reference import rewrite
from fhir_gateway.fhir.resource import Resource, reference
from fhir_gateway.store.port import Store, Version

# What many messages speak of, each saying only a part: a later message completes them and never blanks what it omits.
SHARED = frozenset({"Patient", "Encounter", "Practitioner", "Organization", "Location", "Coverage", "RelatedPerson"})
MERGED_LISTS = frozenset({"identifier", "link"})
CHOICES = ("deceased", "multipleBirth")


async def completed(
    store: Store, hospital: Hospital, bundle: Resource, receipt: str
) -> tuple[dict[str, Resource], Mapping[str, Version]]:
    """The message's resources by ``Type/id``, shared ones completed with what is stored, and the current versions."""
    entries = bundle["entry"]
    local = {entry["fullUrl"]: reference(entry["resource"]) for entry in entries}
    resources = [rewrite(entry["resource"], local) for entry in entries]
    current = await store.currents([reference(resource) for resource in resources])
    resources, more = await _under_one_patient(store, hospital, resources, current)
    current = {**current, **more}
    folded = [_fold(resource, current.get(reference(resource))) for resource in resources]
    return {reference(resource): _sourced(resource, receipt) for resource in folded}, current


def _fold(resource: Resource, current: Version | None) -> Resource:
    if resource["resourceType"] not in SHARED or current is None or current.deleted:
        return resource
    stored = decode_resource(current.body)
    said_now = {name: value for name, value in resource.items() if not _says_nothing(name, value)}
    merged = {**_not_contradicted(stored, said_now), **said_now}
    for name in sorted(MERGED_LISTS & stored.keys() & resource.keys()):
        said = [_identity(row) for row in resource[name]]
        merged[name] = [*resource[name], *(row for row in stored[name] if _identity(row) not in said)]
    return merged


def _not_contradicted(stored: Resource, said: Resource) -> Resource:
    """What stays of the stored resource: no other variant of a choice now given, no extension of a changed value."""
    given = {choice for choice in CHOICES for name in said if name.startswith(choice)}
    changed = {f"_{name}" for name, value in said.items() if stored.get(name) != value}
    return {n: v for n, v in stored.items() if n not in changed and not n.startswith(tuple(given))}


def _says_nothing(name: str, value: Any) -> bool:
    """An element FHIR requires, given by a message that does not know: a late result must not reopen a stay."""
    if name == "class" and isinstance(value, dict):  # of an Encounter; a Coverage has a list of that name
        return bool(value.get("code") == "UNK")
    return name == "status" and value == "unknown"


def _identity(row: Resource) -> tuple[str, ...]:
    """What makes two rows of ``identifier`` or ``link`` the same row."""
    if "other" in row:
        return row["other"].get("reference", ""), row.get("type", "")
    return row.get("system", ""), row.get("value", "")


def says_more(resource: Resource, current: Version | None) -> bool:
    """Whether a shared resource brings anything new: without this each message would rewrite its facility."""
    if resource["resourceType"] not in SHARED or current is None or current.deleted:
        return True
    stored = decode_resource(current.body)
    return {**stored, "meta": None} != {**resource, "meta": None}


async def _under_one_patient(
    store: Store, hospital: Hospital, resources: list[Resource], current: Mapping[str, Version]
) -> tuple[list[Resource], dict[str, Version]]:
    """A stay that is known under another patient: which of the two records is the hospital's own, which a stand-in.

    A transfer slip sent alone names no patient number, so its patient is filed under the episode. It follows the
    stay's own patient where that is known; a stand-in stored earlier is replaced by the one that comes with a number.
    """
    for visit in resources:
        theirs = _stored_subject(visit, current)
        mine = visit.get("subject", {}).get("reference")
        if visit["resourceType"] != "Encounter" or theirs in (None, mine):
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
    if version is None or version.deleted or visit["resourceType"] != "Encounter":
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
