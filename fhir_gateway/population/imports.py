"""Bulk import: files of resources become commits, each with the note of how far the file is.

https://hl7.org/fhir/uv/bulkdata/

The note is part of the commit, so a process that is killed knows what is stored: the next run goes on behind it, and
the counts add up as if nothing had happened. While one parcel is being committed the next is prepared.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fhir_gateway.fhir.codec import encode
from fhir_gateway.population import shelf
from fhir_gateway.population.intake import IMPORT, Counts, Intake, Load, Outcome
from fhir_gateway.population.source import Parcel, Refusal, parcels
from fhir_gateway.problem import Conflict
from fhir_gateway.records.desk import Desk, attempts
from fhir_gateway.records.journal import Visit, entry, written
from fhir_gateway.store.port import Commit, Note

RUNS, PROGRESS = "import", "import-files"
RUNNING, DONE = "running", "done"
REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a file is: the last entry taken, what became of all up to it, the size of the list of refusals."""

    name: str
    behind: int = 0
    counts: Counts = field(default_factory=Counts)
    refused_bytes: int = 0
    done: bool = False

    def kept(self, run: str, print_: str) -> dict[str, Any]:
        return {**asdict(self), "run": run, "print": print_}


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
    key = hashlib.sha256(f"{owner}\n{root.resolve()}".encode()).hexdigest()[:32]
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


async def imported(desk: Desk, visit: Visit, run: Run) -> AsyncIterator[Progress]:
    """Import all files of the run; tells of each step as soon as it is durable."""
    intake = Intake(desk, visit)
    sizes = 0
    for path in run.files:
        clerk = _Clerk(intake, run, path, sizes)
        async for progress in clerk.work():
            sizes = progress.refused_bytes
            yield progress


@dataclass(slots=True)
class _Clerk:
    """One file on its way in. At most one commit is under way; ``_busy`` are the records it writes."""

    intake: Intake
    run: Run
    path: Path
    refused_bytes: int
    _progress: Progress = field(default_factory=lambda: Progress(""))
    _print: str = ""
    _is_new: bool = True
    _busy: frozenset[str] = frozenset()
    _commit: "asyncio.Task[Progress] | None" = None

    @property
    def key(self) -> str:
        return f"{self.run.key}/{hashlib.sha256(self.run.name(self.path).encode()).hexdigest()[:32]}"

    async def work(self) -> AsyncIterator[Progress]:
        """The file's progress: as it is found, then after each commit."""
        await self._begin()
        if self._progress.done:
            yield self._progress
            return
        await asyncio.to_thread(
            shelf.cut_back, self.run.folder, {REFUSED: self.refused_bytes} if self.refused_bytes else {}
        )
        try:
            async for load, behind in self._loads():
                if (before := await self._landed()) is not None:
                    yield before
                self._busy = load.references
                self._commit = asyncio.create_task(self._store(load, behind))
            if (before := await self._landed()) is not None:
                yield before
        finally:
            if self._commit is not None:
                await asyncio.gather(self._commit, return_exceptions=True)
        self._progress = await self._store(Load((), ()), self._progress.behind, done=True)
        yield self._progress

    async def _begin(self) -> None:
        """Where an earlier run was interrupted, unless the file was changed since."""
        facts = self.path.stat()
        self._print = f"{facts.st_size} {facts.st_mtime_ns}"
        note = await self.intake.desk.store.note(PROGRESS, self.key)
        self._is_new = note is None
        if note is not None and note["print"] == self._print:
            self._progress = _progress(note)
            self.refused_bytes = max(self.refused_bytes, self._progress.refused_bytes)
        else:
            self._progress = Progress(self.run.name(self.path), refused_bytes=self.refused_bytes)

    async def _loads(self) -> AsyncIterator[tuple[Load, int]]:
        waiting = parcels(self.path, self._progress.behind)
        while (parcel := await asyncio.to_thread(next, waiting, None)) is not None:
            yield await self._loaded(parcel), parcel.behind

    async def _loaded(self, parcel: Parcel) -> Load:
        """Checked and linked while the commit before is under way, and once more behind it where it may matter."""
        load = await self.intake.loaded(parcel)
        if self._commit is not None and (load.refusals or load.references & self._busy or _conditional(parcel)):
            await asyncio.gather(self._commit, return_exceptions=True)
            load = await self.intake.loaded(parcel)
        return load

    async def _landed(self) -> Progress | None:
        """The progress after the commit under way, if there is one. Raises what it raised."""
        if self._commit is None:
            return None
        commit, self._commit, self._busy = self._commit, None, frozenset()
        return await commit

    async def _store(self, load: Load, behind: int, done: bool = False) -> Progress:
        async for _ in attempts():
            with suppress(Conflict):
                return await self._stored(load, await self.intake.outcome(load), behind, done)
        raise Conflict("other writers were faster every time; try again")

    async def _stored(self, load: Load, outcome: Outcome, behind: int, done: bool) -> Progress:
        desk, visit = self.intake.desk, self.intake.visit
        size = await asyncio.to_thread(self._listed, outcome.refusals)
        before = self._progress
        after = Progress(before.name, behind, before.counts.plus(outcome.counts), size, done)
        note = Note(
            PROGRESS, self.key, after.kept(self.run.key, self._print), None if self._is_new else {"run": self.run.key}
        )
        events = (entry(desk, visit, IMPORT, written(outcome.changes)),) if outcome.changes else ()
        await desk.store.commit(Commit(outcome.changes, outcome.claims, notes=(note,), events=events))
        self._progress, self._is_new, self.refused_bytes = after, False, size
        return after

    def _listed(self, refusals: Sequence[Refusal]) -> int:
        """The refusals added to their list, behind what is certain; gives its size."""
        path = shelf.file(self.run.folder, REFUSED)
        if not refusals:
            return self.refused_bytes
        if path.exists():
            with path.open("r+b") as file:
                file.truncate(self.refused_bytes)
        return shelf.append(path, (encode(_told(self._progress.name, refusal)) for refusal in refusals))


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


def _conditional(parcel: Parcel) -> bool:
    return any(one.condition for one in parcel.entries)
