"""Bulk export: an order becomes files of NDJSON, written page by page, each page certain before the next is read.

https://hl7.org/fhir/uv/bulkdata/STU2/export.html

A job is a note: whoever holds its lease goes on from the note, after cutting the files back to what the note says of
them. So a process that is killed costs the last page, and no line is lost or written twice.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

from fhir_gateway.fhir.codec import decode_resource, encode
from fhir_gateway.fhir.subset import Subset, wanted
from fhir_gateway.population import shelf
from fhir_gateway.population.gathering import DELETED, WAYS, Ground, Page, Pages, Place, ground, legs
from fhir_gateway.population.order import EXPORT, Order, restored
from fhir_gateway.problem import Conflict, NotFound, Problem, Unavailable
from fhir_gateway.records.condition import pairs
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.journal import Touched, Visit, record
from fhir_gateway.records.settle import settle
from fhir_gateway.search.query import parse
from fhir_gateway.security.caller import Caller
from fhir_gateway.store.port import Commit, Note, Timeline, Version

SHELF = "export"
RUNNING, DONE, FAILED, REMOVED = "running", "done", "failed", "removed"
LEASE_SECONDS = 15.0
SETTLE = timedelta(seconds=0.5)
"""How long a commit may take after its records were stamped: a walk that ends sooner could miss it."""


@dataclass(frozen=True, slots=True)
class Job:
    """One export as its note tells it. ``files`` are (resources, bytes) by file; ``leg`` and ``place`` where it is."""

    id: str
    state: str
    order: Order
    client: str
    request: str
    begun: datetime
    leg: int = 0
    place: Place | None = None
    files: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    trouble: str = ""
    ended: datetime | None = None

    @property
    def written(self) -> int:
        return sum(count for count, _ in self.files.values())


async def latest(desk: Desk) -> datetime:
    """The moment of an order: now, or when the newest record was written, if the clock was set back since."""
    now = desk.now()
    ahead = await desk.store.changes(Timeline(1, since=now))
    return max([now, *(version.updated for version in ahead)])


def _job(key: str, note: Mapping[str, Any]) -> Job:
    files = {name: (count, size) for name, count, size in note["files"]}
    return Job(**{**note, "id": key, "order": restored(note["order"]), "files": files})


@dataclass(frozen=True, slots=True)
class Exports:
    """All export jobs of a gateway; their files are under ``data``."""

    desk: Desk
    data: Path

    async def begin(self, visit: Visit, order: Order, request: str) -> str:
        """Durably promise an export; gives the job's id."""
        for type_, query in order.filters:
            # A chain that is forbidden or too long is refused now, not in an hour.
            await settle(self.desk, visit, parse(type_, pairs(query)))
        key = uuid4().hex
        content = {
            "state": RUNNING,
            "order": order.kept(),
            "client": visit.caller.client,
            "request": request,
            "begun": order.moment,
            "leg": 0,
            "place": None,
            "files": [],
            "trouble": "",
            "ended": None,
        }
        await record(self.desk, visit, EXPORT, Touched((order.group,) if order.group else (), request), 202)
        await self.desk.store.commit(Commit(notes=(Note(SHELF, key, content),)))
        return key

    async def job(self, key: str, caller: Caller) -> Job:
        """Raises NotFound for anyone but who ordered it, and the admin."""
        note = await self.desk.store.note(SHELF, key) if shelf.is_name(key) else None
        if note is None or note["state"] == REMOVED or caller.client not in (note["client"], *_admin(caller)):
            raise NotFound("there is no such export", "url")
        return _job(key, note)

    async def file(self, visit: Visit, key: str, name: str) -> Path:
        """A file of a finished export, once it is on the audit trail that it was taken."""
        job = await self.job(key, visit.caller)
        if job.state != DONE or name not in job.files:
            raise NotFound("the export has no such file", "url")
        group = (job.order.group,) if job.order.group else ()
        await record(self.desk, visit, "$export-file", Touched(group, f"{EXPORT}/{key}/{name}"))
        return shelf.file(shelf.folder(self.data, SHELF, key), name)

    async def remove(self, visit: Visit, key: str) -> None:
        """Cancel it if it runs, and delete its files."""
        job = await self.job(key, visit.caller)
        with suppress(Conflict):
            await _noted(self.desk, key, {"state": job.state}, {"state": REMOVED})
        await self.job_must_be_gone(key)
        await asyncio.to_thread(shelf.remove, self.data / SHELF / key)
        await record(self.desk, visit, "$export-file", Touched(query=f"DELETE {EXPORT}/{key}"), 202)

    async def job_must_be_gone(self, key: str) -> None:
        """A job that finished while it was being removed is removed as finished."""
        note = await self.desk.store.note(SHELF, key)
        if note is not None and note["state"] != REMOVED:
            await _noted(self.desk, key, {"state": note["state"]}, {"state": REMOVED})

    async def go_on(self, owner: str) -> int:
        """Do all that is owed and that nobody else does; gives how many jobs came to their end."""
        owed = await self.desk.store.notes(SHELF, {"state": RUNNING}, "", 100)
        ended = 0
        for key, note in owed:
            lease = _Lease(self.desk, f"{SHELF}/{key}", owner)
            if await lease.held():
                ended += await self._worked(_job(key, note), lease)
        return ended

    async def _worked(self, job: Job, lease: "_Lease") -> bool:
        place = shelf.folder(self.data, SHELF, job.id)
        try:
            await _Clerk(self.desk, place, lease, job).work()
        except Conflict:
            # Cancelled, or another process holds it by now.
            note = await self.desk.store.note(SHELF, job.id)
            if note is not None and note["state"] == REMOVED:
                await asyncio.to_thread(shelf.remove, place)
            return False
        except Unavailable:
            return False
        except (Problem, OSError) as trouble:
            text = trouble.text if isinstance(trouble, Problem) else "a file cannot be written"
            failed = {"state": FAILED, "trouble": text, "ended": self.desk.now()}
            await _noted(self.desk, job.id, {"state": RUNNING}, failed)
        return True

    async def clear(self, age: timedelta) -> None:
        """Remove what was finished longer than ``age`` ago."""
        for state in (DONE, FAILED):
            for key, note in await self.desk.store.notes(SHELF, {"state": state}, "", 1000):
                if (note["ended"] or note["begun"]) + age < self.desk.now():
                    await self.job_must_be_gone(key)
                    await asyncio.to_thread(shelf.remove, self.data / SHELF / key)


