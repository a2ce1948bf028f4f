"""Keeping the indexes as the code wants them: new ones are built, and records found by old keys get new ones.

https://www.mongodb.com/docs/manual/core/index-creation/

Both happen beside the requests. A start never waits for a large collection; how far it is, ``upkeep`` tells.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import UpdateOne

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.search.extract import FIELDS, edition_here, index
from fhir_gateway.security.secrecy import is_secret
from fhir_gateway.store import pages
from fhir_gateway.store.ladder import ranged
from fhir_gateway.store.mongo.connection import SEARCHED, Collection, Document, answering, build, lacking, now
from fhir_gateway.store.mongo.layout import LAYOUT, NAME
from fhir_gateway.store.port import Upkeep
from fhir_gateway.store.typed import with_type

BATCH, EACH = 20, 10
"""Records at once, lest requests wait long for the database and the loop; and batches before the progress is told."""
LEASE_SECONDS = 60.0
_FIELDS = {"body": 1, "version": 1, "deleted": 1, "updated": 1, "events": 1}

Index = Callable[[dict[str, Any]], dict[str, Any]]


class IndexKeeper:
    """The upkeep of the search indexes; one process at a time does it."""

    _database: AsyncIOMotorDatabase[Document]

    async def upkeep(self) -> Upkeep:
        """How far it is, whichever process is at it."""
        async with answering():
            told = await self._database.leases.find_one({"_id": NAME}) or {}
            missing = [name for home in SEARCHED for name in await lacking(self._database[home])]
        current = _is_current(told)
        return Upkeep(tuple(missing), current, told.get("refreshed", 0), told.get("records", 0))

    async def keep_up(self, owner: str) -> bool:
        """Build what is missing and refresh what is old; False while another process is at it."""
        async with answering():
            if not await self._at_it(owner):
                return False
            for home in SEARCHED:
                for name, model in (await lacking(self._database[home])).items():
                    await build(self._database[home], {name: model})
            told = await self._database.leases.find_one({"_id": NAME}) or {}
            if not _is_current(told):
                await self._refresh_all(owner)
        return True

    async def _at_it(self, owner: str) -> bool:
        moment = now()
        end = moment + timedelta(seconds=LEASE_SECONDS)
        # One that ends later than it is long was taken before the clock was set back.
        open_ones = [{"owner": owner}, {"until": {"$lte": moment}}, {"until": {"$gt": end}}]
        free = {"_id": f"{NAME}/lease", "$or": open_ones}
        until = {"$set": {"owner": owner, "until": end}}
        known = await self._database.leases.find_one({"_id": f"{NAME}/lease"})
        result = await self._database.leases.update_one(free, until, upsert=known is None)
        return bool(result.matched_count or result.upserted_id)

    async def _refresh_all(self, owner: str) -> None:
        homes = [self._database[home] for home in SEARCHED]
        records = sum([await home.estimated_document_count() for home in homes])
        refreshed = 0
        await self._tell(refreshed=0, records=records, edition="")
        for home in homes:
            batch: list[Document] = []
            async for document in home.find({}, _FIELDS, batch_size=BATCH):
                batch.append(document)
                if len(batch) == BATCH:
                    refreshed += await _refresh(home, batch)
                    batch = []
                    if refreshed % (BATCH * EACH) == 0:
                        await self._tell(refreshed=refreshed)
                        await self._at_it(owner)
            refreshed += await _refresh(home, batch)
        await self._tell(refreshed=refreshed, edition=edition_here(), layout=LAYOUT)

    async def _tell(self, **facts: object) -> None:
        await self._database.leases.update_one({"_id": NAME}, {"$set": facts}, upsert=True)


def _is_current(told: Document) -> bool:
    """Whether the keys are those that this process makes, and lie where it looks for them."""
    return told.get("edition") == edition_here() and told.get("layout") == LAYOUT


async def _refresh(home: Collection, batch: list[Document]) -> int:
    """New keys for records that are still what was read; whoever wrote another version gave it new keys."""
    fields = {one["_id"]: _fields(one) for one in batch if one.get("body") and not one["deleted"]}
    changes = [_change(document, fields[document["_id"]]) for document in batch if document["_id"] in fields]
    changes += [_page_change(document) for document in batch if "events" in document]
    if changes:
        await home.bulk_write(changes, ordered=False)
    if secret := [name for name, made in fields.items() if "secret" in made]:
        await home.database.versions.update_many({"of": {"$in": secret}}, {"$set": {"secret": True}})
    return len(batch)


def _fields(document: Document) -> Document:
    resource = decode_resource(document["body"])
    return ranged(document["_id"], index(resource)) | ({"secret": True} if is_secret(resource) else {})


def _change(document: Document, fields: Document) -> UpdateOne:
    change = {"$set": fields} | ({"$unset": gone} if (gone := {f: "" for f in FIELDS if f not in fields}) else {})
    return UpdateOne({"_id": document["_id"], "version": document["version"]}, change)


def _page_change(page: Document) -> UpdateOne:
    """The same for a page of the audit trail."""
    events = [
        with_type("AuditEvent", index(decode_resource(event["body"])))
        | {name: event[name] for name in ("_id", "id", "body")}
        for event in page["events"]
    ]
    made = pages.folded(page["updated"], events)
    return UpdateOne({"_id": page["_id"]}, {"$set": {name: made[name] for name in ("keys", "common", "events")}})
