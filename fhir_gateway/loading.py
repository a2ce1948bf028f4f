"""Bulk import from the command line: straight into the store, beside a gateway that may be running on it.

https://hl7.org/fhir/uv/bulkdata/

Not over HTTP: the files are on this machine, so a second decoding, a token and the limits of a request would cost time
and protect nobody. The gate, the rights of the caller and the audit trail are the same as for ``$import``.
"""

import asyncio
import gc
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from rich.console import Console

from fhir_gateway import app as root
from fhir_gateway.population import imports, shelf
from fhir_gateway.population.imports import Progress, Run
from fhir_gateway.population.intake import Counts
from fhir_gateway.population.source import files
from fhir_gateway.problem import BadRequest, Unavailable
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.journal import Visit
from fhir_gateway.security.caller import Caller
from fhir_gateway.settings import Settings

CLIENT = "fhir-gateway import"
PATIENCE = 20
PAUSE_SECONDS = 3.0
SELDOM = 50_000
"""Objects made between two collections of garbage."""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of all that was read; ``refused`` is the list of refusals, None without any."""

    files: int
    counts: Counts
    refused: Path | None
    seconds: float


Tell = Callable[[int, int, Counts], None]


async def load(settings: Settings, folder: Path, hospital: str | None, tell: Tell) -> Report:
    """Import a folder, going on where an earlier run was interrupted; ``tell`` hears files done, files, counts."""
    found = files(folder)
    if not found:
        raise BadRequest("there is no .ndjson or .json file, plain or .gz or .bz2, in this folder", "DIR")
    visit = Visit(_caller(settings, hospital))
    async with root.shared_store(settings) as store:
        base_url = settings.base_url or f"http://{settings.host}:{settings.port}"
        gateway = root.Gateway(settings, base_url, store, root.directory(settings), root.key_ring(settings))
        desk = gateway.services().desk
        run = await imports.opened(desk, folder, visit.caller.organization, found, settings.data)
        begun = monotonic()
        with _seldom_collected():
            counts = await _persistently(desk, visit, run, tell)
        await imports.closed(desk, run)
    refused = shelf.file(run.folder, imports.REFUSED)
    return Report(len(found), counts, refused if counts.refused else None, monotonic() - begun)


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Resources hold no circles; to walk large Bundles for them again and again takes a tenth of an import's time."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(SELDOM, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _caller(settings: Settings, hospital: str | None) -> Caller:
    if hospital is None:
        return Caller(CLIENT, "admin", "")
    return Caller(CLIENT, "hospital", root.directory(settings).hospital(hospital).name)


async def _persistently(desk: Desk, visit: Visit, run: Run, tell: Tell) -> Counts:
    """All of the run; a database that goes away is waited for."""
    for _ in range(PATIENCE):
        try:
            return await _through(desk, visit, run, tell)
        except Unavailable:
            await asyncio.sleep(PAUSE_SECONDS)
    return await _through(desk, visit, run, tell)


async def _through(desk: Desk, visit: Visit, run: Run, tell: Tell) -> Counts:
    reached: Progress | None = None
    before, done = Counts(), 0
    async for progress in imports.imported(desk, visit, run):
        if reached is not None and reached.name != progress.name:
            before = before.plus(reached.counts)
        reached, done = progress, done + progress.done
        tell(done, len(run.files), before.plus(progress.counts))
    return before.plus(reached.counts) if reached is not None else before


def show(report: Report, as_json: bool, out: Console) -> None:
    """Print the counts, which add up."""
    counts, refused = report.counts, str(report.refused) if report.refused else None
    parts = {name: getattr(counts, name) for name in ("created", "updated", "unchanged", "refused")}
    if as_json:
        told = {"files": report.files, "read": counts.read, **parts, "reasons": refused}
        told["seconds"] = round(report.seconds, 2)
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        return
    listed = " + ".join(f"{number} {name}" for name, number in parts.items())
    out.print(f"{report.files} files, {counts.read} resources read = {listed}", highlight=False)
    if refused:
        out.print(f"reasons: {refused}", highlight=False, soft_wrap=True)
