"""Small records on named shelves, and named leases."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo.errors import DuplicateKeyError

from fhir_gateway.store.mongo.connection import Document, answering, now
from fhir_gateway.store.mongo.documents import found, note_name

_AFTER_SLASH = "0"
"""The character that follows the slash: every name on a shelf sorts before it."""


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
        wanted: Document = {"_id": {"$gt": note_name(shelf, after), "$lt": shelf + _AFTER_SLASH}}
        tags = [tag for name, value in where.items() if (tag := found(shelf, name, value))]
        if tags:
            # The longest is the rarest, as a rule: a case number rather than a state.
            wanted = {"found": max(tags, key=len)} | wanted
        wanted |= {f"content.{name}": value for name, value in where.items()}
        async with answering():
            cursor = self._database.notes.find(wanted, {"key": 1, "content": 1}).sort("_id", 1).limit(limit)
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
