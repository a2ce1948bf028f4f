"""The way through all records of a type, in the order they were written: for copies of everything, not for searches.

https://www.mongodb.com/docs/manual/tutorial/sort-results-with-indexes/
"""

from collections.abc import AsyncGenerator, AsyncIterator
from datetime import datetime, timedelta
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase

from fhir_gateway.security.audit import PAGE_EVENTS
from fhir_gateway.security.sight import Reader
from fhir_gateway.store.mongo.connection import Collection, Document, answering, narrowing
from fhir_gateway.store.mongo.documents import VERSION_FIELDS, to_version
from fhir_gateway.store.pages import unfolding
from fhir_gateway.store.port import Stretch, Version
from fhir_gateway.store.sight import confinement

WINDOW = 20_000
"""Records a cursor is opened on: the embedded engine reads all of them before it gives the first."""
BATCH = 200

_FIELDS = dict.fromkeys(VERSION_FIELDS, 1)
_TICK = timedelta(milliseconds=1)


class Walker:
    """The walking part of ``Records``."""

    _database: AsyncIOMotorDatabase[Document]

    async def walk(self, stretch: Stretch) -> AsyncGenerator[Version, None]:
        home = self._database.events if stretch.type == "AuditEvent" else self._database.resources
        async with answering():
            begin = stretch.since
            if stretch.after is not None:
                begin, last = stretch.after
                async for version in _read(home, {"updated": begin, "_id": {"$gt": last}}, stretch):
                    yield version
            async for first, until in _windows(home, stretch, begin):
                async for version in _read(home, {"updated": _within(first, until)}, stretch):
                    yield version

    async def of_patient(self, patient: str, reader: Reader) -> AsyncGenerator[Version, None]:
        wanted = narrowing({"patients": patient}, {"deleted": False}, confinement(reader))
        stages: list[Document] = [*wanted, {"$sort": {"type": 1, "_id": 1}}, {"$project": _FIELDS}]
        async with answering():
            async for document in self._database.resources.aggregate(stages, batchSize=BATCH):
                yield to_version(document)


async def _read(home: Collection, place: dict[str, Any], stretch: Stretch) -> AsyncIterator[Version]:
    """The embedded engine answers by index only what the index holds: the rest comes in stages of its own."""
    wanted = narrowing(
        {"type": stretch.type, **place},
        {} if stretch.deleted is None else {"deleted": stretch.deleted},
        confinement(stretch.reader, stretch.type),
        {"patients": {"$ne": []}} if stretch.of_patients else {},
    )
    found = unfolding(wanted) if stretch.type == "AuditEvent" else wanted
    stages: list[Document] = [*found, {"$sort": {"updated": 1, "_id": 1}}, {"$project": _FIELDS}]
    async for document in home.aggregate(stages, batchSize=BATCH):
        yield to_version(document)


async def _windows(home: Collection, stretch: Stretch, begin: datetime) -> AsyncIterator[tuple[datetime, datetime]]:
    """Spans of time with about ``WINDOW`` records each, as far as the clock can tell records apart."""
    ends = [(stretch.until, await _count(home, stretch.type, begin, stretch.until))]
    while ends:
        end, many = ends.pop()
        if many > (WINDOW // PAGE_EVENTS if stretch.type == "AuditEvent" else WINDOW) and end - begin > _TICK:
            middle = begin + max(_TICK, (end - begin) / 2)
            middle = middle.replace(microsecond=middle.microsecond // 1000 * 1000)
            # Only the first half is counted: years without a record cost nothing then, and the rest is known.
            first = await _count(home, stretch.type, begin, middle)
            ends += [(end, max(1, many - first)), (middle, first)]
            continue
        if many:
            yield begin, end
        begin = end


async def _count(home: Collection, kind: str, begin: datetime, end: datetime) -> int:
    return await home.count_documents({"type": kind, "updated": _within(begin, end)})


def _within(begin: datetime, end: datetime) -> dict[str, datetime]:
    """After ``begin`` and not after ``end``: of ``$lte`` the embedded engine's index leaves out what equals it."""
    return {"$gte": begin + _TICK, "$lt": end + _TICK}
