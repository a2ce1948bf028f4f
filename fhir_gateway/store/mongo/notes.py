"""Small records on named shelves, and named leases."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo.errors import DuplicateKeyError

from fhir_gateway.store.mongo.connection import Document, answering, narrowing, now, portions
from fhir_gateway.store.mongo.documents import found, note_name

# The embedded engine holds each note against each key: 0.1 ms a note for one key, 0.2 ms for 6, 0.4 ms for 24.
TOGETHER = 6


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

    async def columns(self, shelf: str, where: tuple[str, Sequence[str]], names: Sequence[str]) -> list[dict[str, Any]]:
        field, values = where
        keys = [max(found(shelf, {field: value}), key=len) for value in values]
        kept = {f"content.{name}": 1 for name in names}
        rows: list[dict[str, Any]] = []
        async with answering():
            for start in range(0, len(keys), TOGETHER):
                cursor = self._database.notes.find({"found": {"$in": keys[start : start + TOGETHER]}}, kept)
                rows += [document.get("content", {}) async for document in cursor]
        return rows

    async def forget(self, shelf: str, keys: Sequence[str]) -> None:
        async with answering():
            for part in portions([note_name(shelf, key) for key in keys]):
                await self._database.notes.delete_many({"_id": {"$in": list(part)}})

    async def hold(self, name: str, owner: str, seconds: float) -> bool:
        moment = now()
        free = {"_id": f"hold/{name}", "$or": [{"owner": owner}, {"until": {"$lte": moment}}]}
        until = moment + timedelta(seconds=seconds)
        async with answering():
            try:
                await self._database.leases.update_one(free, {"$set": {"owner": owner, "until": until}}, upsert=True)
            except DuplicateKeyError:
                # One that ends later than it is long was taken before the clock was set back: who is alive renews it.
                too_long = {"_id": f"hold/{name}", "until": {"$gt": until}}
                await self._database.leases.update_one(too_long, {"$set": {"until": until}})
                return False
        return True
