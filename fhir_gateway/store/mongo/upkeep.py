"""Keeping the indexes as the code wants them: new ones are built, and records found by old keys get new ones.

https://www.mongodb.com/docs/manual/core/index-creation/

Both happen beside the requests. A start never waits for a collection that holds something; how far it is, ``upkeep``
tells. MongoDB builds an index beside its other work. The embedded engine builds one while nobody else is connected
(``apart``), and before an index of keys is built, the keys are taken from the records in small portions: then it has
one entry a record to write instead of fifty. Each portion is written together with the lease and with its place, so
whoever lost the lease writes nothing more, and whoever is killed goes on where it was.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase
from pymongo import IndexModel

from fhir_gateway.problem import Conflict
from fhir_gateway.search.extract import edition_here
from fhir_gateway.store.mongo.connection import (
    COLLECTIONS,
    SEARCHED,
    Collection,
    Document,
    answering,
    build,
    connect,
    lacking,
    now,
)
from fhir_gateway.store.mongo.layout import CLEARED, LAYOUT, NAME, REFRESHED
from fhir_gateway.store.mongo.refreshing import Statements, cleared, refreshed
from fhir_gateway.store.mongo.stretches import Stretches
from fhir_gateway.store.mongo.transact import Session, Work, transact
from fhir_gateway.store.port import Upkeep

LEASE_SECONDS = 60.0
LEASE = f"{NAME}/lease"
KEYS = "keys"

Apart = Callable[[str, Mapping[str, Sequence[str]]], Awaitable[None]]
"""Builds indexes of a database, named by collection, while nobody else is connected. Raises Unavailable."""
Change = Callable[[Collection, Sequence[str]], Awaitable[Statements]]
Missing = Mapping[str, Mapping[str, IndexModel]]


class IndexKeeper:
    """The upkeep of the search indexes; one process at a time does it."""

    _client: AsyncIOMotorClient[Document]
    _database: AsyncIOMotorDatabase[Document]
    apart: Apart | None = None
    busy: Callable[[], bool] = staticmethod(lambda: False)
    url: str | None = None

    async def upkeep(self) -> Upkeep:
        """How far it is, whichever process is at it."""
        async with answering():
            told = await self._told()
            missing = [name for names in (await self._missing()).values() for name in names]
        done = (told.get(name, 0) for name in (REFRESHED, "records", CLEARED))
        return Upkeep(tuple(missing), _is_current(told), *done)

    async def keep_up(self, owner: str) -> bool:
        """Build what is missing and refresh what is old; False while another process is at it."""
        async with answering():
            if not await self._at_it(owner):
                return False
            try:
                await self._built(owner)
                if not _is_current(await self._told()):
                    await self._all(owner, REFRESHED, edition_here(), refreshed)
                    await self._tell(edition=edition_here(), layout=LAYOUT, doing="")
            except Conflict:
                return False
        return True

    async def _built(self, owner: str) -> None:
        missing = await self._missing()
        if not missing:
            return
        if self.apart is None:
            async with self._kept(owner):
                await self._beside(missing)
            return
        # Where searches are not refused, keys stay: to find nothing would be silent.
        if any(KEYS in missing.get(home, ()) for home in SEARCHED) and (await self._told()).get("layout") != LAYOUT:
            await self._all(owner, CLEARED, str(LAYOUT), cleared)
        await self._still(owner)
        await self.apart(str(self._database.name), {home: [*names] for home, names in missing.items()})

    async def _missing(self) -> Missing:
        found = {home: await lacking(self._database[home]) for home in COLLECTIONS}
        return {home: names for home, names in found.items() if names}

    async def _beside(self, missing: Missing) -> None:
        """On a connection of its own, which waits for as long as it takes."""
        client = connect(self.url, socketTimeoutMS=0) if self.url else self._client
        try:
            for home, models in missing.items():
                for name, model in models.items():
                    await build(client[self._database.name][home], {name: model})
        finally:
            if client is not self._client:
                client.close()

    @asynccontextmanager
    async def _kept(self, owner: str) -> AsyncIterator[None]:
        """The lease is renewed while the block goes on."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(LEASE_SECONDS / 3)
                await self._at_it(owner)

        renewing = asyncio.create_task(renew())
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    async def _at_it(self, owner: str) -> bool:
        moment = now()
        end = moment + timedelta(seconds=LEASE_SECONDS)
        # One that ends later than it is long was taken before the clock was set back.
        open_ones = [{"owner": owner}, {"until": {"$lte": moment}}, {"until": {"$gt": end}}]
        free = {"_id": LEASE, "$or": open_ones}
        until = {"$set": {"owner": owner, "until": end}}
        known = await self._database.leases.find_one({"_id": LEASE})
        result = await self._database.leases.update_one(free, until, upsert=known is None)
        return bool(result.matched_count or result.upserted_id)

    async def _still(self, owner: str, session: Session = None) -> None:
        """Raises Conflict when another process has taken over."""
        until = {"$set": {"until": now() + timedelta(seconds=LEASE_SECONDS)}}
        if not (
            await self._database.leases.update_one({"_id": LEASE, "owner": owner}, until, session=session)
        ).matched_count:
            raise Conflict("another process keeps the indexes up")

    async def _all(self, owner: str, what: str, aim: str, change: Change) -> None:
        """Change all records, from where this was left; ``what`` counts them."""
        doing = f"{what} {aim}"
        if (await self._told()).get("doing") != doing:
            records = sum([await self._database[home].estimated_document_count() for home in SEARCHED])
            await self._tell(doing=doing, place=None, records=records, edition="", **{what: 0})
        told = await self._told()
        done = told.get(what, 0)
        async for stretch in Stretches(self._database, told["place"]):
            home = self._database[stretch.home]
            done += len(stretch.ids)
            facts = {what: min(done, told["records"]), "place": stretch.place}
            await self._together(owner, home, await change(home, stretch.ids), facts)
        # Marks of pages were counted, which have no keys.
        await self._tell(**{what: told["records"]})

    async def _together(self, owner: str, home: Collection, changes: Statements, facts: Document) -> None:
        async def write(session: Session) -> None:
            await self._still(owner, session)
            if changes:
                await home.bulk_write(changes, ordered=False, session=session)
            await self._database.leases.update_one({"_id": NAME}, {"$set": facts}, session=session)

        async def landed(_: bool) -> bool:
            return False

        await transact(self._client, Work(write, landed))

    async def _told(self) -> Document:
        return await self._database.leases.find_one({"_id": NAME}) or {}

    async def _tell(self, **facts: object) -> None:
        await self._database.leases.update_one({"_id": NAME}, {"$set": facts}, upsert=True)


def _is_current(told: Document) -> bool:
    """Whether the keys are those that this process makes, and lie where it looks for them."""
    return told.get("edition") == edition_here() and told.get("layout") == LAYOUT
