"""Bulk import: files of resources become commits, each with the note of how far the file is.

https://hl7.org/fhir/uv/bulkdata/

The note is part of the commit, so a process that is killed knows what is stored: the next run goes on behind it, and
the counts add up as if nothing had happened. While one parcel is being committed the next is prepared.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fhir_gateway.fhir.codec import encode
from fhir_gateway.population import shelf
from fhir_gateway.population.intake import IMPORT, Counts, Intake, Load, Outcome, refused_whole
from fhir_gateway.population.source import Parcel, Refusal, parcels
from fhir_gateway.problem import Conflict, Problem, Unavailable
from fhir_gateway.records.desk import Desk, attempts
from fhir_gateway.records.journal import Visit, entry, written
from fhir_gateway.store.port import Commit, Note

RUNS, PROGRESS = "import", "import-files"
RUNNING, DONE = "running", "done"
REFUSED = "refused"
EVENT = 2000
"""Versions that one AuditEvent names: 0.5 MB of the 16 that the database keeps in a document."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a file is: the last entry taken, what became of all up to it, the size of the list of refusals."""

    name: str
    behind: int = 0
    counts: Counts = field(default_factory=Counts)
    refused_bytes: int = 0
    done: bool = False


def _progress(note: Mapping[str, Any]) -> Progress:
    return Progress(note["name"], note["behind"], Counts(**note["counts"]), note["refused_bytes"], note["done"])


@dataclass(frozen=True, slots=True)
class Run:
    """One import of some files. ``folder`` takes the list of refusals; ``root`` is left out of file names."""

    key: str
    files: Sequence[Path]
    root: Path
    folder: Path

    def name(self, path: Path) -> str:
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else path.name


async def opened(desk: Desk, root: Path, owner: str, files: Sequence[Path], data: Path) -> Run:
    """The interrupted run of these files, or a new one. Raises Conflict when two begin at once."""
    place = await asyncio.to_thread(root.resolve)
    key = hashlib.sha256(f"{owner}\n{place}".encode()).hexdigest()[:32]
    note = await desk.store.note(RUNS, key)
    number = 1 if note is None else note["number"] + (note["state"] == DONE)
    if note is None:
        await _noted(desk, key, {"state": RUNNING, "number": 1}, None)
    elif note["state"] == DONE:
        await _noted(desk, key, {"state": RUNNING, "number": number}, {"number": note["number"], "state": DONE})
    return Run(f"{key}-{number}", files, root, shelf.folder(data, RUNS, f"{key}-{number}"))


async def closed(desk: Desk, run: Run) -> None:
    """The run is through; the next one with the same files is a new one."""
    key, _, number = run.key.rpartition("-")
    with suppress(Conflict):
        await _noted(desk, key, {"state": DONE}, {"number": int(number)})


async def _noted(desk: Desk, key: str, content: Mapping[str, Any], expected: Mapping[str, Any] | None) -> None:
    await desk.store.commit(Commit(notes=(Note(RUNS, key, content, expected),)))


async def imported(desk: Desk, visit: Visit, run: Run) -> AsyncGenerator[Progress, None]:
    """Import all files of the run; tells of each step as soon as it is durable."""
    clerk = _Clerk(Intake(desk, visit), run)
    try:
        async for step in clerk.steps():
            if (before := await clerk.landed()) is not None:
                yield before
            clerk.start(step)
        if (before := await clerk.landed()) is not None:
            yield before
    finally:
        await clerk.rest()


@dataclass(slots=True)
class _File:
    """One file and how far it is. ``stamp`` tells whether it was changed since."""

    path: Path
    key: str
    stamp: str
    progress: Progress
    is_new: bool


@dataclass(frozen=True, slots=True)
class _Step:
    """What is to be committed next: a load of a file, and how far the file is then."""

    file: _File
    load: Load | None = None
    behind: int = 0
    done: bool = False


