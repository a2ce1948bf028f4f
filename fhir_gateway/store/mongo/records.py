"""Reading versions: current ones, old ones, and those a search asks for.

https://hl7.org/fhir/R4/http.html#read
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from itertools import chain, islice

from motor.motor_asyncio import AsyncIOMotorDatabase

from fhir_gateway.search.criteria import whole
from fhir_gateway.search.query import Query
from fhir_gateway.security.sight import Reader
from fhir_gateway.store import (
    filter,  # noqa: A004 - the room's own word
    pages,
    together,
)
from fhir_gateway.store.compartment import all_about, windows
from fhir_gateway.store.filter import count_stages, reference_stages, stages, target_stages
from fhir_gateway.store.mongo.connection import Collection, Document, answering, narrowing, portions, widened
from fhir_gateway.store.mongo.documents import VERSION_FIELDS, past, to_version
from fhir_gateway.store.mongo.ladders import Ladders
from fhir_gateway.store.mongo.layout import Layout
from fhir_gateway.store.mongo.looks import Looks
from fhir_gateway.store.mongo.plan import to_plan
from fhir_gateway.store.mongo.shared import Shared
from fhir_gateway.store.port import About, Plan, Version
from fhir_gateway.store.portions import counted, parted
from fhir_gateway.store.typed import typed, untyped

EVERY = 2**31 - 1
AUDIT = "AuditEvent/"
FEW = 20
"""So many current versions are asked for together with those of others."""
_FIELDS = dict.fromkeys(VERSION_FIELDS, 1)
_PAGE_FIELDS = _FIELDS | dict.fromkeys(("events._id", "events.id", "events.body"), 1)


class RecordReader:
    """The reading half of ``Records``."""

    _database: AsyncIOMotorDatabase[Document]
    _looks: Looks
    _ladders: Ladders
    _shared: Shared
    _layout: Layout
    _bounds_elements: bool = True

    def _home(self, kind: str) -> Collection:
        return self._database.events if kind == "AuditEvent" else self._database.resources

    async def current(self, reference: str) -> Version | None:
        return await self._looks.current(reference)

    async def currents(self, references: Sequence[str]) -> dict[str, Version]:
        return await (self._looks.currents(references) if len(references) <= FEW else self._currents(references))

    async def _currents(self, references: Sequence[str]) -> dict[str, Version]:
        events = {reference for reference in references if reference.startswith(AUDIT)}
        names = [reference for reference in dict.fromkeys(references) if reference not in events]
        async with answering():
            found = [page async for page in _all(self._database.resources, names, _FIELDS)]
            if events:
                paged = _all(self._database.events, list(dict.fromkeys(map(pages.page_of, events))), _PAGE_FIELDS)
                found += [one async for page in paged for one in pages.opened(page) if one["_id"] in events]
        return {document["_id"]: to_version(document) for document in found}

    async def version(self, reference: str, number: int) -> Version | None:
        # The current one first: a version that moves to the history in between is then met there.
        current = await self.current(reference)
        if current is None or number >= current.number:
            return current if current and current.number == number else None
        async with answering():
            document = await self._database.versions.find_one({"_id": past(reference, number)})
        return to_version(document) if document else None

    async def versions(self, reference: str, before: int | None, limit: int) -> list[Version]:
        current = await self.current(reference)
        if current is None or limit < 1 or (before is not None and before <= 1):
            return []
        newest = [current] if before is None or current.number < before else []
        end = min(current.number, before or current.number)
        wanted = narrowing({"of": reference, "version": {"$lt": end}})
        async with answering():
            cursor = self._database.versions.aggregate([*wanted, {"$sort": {"version": -1}}, {"$limit": limit}])
            older = [to_version(document) async for document in cursor]
        return [*newest, *older][:limit]

    async def find(self, query: Query, reader: Reader = None) -> list[Version]:
        await self._layout.must_be_current()
        parts = parted(query)
        shared = await self._shared.matches(together.entrance(query, reader)) if len(parts) == 1 else None
        if shared is not None:
            page = together.page(query, shared)
        else:
            async with answering():
                read = [await self._page(part, reader) for part in parts]
            page = read[0] if len(read) == 1 else filter.merged(query, chain.from_iterable(read))
        found = [to_version(document) for document in page]
        return found[::-1] if query.backwards else found

    async def _page(self, query: Query, reader: Reader) -> list[Document]:
        page = await self._ladders.page(query, reader)
        return await self._read(query, stages(query, reader)) if page is None else page

    async def _read(self, query: Query, pipeline: list[Document]) -> list[Document]:
        # In one piece: document by document the driver's way through its threads costs as much as the search.
        return await self._home(query.type).aggregate(self._asked(pipeline)).to_list(None)

    def _asked(self, pipeline: list[Document]) -> list[Document]:
        return pipeline if self._bounds_elements else widened(pipeline)

    async def references(self, query: Query, reader: Reader = None) -> list[str]:
        await self._layout.must_be_current()
        found: dict[str, None] = {}
        async with answering():
            for part in parted(query):
                page = await self._shared.matches(together.entrance(part, reader))
                if page is None:
                    page = await self._read(query, reference_stages(part, reader))
                found |= {document["_id"]: None for document in page}
                if len(found) >= query.size:
                    break
        return list(found)[: query.size]

    async def targets(self, query: Query, key: str, reader: Reader = None) -> dict[str, list[str]]:
        await self._layout.must_be_current()
        found: dict[str, list[str]] = {}
        async with answering():
            for part in parted(query):
                page = await self._shared.matches(together.entrance(part, reader))
                if page is None:
                    page = await self._read(query, target_stages(part, reader))
                found |= {
                    document["_id"]: _of_parameter(query.type, document.get("keys", ()), key) for document in page
                }
        return dict(islice(found.items(), query.size))

    async def about(self, wanted: About) -> list[Version]:
        shared = await self._shared.matches(all_about(wanted))
        if shared is not None:
            ordered = sorted(shared, key=lambda document: document["_id"])
            return [to_version(document) for document in ordered[: wanted.limit]]
        found: list[Document] = []
        async with answering():
            for window in windows(wanted):
                found += await self._database.resources.aggregate(window).to_list(None)
                if len(found) >= wanted.limit:
                    break
        return [to_version(document) for document in found[: wanted.limit]]

    async def explain(self, query: Query, reader: Reader = None) -> Plan:
        home = self._home(query.type)
        command = {"aggregate": home.name, "pipeline": self._asked(stages(query, reader)), "cursor": {}}
        async with answering():
            told = await self._database.command("explain", command, verbosity="executionStats")
        return to_plan(told)

    async def count(self, query: Query, reader: Reader = None, limit: int = 0) -> int:
        await self._layout.must_be_current()
        if len(counted(query)) > 1:
            # One record may be met by several portions, so they are told apart by their ids.
            every = replace(query, after=(), backwards=False, size=limit or EVERY)
            return len(await self.references(every, reader))
        shared = await self._shared.matches(together.entrance(replace(query, after=()), reader))
        if shared is not None:
            return min(len(shared), limit or EVERY)
        async with answering():
            cursor = self._home(query.type).aggregate(self._asked(count_stages(query, reader, limit)))
            found = [int(document["n"]) async for document in cursor]
        return found[0] if found else 0

    async def estimate(self, query: Query, reader: Reader = None, limit: int = 0) -> int:
        await self._layout.must_be_current()
        async with answering():
            known = [await self._ladders.estimate(part, reader) for part in parted(query)]
        told = [one for one in known if one is not None]
        return sum(told) if len(told) == len(known) else await self.count(query, reader, limit)

    async def claimed(self, keys: Sequence[str]) -> dict[str, str]:
        async with answering():
            cursor = self._database.claims.find({"_id": {"$in": list(dict.fromkeys(keys))}})
            return {document["_id"]: document["owner"] async for document in cursor}


def _of_parameter(type_: str, keys: Iterable[str], key: str) -> list[str]:
    start, stop = (typed(type_, edge) for edge in whole(key))
    return [untyped(one) for one in keys if start <= one < stop]


async def _all(home: Collection, names: Sequence[str], fields: Document) -> AsyncIterator[Document]:
    if len(names) == 1:
        # Of one the embedded engine needs as long to leave its keys out as to find it.
        document = await home.find_one({"_id": names[0]})
        names = ()
        if document is not None:
            yield document
    for part in portions(names):
        for document in await home.find({"_id": {"$in": part}}, fields).to_list(None):
            yield document
