"""What happened to many records, newest first: current versions and superseded ones as one line of time.

https://hl7.org/fhir/R4/http.html#history
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase

from fhir_gateway.store.mongo.connection import Collection, Document, answering, narrowing
from fhir_gateway.store.mongo.documents import VERSION_FIELDS, to_version
from fhir_gateway.store.port import Timeline, Version

_FIELDS = dict.fromkeys(VERSION_FIELDS, 1)
_DAWN = datetime(1970, 1, 1, tzinfo=UTC)


class TimelineReader:
    """The part of ``Records`` that tells what happened."""

    _database: AsyncIOMotorDatabase[Document]

    async def changes(self, wanted: Timeline) -> list[Version]:
        # The current ones first: a version that is superseded in between is then met twice, never missed.
        home = self._database.events if wanted.type == "AuditEvent" else self._database.resources
        found: dict[tuple[datetime, str, int], Version] = {}
        async with answering():
            for collection, name in ((home, "_id"), (self._database.versions, "of")):
                for version in await _read(collection, name, wanted):
                    found[version.updated, version.reference, version.number] = version
        order = _by_number if wanted.reference else _by_time
        return sorted(found.values(), key=order, reverse=True)[: wanted.limit]


def _by_time(version: Version) -> tuple[Any, ...]:
    return version.updated, version.reference, version.number


def _by_number(version: Version) -> tuple[Any, ...]:
    return (version.number,)


async def _read(collection: Collection, name: str, wanted: Timeline) -> list[Version]:
    return [to_version(document) async for document in collection.aggregate(stages(name, wanted))]


def stages(name: str, wanted: Timeline) -> list[Document]:
    """The part of a timeline that lies in one collection; ``name`` is the field that holds the reference there."""
    order = {"version": -1} if wanted.reference else {"updated": -1, name: -1} | _third(name)
    return [*narrowing(*_conditions(name, wanted)), {"$sort": order}, {"$limit": wanted.limit}, {"$project": _FIELDS}]


def _third(name: str) -> dict[str, int]:
    """A current version is the only one of its record."""
    return {} if name == "_id" else {"version": -1}


def _conditions(name: str, wanted: Timeline) -> list[Document]:
    """The first is answered by an index alone."""
    span = _span(wanted)
    if wanted.reference:
        first: list[Document] = [{name: wanted.reference}, {"updated": span}]
    else:
        first = [({"type": wanted.type} if wanted.type else {}) | {"updated": span}]
    reader: Document = {} if wanted.reader is None else {"readers": wanted.reader}
    return [*first, reader, _still_current(name, wanted), _behind(name, wanted)]


def _span(wanted: Timeline) -> Mapping[str, datetime]:
    """The times of writing that count; ``$lte`` the last one seen, which may have several versions."""
    bounds: dict[str, datetime] = {"$gte": wanted.since or _DAWN}
    if wanted.after is not None and not wanted.reference:
        bounds["$lte"] = wanted.after[0]
    if wanted.during is not None:
        bounds["$lt"] = wanted.during[1]
    return bounds


def _still_current(name: str, wanted: Timeline) -> Document:
    """Of the superseded versions those that had not been superseded when the time asked for began."""
    if wanted.during is None or name == "_id":
        return {}
    return {"until": {"$gt": wanted.during[0]}}


def _behind(name: str, wanted: Timeline) -> Document:
    if wanted.after is None:
        return {}
    updated, reference, number = wanted.after
    if wanted.reference:
        return {"version": {"$lt": number}}
    earlier = {"updated": {"$lt": updated}}
    return {"$or": [earlier, {name: {"$lt": reference}}, {name: reference, "version": {"$lt": number}}]}
