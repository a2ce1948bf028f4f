"""Pages read by stretches of ids: the ladders of the types, and which share of them each question was met by.

https://www.mongodb.com/docs/manual/core/indexes/index-types/index-compound/
"""

import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from random import uniform
from typing import Any

from fhir_gateway.search.query import Query
from fhir_gateway.security.sight import Reader
from fhir_gateway.store.filter import AUDIT, count_stages, stages
from fhir_gateway.store.ladder import ENOUGH, LEVELS, Cell, Climb, Ladder, Stretch, built, level_key
from fhir_gateway.store.mongo.connection import Collection, Document
from fhir_gateway.store.ranking import rank
from fhir_gateway.store.typed import typed

KEPT_SECONDS, KEPT_SHARES = 60.0, 10_000
TRUST = 20.0
"""Matches that a remembered share weighs as much as."""
SAMPLES, SAMPLED = 16, 64.0
"""Stretches of an estimate, and the records of each."""
_FIRST = 0
_CODE_RANK = 4


@dataclass(slots=True, eq=False)
class Ladders:
    """What is known of where records lie; it grows old, and only costs time where it is wrong."""

    home: Collection
    _ladders: dict[str, tuple[Ladder | None, float]] = field(default_factory=dict)
    _shares: OrderedDict[Any, tuple[float, float]] = field(default_factory=OrderedDict)

    async def page(self, query: Query, reader: Reader) -> list[Document] | None:
        """The documents of one page, read by stretches; None where it is to be read at once."""
        pipeline = stages(query, reader)
        ladder = await self._ladder(query, pipeline)
        if ladder is None:
            return None
        asked = (query.type, query.criteria, reader)
        after = str(query.after[0]) if query.after else None
        falls = query.order[0].descending != query.backwards
        climb = Climb(ladder, max(query.size, 1), *self._shares.get(asked, (1.0, 1.0)), after, falls)
        found: list[Document] = []
        stretches = iter(climb)
        while await self._refined(query.type, climb) and (stretch := next(stretches, None)):
            part = [document async for document in self._within(query, reader, stretch)]
            climb.met([document["_id"] for document in part], stretch)
            found += part
        self._remember(asked, climb.share)
        return found[: climb.wanted]

    async def estimate(self, query: Query, reader: Reader) -> int | None:
        """About how many match, told from stretches all over the type; None where there are few enough to count."""
        query = replace(query, after=(), backwards=False, sorts=())
        pipeline = stages(query, reader)
        ladder = await self._ladder(query, pipeline)
        if ladder is None or ladder.size < 2 * SAMPLES * SAMPLED:
            return None
        met, looked = 0, 0.0
        for place in range(SAMPLES):
            height = (place + uniform(0, 1)) * (ladder.size - SAMPLED) / SAMPLES  # noqa: S311 - a sample, no secret
            while cell := ladder.coarse(height, SAMPLED):
                await self._refine(query.type, ladder, cell)
            start, stop = ladder.at(height), ladder.at(height + SAMPLED)
            met += await self._count(query, reader, Stretch(start, stop, SAMPLED))
            looked += SAMPLED
        return round(ladder.size * met / looked)

    async def _ladder(self, query: Query, pipeline: Sequence[Document]) -> Ladder | None:
        if not _is_stretchable(query, pipeline[_FIRST]["$match"]):
            return None
        known, until = self._ladders.get(query.type, (None, 0.0))
        if time.monotonic() > until:
            known = await self._built(query.type)
            self._ladders[query.type] = known, time.monotonic() + KEPT_SECONDS
        return known

    async def _built(self, type_: str) -> Ladder | None:
        rungs: list[str] = []
        for level in LEVELS:
            rungs += await self._rungs({"keys": typed(type_, level_key(level))})
            if len(rungs) >= ENOUGH:
                break
        return built(type_, rungs, level)

    async def _refined(self, type_: str, climb: Climb) -> bool:
        """True, when the ladder is as fine as the next stretch needs it."""
        while cell := climb.coarse():
            await self._refine(type_, climb.ladder, cell)
        return True

    async def _refine(self, type_: str, ladder: Ladder, cell: Cell) -> None:
        within = {"$gte": cell.start, "$lt": cell.stop}
        ladder.refine(cell, await self._rungs({"keys": typed(type_, level_key(cell.level)), "_id": within}))

    async def _rungs(self, wanted: Document) -> list[str]:
        return [document["_id"] for document in await self.home.find(wanted, {"_id": 1}).to_list(None)]

    async def _within(self, query: Query, reader: Reader, stretch: Stretch) -> AsyncIterator[Document]:
        pipeline = _limited(query, stages(query, reader), stretch)
        for document in await self.home.aggregate(pipeline).to_list(None):
            yield document

    async def _count(self, query: Query, reader: Reader, stretch: Stretch) -> int:
        pipeline = _limited(query, count_stages(query, reader), stretch)
        return sum([int(document["n"]) async for document in self.home.aggregate(pipeline)])

    def _remember(self, asked: Any, share: float) -> None:
        self._shares[asked] = share, TRUST
        self._shares.move_to_end(asked)
        if len(self._shares) > KEPT_SHARES:
            self._shares.popitem(last=False)


def _is_stretchable(query: Query, first: Document) -> bool:
    """Whether ``first``, the first condition of its stages, leads through an index in the order of the ids asked for.

    Then a range of ids may join it. Where it leaves few, all of them are read sooner than several ranges.
    """
    known = [name for name in ("keys", "readers") if isinstance(first.get(name), str)]
    if query.type == AUDIT or [sort.field for sort in query.order] != ["id"] or set(first) - {"type", "_id", *known}:
        return False
    return bool(known) and min(map(rank, query.criteria), default=9) >= _CODE_RANK


def _limited(query: Query, pipeline: list[Document], stretch: Stretch) -> list[Document]:
    """The stages, with the first condition confined to a stretch; the position itself is never found again."""
    above = "$gt" if query.after and query.after[0] == stretch.start else "$gte"
    within = {"_id": {above: stretch.start, "$lt": stretch.stop}}
    return [{"$match": pipeline[_FIRST]["$match"] | within}, *pipeline[1:]]