def _admin(caller: Caller) -> tuple[str, ...]:
    return (caller.client,) if caller.role == "admin" else ()


async def _noted(desk: Desk, key: str, expected: Mapping[str, Any], content: Mapping[str, Any]) -> None:
    await desk.store.commit(Commit(notes=(Note(SHELF, key, content, expected),)))


@dataclass(frozen=True, slots=True)
class _Lease:
    """The right to work on one job, renewed with every page."""

    desk: Desk
    name: str
    owner: str

    async def held(self) -> bool:
        return await self.desk.store.hold(self.name, self.owner, LEASE_SECONDS)


@dataclass(slots=True)
class _Clerk:
    """One job in the hands of one process."""

    desk: Desk
    folder: Path
    lease: _Lease
    job: Job
    _files: dict[str, tuple[int, int]] = field(default_factory=dict)
    _subset: Subset = field(default_factory=Subset)
    _noted_at: float = field(default_factory=monotonic)

    async def work(self) -> None:
        job = self.job
        await self._settled()
        self._files = dict(job.files)
        self._subset = wanted([("_elements", job.order.elements)] if job.order.elements else [], None)
        sizes = {name: size for name, (_, size) in self._files.items()}
        if not await asyncio.to_thread(shelf.cut_back, self.folder, sizes):
            raise NotFound("the files of the export are gone")
        asker = partial(settle, self.desk, Visit(job.order.asker))
        found = replace(await ground(self.desk.store, job.order), settle=asker)
        leg, place = job.leg, job.place
        for number, way in enumerate(legs(job.order)[leg:], start=leg):
            await self._leg(found, number, WAYS[way.kind](found, way.type, place))
            place = None
        await self._checkpoint({"state": DONE, "ended": self.desk.now()})

    async def _settled(self) -> None:
        left = min(SETTLE, self.job.begun + SETTLE - self.desk.now())
        await asyncio.sleep(max(0.0, left.total_seconds()))

    async def _leg(self, found: Ground, number: int, pages: Pages) -> None:
        async with aclosing(pages) as gathered:
            async for page in gathered:
                await self._write(page)
                await self._checkpoint({"leg": number, "place": page.place})
        # Most types have no records: only what was written, or has taken its time, is worth a note.
        if monotonic() - self._noted_at > LEASE_SECONDS / 5:
            await self._checkpoint({"leg": number + 1, "place": None})

    async def _write(self, page: Page) -> None:
        for name in sorted({name for name, _ in page.versions}):
            versions = [version for file, version in page.versions if file == name]
            await asyncio.to_thread(self._append, name, versions, page.unless_there)

    def _append(self, name: str, versions: Sequence[Version], unless_there: bool) -> None:
        path = shelf.file(self.folder, name)
        if unless_there:
            known = shelf.there(path, frozenset(version.id for version in versions))
            versions = [version for version in versions if version.id not in known]
        if not versions:
            return
        size = shelf.append(path, (self._line(name, version) for version in versions))
        self._files[name] = (self._files.get(name, (0, 0))[0] + len(versions), size)

    def _line(self, name: str, version: Version) -> bytes:
        if name == DELETED:
            return encode(_deletion(version.reference))
        return version.body if self._subset.is_whole else encode(self._subset.of(decode_resource(version.body)))

    async def _checkpoint(self, content: Mapping[str, Any]) -> None:
        """Raises Conflict when the job is no longer ours to do."""
        if not await self.lease.held():
            raise Conflict("another process works on this export")
        self._noted_at = monotonic()
        files = [[name, count, size] for name, (count, size) in sorted(self._files.items())]
        await _noted(self.desk, self.job.id, {"state": RUNNING}, {"files": files, **content})


def _deletion(reference: str) -> dict[str, Any]:
    """https://hl7.org/fhir/uv/bulkdata/STU2/export.html#response---complete-status"""
    entry = {"request": {"method": "DELETE", "url": reference}}
    return {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
