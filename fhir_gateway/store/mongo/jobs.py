"""Work owed: leased in batches, the jobs of one group in the order they were written, in one pair of hands.

A job is a candidate once its ``ready`` time has come. A leased job is not ready before its lease ends, a postponed one
not before its next try; both are ``held`` in their lane, and nothing later in that lane is leased meanwhile. Whatever
can be leased now is ready since 1970: so candidates come by age alone, also those whose lease has ended.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from time import time_ns

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase

from fhir_gateway.store.mongo.connection import Document, answering, milliseconds, narrowing, now
from fhir_gateway.store.mongo.documents import AT_ONCE, lane_name, to_job
from fhir_gateway.store.mongo.transact import Overtaken, Session, Work, transact
from fhir_gateway.store.mongo.writing import go_behind
from fhir_gateway.store.port import Job

GIVEN_BACK = {"$set": {"ready": AT_ONCE}, "$unset": {"holder": "", "held": ""}}
ROUNDS = 3
"""How often a lease looks past the groups that others hold before it is content with what it has."""


@dataclass(slots=True)
class Hunt:
    """One search for work: what may be leased, and what waits behind a postponed job until when."""

    moment: datetime
    chosen: list[Document]
    passed: set[str]
    blocked: dict[datetime, list[str]]
    all_seen: bool = True
    """Whether nothing lies beyond what was read, and all of it stands in the order of its age."""


class JobKeeper:
    """``Jobs``."""

    _client: AsyncIOMotorClient[Document]
    _database: AsyncIOMotorDatabase[Document]

    async def lease(self, queue: str, owner: str, limit: int, seconds: float) -> list[Job]:
        async with answering():
            # Most looks find nothing to do: they must not cost a transaction.
            if limit < 1 or not await self._database.jobs.find_one(_ready(queue, now()), {"_id": 1}):
                return []
        leased: list[Document] = []

        async def take(session: Session) -> None:
            leased[:] = await self._take(queue, owner, limit, seconds, session)

        await transact(self._client, Work(take, _never))
        return [to_job(document) for document in leased]

    async def _take(self, queue: str, owner: str, limit: int, seconds: float, session: Session) -> list[Document]:
        # One lease at a time in a queue: two that overlap meet on this document, and one of them starts again.
        await self._database.leases.update_one(
            {"_id": f"queue/{queue}"}, {"$inc": {"leases": 1}}, upsert=True, session=session
        )
        hunt = await self._hunt(queue, limit, session)
        if not hunt.all_seen and await self._given_back(queue, session):
            hunt = await self._hunt(queue, limit, session)
        for due, names in hunt.blocked.items():
            await self._database.jobs.update_many({"_id": {"$in": names}}, {"$set": {"ready": due}}, session=session)
        names = [document["_id"] for document in hunt.chosen]
        end = milliseconds(hunt.moment + timedelta(seconds=seconds))
        held = {"holder": {"$literal": owner}, "ready": end, "held": "$lane"}
        if names:
            result = await self._database.jobs.update_many({"_id": {"$in": names}}, [{"$set": held}], session=session)
            if result.matched_count != len(names):
                raise Overtaken
        return hunt.chosen

    async def _given_back(self, queue: str, session: Session) -> bool:
        """What has come due since, and what a lease held that has ended, goes among the others by its age."""
        due = {"queue": queue, "ready": {"$gt": AT_ONCE, "$lte": now()}}
        result = await self._database.jobs.update_many(due, GIVEN_BACK, session=session)
        return bool(result.modified_count)

    async def _hunt(self, queue: str, limit: int, session: Session) -> Hunt:
        hunt = Hunt(now(), [], set(), {})
        size = limit + 20
        for _ in range(ROUNDS):
            others = {"lane": {"$nin": sorted(hunt.passed)}} if hunt.passed else {}
            wanted = narrowing(_ready(queue, hunt.moment), others)
            ends: list[Document] = [{"$sort": {"ready": 1, "order": 1}}, {"$limit": size}]
            found = await self._database.jobs.aggregate([*wanted, *ends], session=session).to_list(size)
            at_once = all(document["ready"] <= AT_ONCE for document in found)
            hunt.all_seen = hunt.all_seen and at_once and len(found) < size
            lanes = _lanes(found)
            holders = await self._holders(lanes, hunt.moment, session)
            _choose(hunt, lanes, holders)
            if len(found) < size or len(hunt.chosen) >= limit:
                break
        hunt.chosen = sorted(hunt.chosen, key=_age)[:limit]
        return hunt

    async def _holders(self, lanes: Iterable[str], moment: datetime, session: Session) -> dict[str, Document]:
        wanted = narrowing({"held": {"$in": sorted(lanes)}}, {"ready": {"$gt": moment}})
        cursor = self._database.jobs.aggregate(wanted, session=session)
        return {document["lane"]: document async for document in cursor}

    async def settle(self, job: str) -> None:
        async with answering():
            await self._database.jobs.delete_one({"_id": job})

    async def postpone(self, job: str, due: datetime, trouble: str) -> None:
        due = milliseconds(due)
        later = {"ready": due, "due": due, "trouble": trouble}
        change = {"$set": later, "$inc": {"attempts": 1}, "$unset": {"holder": ""}}
        async with answering():
            before = await self._database.jobs.find_one_and_update({"_id": job}, change)
            if before is not None and before.get("holder") is not None:
                await self._give_back(before, due)

    async def _give_back(self, job: Document, due: datetime) -> None:
        """The rest of the group, leased together with the job, waits behind it."""
        behind = {"held": job["lane"], "holder": job["holder"], "order": {"$gt": job["order"]}}
        change = {"$set": {"ready": due}, "$unset": {"holder": "", "held": ""}}
        await self._database.jobs.update_many(behind, change)

    async def release(self, queue: str) -> None:
        async with answering():
            await self._database.jobs.update_many({"queue": queue, "holder": {"$exists": True}}, GIVEN_BACK)

    async def hasten(self, queue: str, longest: float = 0.0) -> None:
        beyond = now() + timedelta(seconds=longest)
        async with answering():
            await self._database.jobs.update_many({"queue": queue, "ready": {"$gt": beyond}}, GIVEN_BACK)
            ahead = self._database.jobs.find({"queue": queue, "order": {"$gt": time_ns()}}, {"order": 1})
            go_behind([document["order"] async for document in ahead.sort("order", -1).limit(1)])

    async def give_back(self, job: Job) -> None:
        async with answering():
            await self._database.jobs.update_many({"held": lane_name(job), "order": {"$gt": job.order}}, GIVEN_BACK)

    async def owed(self, queue: str, limit: int) -> list[Job]:
        async with answering():
            cursor = self._database.jobs.find({"queue": queue}).sort("order", 1).limit(limit)
            return [to_job(document) async for document in cursor]

    async def waiting(self, prefix: str, limit: int) -> int:
        after = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        async with answering():
            return await self._database.jobs.count_documents({"_id": {"$gte": prefix, "$lt": after}}, limit=limit)


async def _never(_: bool) -> bool:
    """A lease whose answer was lost is not claimed: its jobs come back when it ends."""
    return False


def _ready(queue: str, moment: datetime) -> Document:
    return {"queue": queue, "ready": {"$lte": moment}}


def _age(document: Mapping[str, int]) -> int:
    return document["order"]


def _lanes(found: Iterable[Document]) -> dict[str, list[Document]]:
    lanes: dict[str, list[Document]] = {}
    for document in found:
        lanes.setdefault(document["lane"], []).append(document)
    return lanes


def _choose(hunt: Hunt, lanes: Mapping[str, Sequence[Document]], holders: Mapping[str, Document]) -> None:
    for lane, waiting in lanes.items():
        holder = holders.get(lane)
        if holder is None:
            hunt.chosen += _run(waiting)
        elif holder.get("holder") is None:
            # Behind a postponed job: out of sight until its next try, or a dead partner's queue hides all others.
            hunt.blocked.setdefault(holder["ready"], []).extend(document["_id"] for document in waiting)
        hunt.passed.add(lane)


def _run(waiting: Sequence[Document]) -> list[Document]:
    """The oldest of a group, as far as it is sure that nothing older lies beyond what was read."""
    ordered = sorted(waiting, key=_age)
    latest = [max(document["ready"] for document in ordered[: place + 1]) for place in range(len(ordered))]
    pairs = zip(ordered, latest, strict=True)
    return [document for document, _ in takewhile(lambda pair: pair[0]["ready"] >= pair[1], pairs)]