@dataclass(slots=True)
class _Clerk:
    """A run on its way. At most one commit is under way; ``_busy`` are the records it writes."""

    intake: Intake
    run: Run
    _refused_bytes: int = 0
    _busy: frozenset[str] = frozenset()
    _commit: "asyncio.Task[Progress] | None" = None

    async def steps(self) -> AsyncIterator[_Step]:
        """Each parcel, checked and linked while the one before is being committed."""
        for path in self.run.files:
            file = await self._file(path)
            if file.progress.done:
                yield _Step(file)
                continue
            waiting = parcels(path, file.progress.behind)
            parcel: Parcel | None = await asyncio.to_thread(next, waiting, None) or Parcel(behind=file.progress.behind)
            while parcel is not None:
                load = await self._loaded(parcel)
                following = await asyncio.to_thread(next, waiting, None)
                yield _Step(file, load, parcel.behind, following is None)
                parcel = following

    def start(self, step: _Step) -> None:
        if step.load is not None:
            self._busy = step.load.references
        self._commit = asyncio.create_task(self._store(step))

    async def landed(self) -> Progress | None:
        """The progress after the commit under way, if there is one. Raises what it raised."""
        if self._commit is None:
            return None
        commit, self._commit, self._busy = self._commit, None, frozenset()
        return await commit

    async def rest(self) -> None:
        """Wait for the commit under way, whatever becomes of it."""
        if self._commit is not None:
            await asyncio.gather(self._commit, return_exceptions=True)

    async def _file(self, path: Path) -> _File:
        """Where an earlier run was interrupted, unless the file was changed since."""
        facts, name = await asyncio.to_thread(path.stat), self.run.name(path)
        key = f"{self.run.key}/{hashlib.sha256(name.encode()).hexdigest()[:32]}"
        stamp = f"{facts.st_size} {facts.st_mtime_ns}"
        note = await self.intake.desk.store.note(PROGRESS, key)
        known = note is not None and note["stamp"] == stamp
        progress = _progress(note) if note is not None and known else Progress(name)
        self._refused_bytes = max(self._refused_bytes, progress.refused_bytes)
        return _File(path, key, stamp, progress, note is None)

    async def _loaded(self, parcel: Parcel) -> Load:
        """Behind the commit under way where that may matter: for a condition, or for what it writes as well."""
        if any(one.condition for one in parcel.entries):
            await self.rest()
        load = await self.intake.loaded(parcel)
        if self._commit is not None and (load.refusals or load.references & self._busy):
            await self.rest()
            load = await self.intake.loaded(parcel)
        return load

    async def _store(self, step: _Step) -> Progress:
        if step.load is None:
            return step.file.progress
        try:
            return await self._persisted(step, step.load)
        except (Conflict, Unavailable):
            raise
        except Problem as problem:
            # Too large for one commit, or for the database at all: find the record that it is about.
            if len(step.load.items) < 2 or step.load.whole:
                return await self._persisted(step, refused_whole(step.load, problem))
        for part, behind, done in _halves(step, step.load):
            after = await self._store(_Step(step.file, part, behind, done))
        return after

    async def _persisted(self, step: _Step, load: Load) -> Progress:
        async for _ in attempts():
            with suppress(Conflict):
                return await self._stored(step, await self.intake.outcome(load))
            self.intake.expects_new = False
        raise Conflict("other writers were faster every time; try again")

    async def _stored(self, step: _Step, outcome: Outcome) -> Progress:
        desk, visit, file = self.intake.desk, self.intake.visit, step.file
        size = await asyncio.to_thread(self._listed, file.progress.name, outcome.refusals)
        counts = file.progress.counts.plus(outcome.counts)
        after = Progress(file.progress.name, step.behind, counts, size, step.done)
        content = {**asdict(after), "run": self.run.key, "stamp": file.stamp}
        note = Note(PROGRESS, file.key, content, None if file.is_new else {"run": self.run.key})
        parts = [outcome.changes[start : start + EVENT] for start in range(0, len(outcome.changes), EVENT)]
        events = tuple(entry(desk, visit, IMPORT, written(part)) for part in parts)
        notes = (note, *desk.admission.notes(visit.caller, outcome.changes))
        await desk.store.commit(Commit(outcome.changes, outcome.claims, notes=notes, events=events))
        file.progress, file.is_new, self._refused_bytes = after, False, max(size, self._refused_bytes)
        return after

    def _listed(self, name: str, refusals: Sequence[Refusal]) -> int:
        """The refusals added to their list, behind what is certain; gives its size."""
        if not refusals:
            return self._refused_bytes
        path = shelf.file(self.run.folder, REFUSED)
        if path.exists():
            with path.open("r+b") as file:
                file.truncate(self._refused_bytes)
        return shelf.append(path, (encode(_told(name, refusal)) for refusal in refusals))


def _halves(step: _Step, load: Load) -> Iterator[tuple[Load, int, bool]]:
    """Both halves of a load, how far the file is behind each, and whether it is done then."""
    middle = len(load.items) // 2
    first, second = load.items[:middle], load.items[middle:]
    yield Load(first, load.refusals), min(first[-1].entry.number, step.behind), False
    yield Load(second, ()), step.behind, step.done


def _told(name: str, refusal: Refusal) -> dict[str, Any]:
    """An OperationOutcome that names file, number and reason, and nothing of the record."""
    issues = [
        {
            "severity": "error",
            "code": issue.code,
            "diagnostics": f"{name}:{refusal.number}: {issue.text}",
            **({"expression": [issue.where]} if issue.where else {}),
        }
        for issue in refusal.issues
    ]
    return {"resourceType": "OperationOutcome", "issue": issues}
