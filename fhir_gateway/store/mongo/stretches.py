"""All records and pages of the audit trail, a few at a time, for work that a kill must not send back to its beginning.

https://www.mongodb.com/docs/manual/tutorial/sort-results-with-indexes/

The embedded engine in Python reads whatever an index gives before it gives the first, and for an interval of ids the
whole collection. So records are asked for by type and between the times of two rungs (``store/ladder.py``), which are
spread over the times as they are over the ids; pages by the blocks that list them.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase

from fhir_gateway.fhir.definitions import resource_types
from fhir_gateway.store import pages
from fhir_gateway.store.ladder import LEVELS, level_key
from fhir_gateway.store.mongo.connection import Document
from fhir_gateway.store.typed import typed

PORTION = 20
"""Records or pages at once, lest requests wait long for the database and the loop."""
FEW = 1_000
"""So many are looked through without an order."""
BEGIN, END = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A few of one collection; ``place`` is where to go on when they may not have been done."""

    home: str
    ids: list[str]
    place: list[Any]


class Stretches:
    """The way through one database, from a place on that an earlier stretch had."""

    def __init__(self, database: AsyncIOMotorDatabase[Document], place: Sequence[Any] | None) -> None:
        self._database = database
        home, kind, since = place or ("", "", None)
        self._home: str = home
        self._kind: str = kind
        self._since: Any = since

    async def __aiter__(self) -> AsyncIterator[Stretch]:
        if self._home != "events":
            async for stretch in self._of_resources():
                yield stretch
        async for stretch in self._of_events():
            yield stretch

    async def _of_resources(self) -> AsyncIterator[Stretch]:
        home = self._database.resources
        if await home.estimated_document_count() <= FEW:
            for part in _parts([document["_id"] async for document in home.find({}, {"_id": 1})]):
                yield Stretch(home.name, part, [home.name, "", None])
            return
        for kind in sorted(resource_types()):
            if kind < self._kind:
                continue
            since = self._since if kind == self._kind and self._since else BEGIN
            for first, last in pairwise([since, *(one for one in await self._rungs(kind) if one > since), END]):
                asked = home.find({"type": kind, "updated": {"$gte": first, "$lt": last}}, {"_id": 1})
                ids = [document["_id"] async for document in asked]
                for part in _parts(ids):
                    yield Stretch(home.name, part, [home.name, kind, first])

    async def _rungs(self, kind: str) -> list[datetime]:
        """When the rungs of the type were written, however keys lie."""
        home = self._database.resources
        over = dict((await home.index_information()).get("keys", {"key": ()})["key"])
        bare = [level_key(level) for level in LEVELS]
        keys = {"$in": [*(typed(kind, key) for key in bare), *(bare if "type" in over else ())]}
        asked = home.find({"type": kind, "keys": keys} if "type" in over else {"keys": keys}, {"updated": 1})
        return sorted({document["updated"] async for document in asked}) if over else []

    async def _of_events(self) -> AsyncIterator[Stretch]:
        """What waits before what is sealed: a page that is sealed meanwhile is met once at least."""
        home = self._database.events
        number = self._since if self._home == home.name else 0
        if number == 0:
            for part in _parts(await self._unsealed()):
                yield Stretch(home.name, part, [home.name, "", 0])
        last = await self._database.blocks.find_one({}, {"_id": 1}, sort=[("_id", -1)]) or {"_id": 0}
        for block in range(max(number, 1), last["_id"] + 1):
            for part in _parts(await self._sealed(block)):
                yield Stretch(home.name, part, [home.name, "", block])

    async def _unsealed(self) -> list[str]:
        marks = self._database.events.find({"block": pages.WAITING}, {"page": 1})
        alone = self._database.events.find({"block": None}, {"_id": 1})
        return [*[mark["page"] async for mark in marks], *[event["_id"] async for event in alone]]

    async def _sealed(self, number: int) -> list[str]:
        """The pages that the block lists, and its events that lie alone."""
        block = await self._database.blocks.find_one({"_id": number}, {"pages": 1}) or {}
        alone = self._database.events.find({"block": number}, {"_id": 1})
        return [*block.get("pages", ()), *[event["_id"] async for event in alone]]


def _parts(ids: list[str]) -> Iterator[list[str]]:
    return (ids[start : start + PORTION] for start in range(0, len(ids), PORTION))
