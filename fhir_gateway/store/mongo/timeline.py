"""What happened to many records, newest first: current versions and superseded ones as one line of time.

https://hl7.org/fhir/R4/http.html#history
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase

from fhir_gateway.store.mongo.connection import Collection, Document, answering, narrowing
from fhir_gateway.store.mongo.documents import VERSION_FIELDS, to_version
from fhir_gateway.store.pages import unfolding
from fhir_gateway.store.port import Timeline, Version
from fhir_gateway.store.sight import confinement

Span = tuple[datetime, datetime | None]

# The embedded engine reads all that a condition matches before it sorts, so a page is looked for in spans of time
# that reach back eight times further each: thirteen of them reach back to 1970.
FIRST_SPAN = timedelta(milliseconds=16)
GROWTH = 8

_FIELDS = dict.fromkeys(VERSION_FIELDS, 1)
_DAWN = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(milliseconds=1)


class TimelineReader:
    """The part of ``Records`` that tells what happened."""

    _database: AsyncIOMotorDatabase[Document]

    async def changes(self, wanted: Timeline) -> list[Version]:
        found: list[Version] = []
        async with answering():
            for span in [(_DAWN, None)] if wanted.reference else _ways(wanted)(wanted, datetime.now(UTC)):
                found += await self._within(replace(wanted, limit=wanted.limit - len(found)), span)
                if len(found) >= wanted.limit:
                    break
        return found[::-1] if wanted.backwards else found

    async def changed(self, wanted: Timeline, limit: int = 0) -> int:
        whole, counted = replace(wanted, after=None, backwards=False), 0
        async with answering():
            for collection, name in self._places(wanted):
                if limit and counted >= limit:
                    break
                ends: list[Document] = [{"$limit": limit - counted}] if limit else []
                wanted_here = [*matching(name, whole, (_DAWN, None)), *ends, {"$count": "n"}]
                counted += sum([int(document["n"]) async for document in collection.aggregate(wanted_here)])
        return counted

    def _places(self, wanted: Timeline) -> tuple[tuple[Collection, str], ...]:
        home = self._database.events if _is_audit(wanted) else self._database.resources
        return (home, "_id"), (self._database.versions, "of")

    async def _within(self, wanted: Timeline, span: Span) -> list[Version]:
        # The current ones first: a version that is superseded in between is then met twice, never missed.
        found: dict[tuple[datetime, str, int], Version] = {}
        for collection, name in self._places(wanted):
            async for document in collection.aggregate(stages(name, wanted, span)):
                version = to_version(document)
                found[version.updated, version.reference, version.number] = version
        order = _by_number if wanted.reference else _by_time
        return sorted(found.values(), key=order, reverse=not wanted.backwards)[: wanted.limit]


def _is_audit(wanted: Timeline) -> bool:
    return "AuditEvent" in (wanted.type, (wanted.reference or "").partition("/")[0])


def spans(wanted: Timeline, now: datetime) -> Iterator[Span]:
    """From the newest to the oldest: start (included), end (excluded, none for the first of an open timeline)."""
    newest = wanted.after[0] + _TICK if wanted.after else wanted.during[1] if wanted.during else None
    oldest = wanted.since or _DAWN
    end, back = newest, FIRST_SPAN
    while True:
        start = (newest or now) - back if (newest or now) - oldest > back else oldest
        yield start, end
        if start <= oldest:
            return
        end, back = start, back * GROWTH


def onward(wanted: Timeline, now: datetime) -> Iterator[Span]:
    """The same towards the newest, from the place that is known."""
    start, length = wanted.after[0] if wanted.after else _DAWN, FIRST_SPAN
    newest = min(now, wanted.during[1]) if wanted.during else now
    while start + length < newest:
        yield start, start + length
        start, length = start + length, length * GROWTH
    yield start, None


def _ways(wanted: Timeline) -> Callable[[Timeline, datetime], Iterator[Span]]:
    return onward if wanted.backwards else spans


def _by_time(version: Version) -> tuple[Any, ...]:
    return version.updated, version.reference, version.number


def _by_number(version: Version) -> tuple[Any, ...]:
    return (version.number,)


def stages(name: str, wanted: Timeline, span: Span) -> list[Document]:
    """The part of a timeline that lies in one collection; ``name`` is the field that holds the reference there."""
    order = {"version": -1} if wanted.reference else {"updated": -1, name: -1} | _third(name)
    order = dict.fromkeys(order, 1) if wanted.backwards else order
    return [
        *matching(name, wanted, span),
        {"$sort": order},
        {"$limit": wanted.limit},
        {"$project": _FIELDS},
    ]


def matching(name: str, wanted: Timeline, span: Span) -> list[Document]:
    """Those versions themselves, in no order."""
    found = narrowing(*_conditions(name, wanted, span))
    return unfolding(found) if name == "_id" and _is_audit(wanted) else found


def _third(name: str) -> dict[str, int]:
    """A current version is the only one of its record."""
    return {} if name == "_id" else {"version": -1}


def _conditions(name: str, wanted: Timeline, span: Span) -> list[Document]:
    """The first is answered by an index alone."""
    bounds = _bounds(wanted, span)
    if wanted.reference:
        first: list[Document] = [{name: wanted.reference}, {"updated": bounds}]
    else:
        first = [({"type": wanted.type} if wanted.type else {}) | {"updated": bounds}]
    return [*first, confinement(wanted.reader, wanted.type), _still_current(name, wanted), _behind(name, wanted)]


def _bounds(wanted: Timeline, span: Span) -> Mapping[str, datetime]:
    """The times of writing that count."""
    ends = [end for end in (span[1], wanted.during[1] if wanted.during else None) if end is not None]
    start = {"$gte": max(span[0], wanted.since or _DAWN)}
    return start | {"$lt": min(ends)} if ends else start


def _still_current(name: str, wanted: Timeline) -> Document:
    """Of the superseded versions those that had not been superseded when the time asked for began."""
    if wanted.during is None or name == "_id":
        return {}
    return {"until": {"$gt": wanted.during[0]}}


def _behind(name: str, wanted: Timeline) -> Document:
    if wanted.after is None:
        return {}
    updated, reference, number = wanted.after
    beyond = "$gt" if wanted.backwards else "$lt"
    if wanted.reference:
        return {"version": {beyond: number}}
    further = {"updated": {beyond: updated}}
    return {"$or": [further, {name: {beyond: reference}}, {name: reference, "version": {beyond: number}}]}
