"""The audit trail as it is kept: events, durable at once, and the blocks that seal them later.

https://hl7.org/fhir/R4/auditevent.html
"""

from collections.abc import AsyncIterator, Sequence
from itertools import groupby
from operator import itemgetter

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase

from fhir_gateway.problem import Conflict
from fhir_gateway.store.mongo.connection import Document, answering
from fhir_gateway.store.mongo.documents import block_document, to_block, to_event
from fhir_gateway.store.mongo.transact import Session, Work, transact
from fhir_gateway.store.mongo.writing import Writer, insert
from fhir_gateway.store.port import Block, Commit, Event

_FIELDS = {"id": 1, "updated": 1, "body": 1, "block": 1}


class TrailKeeper:
    """``AuditTrail``."""

    _client: AsyncIOMotorClient[Document]
    _database: AsyncIOMotorDatabase[Document]

    async def append(self, events: Sequence[Event]) -> None:
        if events:
            writer = Writer(self._database, Commit(events=tuple(events)))
            await transact(self._client, Work(writer.write, writer.landed, writer.single))

    async def unsealed(self, limit: int) -> list[Event]:
        async with answering():
            cursor = self._database.events.find({"block": None}, _FIELDS).sort([("updated", 1), ("_id", 1)])
            return [to_event(document) async for document in cursor.limit(limit)]

    async def seal(self, block: Block) -> None:
        async def write(session: Session) -> None:
            await self._seal(block, session)

        async def landed(_: bool) -> bool:
            return await self._database.blocks.find_one(block_document(block)) is not None

        await transact(self._client, Work(write, landed))

    async def _seal(self, block: Block, session: Session) -> None:
        taken = Conflict("another sealer wrote a block of that number")
        await insert(self._database.blocks, [block_document(block)], session, taken)
        names = [f"AuditEvent/{event}" for event in block.events]
        result = await self._database.events.update_many(
            {"_id": {"$in": names}, "block": None}, {"$set": {"block": block.number}}, session=session
        )
        if result.matched_count != len(names):
            raise Conflict("an event of the block is missing or sealed already")

    async def last_block(self) -> Block | None:
        async with answering():
            document = await self._database.blocks.find_one(sort=[("_id", -1)])
        return to_block(document) if document else None

    async def blocks(self, start: int, limit: int) -> list[Block]:
        async with answering():
            cursor = self._database.blocks.find({"_id": {"$gte": start}}).sort("_id", 1).limit(limit)
            return [to_block(document) async for document in cursor]

    async def events(self, ids: Sequence[str]) -> dict[str, Event]:
        async with answering():
            cursor = self._database.events.find({"_id": {"$in": [f"AuditEvent/{one}" for one in ids]}}, _FIELDS)
            return {document["id"]: to_event(document) async for document in cursor}

    async def stray_events(self, limit: int) -> list[str]:
        strays: list[str] = []
        async with answering():
            async for number, ids in self._sealed():
                block = await self._database.blocks.find_one({"_id": number}, {"events": 1})
                listed = set(block["events"]) if block else set()
                strays += [one for one in ids if one not in listed]
                if len(strays) >= limit:
                    break
        return strays[:limit]

    async def _sealed(self) -> AsyncIterator[tuple[object, list[str]]]:
        """The events that claim a block, block by block, a part at a time."""
        cursor = self._database.events.find({"block": {"$ne": None}}, {"id": 1, "block": 1}).sort("block", 1)
        while part := await cursor.to_list(1000):
            for number, group in groupby(part, itemgetter("block")):
                yield number, [document["id"] for document in group]
