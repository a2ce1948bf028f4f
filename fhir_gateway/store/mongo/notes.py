"""Small records on named shelves, and named leases."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo.errors import DuplicateKeyError

from fhir_gateway.store.mongo.connection import Document, answering, narrowing, now
from fhir_gateway.store.mongo.documents import found, note_name


class NoteKeeper:
    """``Notes``."""

    _database: AsyncIOMotorDatabase[Document]

    async def note(self, shelf: str, key: str) -> Mapping[str, Any] | None:
        async with answering():
            document = await self._database.notes.find_one({"_id": note_name(shelf, key)}, {"content": 1})
        return document["content"] if document else None

    async def notes(
        self, shelf: str, where: Mapping[str, Any], after: str, limit: int
    ) -> list[tuple[str, Mapping[str, Any]]]:
        # The longest is the rarest, as a rule: a case number rather than a state.
        rarest = max(found(shelf, where), key=len)
        wanted = narrowing(
            {"found": rarest, "_id": {"$gt": note_name(shelf, after)}},
            {f"content.{name}": value for name, value in where.items()},
        )
        ends: list[Document] = [{"$sort": {"_id": 1}}, {"$limit": limit}, {"$project": {"key": 1, "content": 1}}]
        async with answering():
            cursor = self._database.notes.aggregate([*wanted, *ends])
            return [(document["key"], document["content"]) async for document in cursor]

    async def hold(self, name: str, owner: str, seconds: float) -> bool:
        moment = now()
        free = {"_id": f"hold/{name}", "$or": [{"owner": owner}, {"until": {"$lte": moment}}]}
        change = {"$set": {"owner": owner, "until": moment + timedelta(seconds=seconds)}}
        async with answering():
            try:
                await self._database.leases.update_one(free, change, upsert=True)
            except DuplicateKeyError:
                return False
        return True
