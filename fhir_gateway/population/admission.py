"""Imports asked for over HTTP: promised durably, done by whoever holds the job's lease, resumed like all imports.

https://hl7.org/fhir/uv/bulkdata/
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from fhir_gateway.fhir.parameters import Arguments
from fhir_gateway.population import imports, shelf
from fhir_gateway.population.imports import Run
from fhir_gateway.population.intake import IMPORT, Counts
from fhir_gateway.population.source import is_source
from fhir_gateway.problem import BadRequest, Conflict, Forbidden, NotFound, Problem, Unavailable
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.journal import Touched, Visit, record
from fhir_gateway.security.access import may
from fhir_gateway.security.caller import Caller
from fhir_gateway.store.port import Commit, Note

SHELF = "import-jobs"
RUNNING, DONE, FAILED, REMOVED = "running", "done", "failed", "removed"
LEASE_SECONDS = 30.0
SPOOLED = "input"


@dataclass(frozen=True, slots=True)
class Errand:
    """One import as its note tells it; ``inputs`` are (address as given, path)."""

    id: str
    state: str
    caller: Caller
    request: str
    begun: datetime
    inputs: tuple[tuple[str, str], ...]
    trouble: str = ""


def _errand(key: str, note: Mapping[str, Any]) -> Errand:
    caller = Caller(note["client"], note["role"], note["organization"], tuple(note["scopes"]))
    inputs = tuple((address, path) for address, path in note["inputs"])
    return Errand(key, note["state"], caller, note["request"], note["begun"], inputs, note["trouble"])


def must_import(caller: Caller) -> None:
    """Raises Forbidden for who may import nothing."""
    may(caller, IMPORT, "Patient")


def named_files(asked: Arguments, allowed: Path | None) -> list[tuple[str, str]]:
    """The files that Parameters name by file URLs; only what lies in the allowed folder is there to be named."""
    addresses = [str(value) for value in asked.all("url")]
    for parts in asked.all("input"):
        found = [part for part in parts if isinstance(part, dict) and part.get("name") == "url"]
        addresses += [str(value) for part in found for name, value in part.items() if name.startswith("value")]
    if not addresses:
        raise BadRequest("an import needs inputs, each with the url of a file", "input")
    return [(address, str(_allowed(address, allowed))) for address in addresses]


def _allowed(address: str, folder: Path | None) -> Path:
    place = urlsplit(address)
    if place.scheme != "file" or place.netloc not in ("", "localhost"):
        raise BadRequest("an input is named by a file: URL", "input.url")
    if folder is None:
        raise Forbidden("no folder is open for imports; set FHIR_GATEWAY_IMPORT_FOLDER", "input.url")
    path = Path(unquote(place.path)).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file() or not is_source(path):
        raise BadRequest("there is no such file in the folder that is open for imports", "input.url")
    return path


@dataclass(frozen=True, slots=True)
class Imports:
    """All imports asked for over HTTP; what was sent and the lists of refusals are under ``data``.

    ``open_folder`` is where files may be named that are imported.
    """

    desk: Desk
    data: Path
    open_folder: Path | None = None

    def spool(self, suffix: str) -> tuple[str, Path]:
        """A new job's id, and the file that takes what is sent with the request."""
        key = uuid4().hex
        return key, shelf.folder(self.data, SHELF, key) / f"{SPOOLED}{suffix}"

    async def begin(self, visit: Visit, key: str, inputs: Sequence[tuple[str, str]], request: str) -> None:
        """Durably promise an import."""
        caller = visit.caller
        content = {
            "state": RUNNING,
            "client": caller.client,
            "role": caller.role,
            "organization": caller.organization,
            "scopes": list(caller.scopes),
            "request": request,
            "begun": self.desk.now(),
            "inputs": [list(pair) for pair in inputs],
            "trouble": "",
        }
        await record(self.desk, visit, IMPORT, Touched(query=request), 202)
        await self.desk.store.commit(Commit(notes=(Note(SHELF, key, content),)))

    async def errand(self, key: str, caller: Caller) -> Errand:
        """Raises NotFound for anyone but who asked for it, and the admin."""
        note = await self.desk.store.note(SHELF, key) if shelf.is_name(key) else None
        hidden = note is None or (note["client"] != caller.client and caller.role != "admin")
        if note is None or hidden or note["state"] == REMOVED:
            raise NotFound("there is no such import", "url")
        return _errand(key, note)

    async def reached(self, errand: Errand) -> dict[str, Counts]:
        """What became of each input so far, by its file's name."""
        notes = await self.desk.store.notes(imports.PROGRESS, {"run": errand.id}, "", 1000)
        return {note["name"]: Counts(**note["counts"]) for _, note in notes}

    def refused(self, errand: Errand) -> Path:
        return shelf.file(shelf.folder(self.data, SHELF, errand.id), imports.REFUSED)

    async def remove(self, visit: Visit, key: str) -> None:
        """Stop it if it runs, and delete its files; what is stored stays."""
        errand = await self.errand(key, visit.caller)
        with suppress(Conflict):
            await self._noted(key, errand.state, REMOVED)
        await asyncio.to_thread(shelf.remove, self.data / SHELF / key)
        await record(self.desk, visit, IMPORT, Touched(query=f"DELETE {IMPORT}/{key}"), 202)

    async def go_on(self, owner: str) -> int:
        """Do all that is owed and that nobody else does; gives how many jobs came to their end."""
        ended = 0
        for key, note in await self.desk.store.notes(SHELF, {"state": RUNNING}, "", 100):
            if await self.desk.store.hold(f"{SHELF}/{key}", owner, LEASE_SECONDS):
                ended += await self._worked(_errand(key, note), owner)
        return ended

    async def _worked(self, errand: Errand, owner: str) -> bool:
        try:
            ended = await self._through(errand, owner)
            if ended:
                await self._noted(errand.id, RUNNING, DONE)
        except (Conflict, Unavailable):
            return False
        except (Problem, OSError) as trouble:
            text = trouble.text if isinstance(trouble, Problem) else "a file cannot be read or written"
            await self._noted(errand.id, RUNNING, FAILED, text)
            return True
        return ended

    async def _through(self, errand: Errand, owner: str) -> bool:
        """False when it was removed, or another process took it over."""
        place = shelf.folder(self.data, SHELF, errand.id)
        paths = [Path(path) for _, path in errand.inputs]
        run = Run(errand.id, paths, self.open_folder.resolve() if self.open_folder else place, place)
        async with aclosing(imports.imported(self.desk, Visit(errand.caller), run)) as steps:
            async for _ in steps:
                note = await self.desk.store.note(SHELF, errand.id)
                held = await self.desk.store.hold(f"{SHELF}/{errand.id}", owner, LEASE_SECONDS)
                if note is None or note["state"] != RUNNING or not held:
                    return False
        return True

    async def _noted(self, key: str, before: str, after: str, trouble: str = "") -> None:
        content = {"state": after, "trouble": trouble, "ended": self.desk.now()}
        await self.desk.store.commit(Commit(notes=(Note(SHELF, key, content, {"state": before}),)))

    async def clear(self, age: timedelta) -> None:
        """Remove the files of what was finished longer than ``age`` ago."""
        for state in (DONE, FAILED):
            for key, note in await self.desk.store.notes(SHELF, {"state": state}, "", 1000):
                if note.get("ended", note["begun"]) + age < self.desk.now():
                    with suppress(Conflict):
                        await self._noted(key, state, REMOVED)
                    await asyncio.to_thread(shelf.remove, self.data / SHELF / key)
