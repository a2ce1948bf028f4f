"""Profiles, security labels and tags: those of a record, those in use, added and taken away.

https://hl7.org/fhir/R4/resource-operation-meta.html

Adding and taking away is an update: a new version, so that the history shows who labelled what.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.definitions import resource_types
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import BadRequest, Forbidden, PreconditionFailed, TooCostly
from fhir_gateway.records import write
from fhir_gateway.records.desk import Desk, attempts
from fhir_gateway.records.everything import visible
from fhir_gateway.records.journal import Touched, Visit, record
from fhir_gateway.records.step import Step
from fhir_gateway.search.criteria import END, Choice, Condition
from fhir_gateway.search.extract import index
from fhir_gateway.search.query import Query
from fhir_gateway.search.registry import parameters
from fhir_gateway.security.access import may
from fhir_gateway.security.sight import Reader
from fhir_gateway.store.port import Version

INTERACTION = "$meta"
LABELS = ("profile", "security", "tag")
DISTINCT_LIMIT = 500
AT_ONCE = 16

Meta = dict[str, Any]


async def of_record(desk: Desk, visit: Visit, reference: str) -> Meta:
    """The meta of one record."""
    version = await visible(desk, visit, reference, "read")
    await record(desk, visit, INTERACTION, Touched((reference,)))
    return dict(decode_resource(version.body).get("meta", {}))


async def in_use(desk: Desk, visit: Visit, type_: str | None = None) -> Meta:
    """All profiles, labels and tags of the records of a type, or of all types, that the caller may search."""
    names = [type_] if type_ else sorted(resource_types())
    found: Meta = {}
    for start in range(0, len(names), AT_ONCE):
        part = names[start : start + AT_ONCE]
        for meta in await asyncio.gather(*(_of_type(desk, visit, name, type_ is None) for name in part)):
            found = added(found, meta)
    await record(desk, visit, INTERACTION, Touched(query=type_ or ""))
    return found


async def change(desk: Desk, visit: Visit, reference: str, meta: Meta, *, remove: bool) -> Meta:
    """The record's meta with these labels added, or taken away; written only where that changes something."""
    labels = {name: meta[name] for name in LABELS if name in meta}
    if set(meta) - {*LABELS, "id", "extension"} or not labels:
        raise BadRequest("meta holds profiles, security labels and tags, and nothing else can be changed", "meta")
    async for _ in attempts():
        version = await visible(desk, visit, reference, "update")
        resource = decode_resource(version.body)
        changed = (without if remove else added)(resource.get("meta", {}), labels)
        try:
            return await _written(desk, visit, version, {**resource, "meta": changed})
        except PreconditionFailed:
            continue
    raise PreconditionFailed("other writers were faster every time; try again")


async def _written(desk: Desk, visit: Visit, version: Version, resource: Resource) -> Meta:
    if decode_resource(version.body).get("meta", {}) == resource["meta"]:
        await record(desk, visit, INTERACTION, Touched((version.reference,)))
        return dict(resource["meta"])
    step = Step("PUT", version.type, version.id, resource=resource, if_match=version.number)
    (result,) = await write.run(desk, visit, [step], "update")
    assert result.version is not None
    return dict(decode_resource(result.version.body)["meta"])


def added(meta: Meta, labels: Meta) -> Meta:
    """Each label once."""
    found = dict(meta)
    for name in LABELS:
        known = {_key(item) for item in found.get(name, ())}
        fresh = [item for item in labels.get(name, ()) if _key(item) not in known]
        if fresh:
            found[name] = [*found.get(name, ()), *fresh]
    return found


def without(meta: Meta, labels: Meta) -> Meta:
    """Tags are the same by system and code, whatever they are called."""
    found = dict(meta)
    for name in LABELS:
        gone = {_key(item) for item in labels.get(name, ())}
        if name in found:
            found[name] = [item for item in found[name] if _key(item) not in gone]
    return {name: item for name, item in found.items() if item != []}


def _key(item: Any) -> tuple[str, str]:
    return ("", item) if isinstance(item, str) else (item.get("system", ""), item.get("code", ""))


async def _of_type(desk: Desk, visit: Visit, type_: str, lenient: bool) -> Meta:
    try:
        reader = may(visit.caller, "search-type", type_).reader
    except Forbidden:
        if lenient:
            return {}
        raise
    found: Meta = {}
    for name in LABELS:
        key = parameters(type_)[f"_{name}"].key
        for item in await _labels(desk, Query(type_, size=1, total="none"), key, reader):
            found = added(found, item)
    return found


async def _labels(desk: Desk, query: Query, key: str, reader: Reader) -> list[Meta]:
    """A record of each label in use: one is looked for between any two labels known, until there is none."""
    found: list[Meta] = []
    gaps = [(f"{key}:", f"{key}:{END}")]
    while gaps:
        start, stop = gaps.pop()
        between = Query(query.type, (Condition((Choice(start, stop),), 8),), size=1)
        versions = await desk.store.find(between, reader)
        if not versions:
            continue
        meta = decode_resource(versions[0].body).get("meta", {})
        found.append({name: meta[name] for name in LABELS if name in meta})
        if len(found) > DISTINCT_LIMIT:
            raise TooCostly(f"there are more than {DISTINCT_LIMIT} labels in use", INTERACTION)
        gaps += _gaps(sorted(_within(versions[0], (start, stop))), (start, stop))
    return found


def _within(version: Version, bounds: tuple[str, str]) -> Iterable[str]:
    keys = index(decode_resource(version.body))["keys"]
    return (one for one in keys if bounds[0] <= one < bounds[1])


def _gaps(keys: list[str], bounds: tuple[str, str]) -> list[tuple[str, str]]:
    starts = [bounds[0], *(f"{one}\x00" for one in keys)]
    return list(zip(starts, [*keys, bounds[1]], strict=True))
