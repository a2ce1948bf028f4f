"""The audit trail as it is kept: pages of events, durable at once, and the blocks that seal them later.

https://hl7.org/fhir/R4/auditevent.html

Beside each new page lies a mark that it waits; the transaction that writes a block takes the marks of its pages away.
So no page is written twice, and one that is neither marked nor listed in a block was slipped in. Events that an
earlier version wrote lie alone and carry the number of their block themselves.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import timedelta
from itertools import groupby
from operator import itemgetter

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase

from fhir_gateway.problem import Conflict
from fhir_gateway.store import pages
from fhir_gateway.store.mongo.connection import PORTION, Document, answering, now, portions
from fhir_gateway.store.mongo.documents import block_document, event_name, page_name, to_block, to_event
from fhir_gateway.store.mongo.statements import insert
from fhir_gateway.store.mongo.transact import Session, Work, directly, transact
from fhir_gateway.store.mongo.writing import Writer
from fhir_gateway.store.port import Block, Commit, Event

LOST_AFTER = timedelta(minutes=10)
"""A mark this old whose page is not there is of a write that failed."""

_FIELDS: Document = dict.fromkeys(("id", "updated", "body", "block", "events.id", "events.body"), 1)
_STRAYS_AT_ONCE = 200


class TrailKeeper:
    """``AuditTrail``."""

    _client: AsyncIOMotorClient[Document]
    _database: AsyncIOMotorDatabase[Document]

    async def append(self, events: Sequence[Event]) -> None:
        if events:
            writer = Writer(self._database, Commit(events=tuple(events)))
            await transact(self._client, Work(writer.write, writer.landed, writer.single))

    async def deliver(self, events: Sequence[Event]) -> None:
        """As ``append``, of whole pages of which an earlier try may have brought in some: those stay as they are."""
        left = _by_page(events)
        while left:
            try:
                await self._bring(left.values())
                return
            except Conflict:
                async with answering():
                    there = [page["_id"] async for page in self._pages([*left], {"_id": 1})]
                if not there:
                    raise
                left = {name: page for name, page in left.items() if name not in there}

    async def _bring(self, pages_: Collection[Sequence[Event]]) -> None:
        """Each page in a statement of its own: the embedded engine serves nobody else during a statement."""
        writers = [Writer(self._database, Commit(events=tuple(page))) for page in pages_]

        async def write(session: Session) -> None:
            for writer in writers:
                await writer.write(session)

        # One for all, and in a transaction even if it is alone: a page never lies here without its mark.
        await transact(self._client, Work(write, writers[0].landed))

    async def unsealed(self, limit: int) -> list[Event]:
        async with answering():
            cursor = self._database.events.find({"block": None}, _FIELDS).sort([("updated", 1), ("_id", 1)])
            alone = [to_event(document) async for document in cursor.limit(limit)]
            return alone or await self._waiting(limit)

    async def _waiting(self, limit: int) -> list[Event]:
        """The events of whole pages, the oldest first: of one at least, else no more than ``limit``."""
        marked = self._database.events.find({"block": pages.WAITING}, {"page": 1, "updated": 1})
        cursor = marked.sort([("updated", 1), ("_id", 1)]).limit(limit)
        found: list[Event] = []
        while marks := await cursor.to_list(PORTION):
            for page in await self._marked(marks):
                events = [*map(to_event, pages.opened(page))]
                if found and len(found) + len(events) > limit:
                    return found
                found += events
        return found

    async def _marked(self, marks: Sequence[Document]) -> list[Document]:
        """The pages that do wait; marks of others are dropped: of sealed ones, and of such as were never written."""
        names = [mark["page"] for mark in marks]
        there = {page["_id"]: page async for page in self._pages(names)}
        useless = {*await self._numbers(names)}
        useless |= {one["page"] for one in marks if one["page"] not in there and one["updated"] < now() - LOST_AFTER}
        if useless:
            await self._database.events.delete_many({"_id": {"$in": [*map(pages.waiting, useless)]}})
        return [there[name] for name in names if name in there and name not in useless]

    async def _pages(self, names: Sequence[str], fields: Document = _FIELDS) -> AsyncIterator[Document]:
        for part in portions(names):
            async for page in self._database.events.find({"_id": {"$in": list(part)}}, fields):
                yield page

    async def _numbers(self, names: Sequence[str]) -> dict[str, int]:
        """Of those pages that are sealed, the block."""
        found: dict[str, int] = {}
        for part in portions(names):
            cursor = self._database.blocks.find({"pages": {"$in": list(part)}}, {"pages": 1}).sort("_id", -1)
            async for block in cursor:
                found |= dict.fromkeys(block["pages"], block["_id"])
        return {name: found[name] for name in names if name in found}

    async def seal(self, block: Block) -> None:
        async def write(session: Session) -> None:
            await self._seal(block, session)

        async def landed(_: bool) -> bool:
            return await self._database.blocks.find_one(block_document(block)) is not None

        await transact(self._client, Work(write, landed))

    async def _seal(self, block: Block, session: Session) -> None:
        document, gone = block_document(block), Conflict("an event of the block is missing or sealed already")
        if await self._numbers(document["pages"]):
            raise gone
        taken = Conflict("another sealer wrote a block of that number")
        blocks = self._database.blocks.delegate
        await directly(lambda direct: insert(blocks, [document], direct, taken), session)
        marks = [pages.waiting(page) for page in document["pages"]]
        result = await self._database.events.delete_many({"_id": {"$in": marks}}, session=session)
        if result.deleted_count == len(marks):
            return
        alone = {"_id": {"$in": [event_name(event) for event in block.events]}, "block": None}
        changed = await self._database.events.update_many(alone, {"$set": {"block": block.number}}, session=session)
        if result.deleted_count + changed.matched_count != len(marks):
            raise gone

    async def last_block(self) -> Block | None:
        async with answering():
            document = await self._database.blocks.find_one(sort=[("_id", -1)])
        return to_block(document) if document else None

    async def blocks(self, start: int, limit: int) -> list[Block]:
        async with answering():
            cursor = self._database.blocks.find({"_id": {"$gte": start}}).sort("_id", 1).limit(limit)
            return [to_block(document) async for document in cursor]

    async def events(self, ids: Sequence[str]) -> dict[str, Event]:
        wanted, names = set(ids), list(dict.fromkeys(map(page_name, ids)))
        async with answering():
            numbers = await self._numbers(names)
            found = [
                to_event(one, numbers.get(page["_id"]))
                async for page in self._pages(names)
                for one in pages.opened(page)
            ]
        return {event.id: event for event in found if event.id in wanted}

    async def stray_events(self, limit: int) -> list[str]:
        strays: list[str] = []
        async with answering():
            for search in (self._strays_alone(), self._strays_in_pages()):
                async for some in search:
                    strays += some
                    if len(strays) >= limit:
                        break
        return strays[:limit]

    async def _strays_alone(self) -> AsyncIterator[list[str]]:
        """Events that claim a block which does not list them."""
        cursor = self._database.events.find({"block": {"$gt": pages.PAGED}}, _FIELDS).sort("block", 1)
        while part := await cursor.to_list(1000):
            for number, group in groupby(part, itemgetter("block")):
                block = await self._database.blocks.find_one({"_id": number}, {"events": 1})
                listed = set(block["events"]) if block else set()
                yield [one["id"] for page in group for one in pages.opened(page) if one["id"] not in listed]

    async def _strays_in_pages(self) -> AsyncIterator[list[str]]:
        """Events of pages that neither wait nor are listed in a block."""
        home = self._database.events
        cursor = home.find({"block": pages.PAGED}, {"_id": 1, "events.id": 1}).sort("updated", 1)
        while part := await cursor.to_list(_STRAYS_AT_ONCE):
            # The marks before the blocks: a page that is sealed in between is met in the blocks.
            marks = home.find({"_id": {"$in": [pages.waiting(page["_id"]) for page in part]}}, {"page": 1})
            waiting = {mark["page"] async for mark in marks}
            rest = [page for page in part if page["_id"] not in waiting]
            sealed = await self._sealed([page["_id"] for page in rest])
            yield [one["id"] for page in rest for one in page["events"] if one["id"] not in sealed]

    async def _sealed(self, names: Sequence[str]) -> set[str]:
        """The events that the blocks of these pages list."""
        found: set[str] = set()
        for part in portions(names):
            async for block in self._database.blocks.find({"pages": {"$in": list(part)}}, {"events": 1}):
                found |= {*block["events"]}
        return found


def _by_page(events: Sequence[Event]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = {}
    for event in events:
        found.setdefault(page_name(event.id), []).append(event)
    return found
