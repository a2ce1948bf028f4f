"""``python -m bench.scale``: what a page costs among ten thousand, a hundred thousand, a million resources.

The store is filled directly, commit by commit, with light patients and results; the pages are asked for over HTTP, with
rights and audit on. ``FHIR_GATEWAY_MONGO_URL`` names a MongoDB to do it on; without it the embedded engine is measured.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from bench import asking, records
from bench.load import Ask, ask
from bench.machine import machine
from bench.stage import Stage, engine, stage
from fhir_gateway.records.revision import revision
from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.store.port import Change, Commit

STEPS = (10_000, 100_000)
EACH = 19
"""Results of a patient."""
COMMIT, AT_ONCE = 500, 2
SECONDS, CLIENTS = 4.0, 4
COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TimeElapsedColumn(),
    TimeRemainingColumn(),
)
err = Console(stderr=True)


def main() -> None:
    """Fill, measure, fill on; print one JSON object, and the sizes side by side on standard error."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=STEPS, help="numbers of resources, rising")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each figure")
    parser.add_argument("--json", type=Path, help="write the object to this file too")
    options = parser.parse_args()
    report: dict[str, Any] = {"machine": machine(), "engine": engine(), "sizes": {}}
    stored = 0
    with stage() as running:
        for size in sorted(options.sizes):
            seconds = asyncio.run(_filled(running, stored, size))
            pages = _pages(running, size, options.seconds)
            filling = round((size - stored) / seconds) if seconds else 0
            report["sizes"][size] = {"filled_per_second": filling, "memory": running.memory(), "pages": pages}
            stored = size
    err.print(_side_by_side(report["sizes"]))
    text = json.dumps(report, ensure_ascii=False, indent=2)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(text + "\n")


async def _filled(running: Stage, start: int, end: int) -> float:
    """The seconds it took to store the resources from number ``start`` to ``end``."""
    database = running.environment["FHIR_GATEWAY_DATABASE"]
    store = await MongoStore.open(running.database_url, database)
    parts = iter([range(first, min(first + COMMIT, end)) for first in range(start, end, COMMIT)])
    begun = asyncio.get_running_loop().time()
    with Progress(*COLUMNS, console=err) as progress:
        bar = progress.add_task(f"storing up to {end:,}", total=end - start)

        async def fill() -> None:
            for part in parts:
                await store.commit(Commit(tuple(_change(number) for number in part)))
                progress.advance(bar, len(part))

        await asyncio.gather(*(fill() for _ in range(AT_ONCE)))
    taken = asyncio.get_running_loop().time() - begun
    await store.close()
    return taken


def _change(number: int) -> Change:
    """Every twentieth is a patient, the others are results of the patient before."""
    patient, place = divmod(number, EACH + 1)
    identity = records.patient_id(patient)
    resource = records.patient(patient) if place == 0 else records.observation(patient, place, f"Patient/{identity}")
    reference = f"Patient/{identity}" if place == 0 else f"Observation/{identity}-{place}"
    return revision(resource, reference, None, _now(), (asking.CLIENT,))


def _now() -> datetime:
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _pages(running: Stage, size: int, seconds: float) -> dict[str, Any]:
    """What each kind of page costs now."""
    token, patients = running.token(asking.CLIENT), size // (EACH + 1)
    found = {}
    for name, path in {**asking.SEARCHES, "read": asking.read_path, "$everything": _everything}.items():
        err.print(f"[dim]{size:,}: {name}[/dim]", highlight=False)
        found[name] = _figures(running, _asks(token, patients, path), seconds)
    for name, page in asyncio.run(_second_pages(running, token)).items():
        found[name] = _figures(running, (Ask("GET", page, token) for _ in count()), seconds)
    return found


def _everything(number: int) -> str:
    return f"{asking.read_path(number)}/$everything?_count=20"


def _asks(token: str, patients: int, path: Callable[[int], str]) -> Iterator[Ask]:
    """All over what is stored, neighbours apart."""
    return (Ask("GET", f"/fhir/{path(place * 7919 % patients)}", token) for place in count())


async def _second_pages(running: Stage, token: str) -> dict[str, str]:
    """First and second page of what half the records meet, and of a whole type."""
    found: dict[str, str] = {}
    code = f"{records.LOINC}|{records.CODES[0]}"
    wanted = {"a frequent code": f"Observation?code={code}&_total=none", "all of a type": "Patient?_total=none"}
    for name, query in wanted.items():
        page = await ask(running.port, Ask("GET", f"/fhir/{query}", token))
        (following,) = (link["url"] for link in page["link"] if link["relation"] == "next")
        split = urlsplit(following)
        found |= {f"{name}, page one": f"/fhir/{query}", f"{name}, page two": f"{split.path}?{split.query}"}
    return found


def _figures(running: Stage, asks: Iterator[Ask], seconds: float) -> dict[str, Any]:
    done, used = asking.measured(running, asks, CLIENTS, seconds)
    return done.plain() | asking.costs(done, used)


def _side_by_side(sizes: dict[int, dict[str, Any]]) -> Table:
    table = Table("page", *(f"{size:,}: p50 ms, processor ms" for size in sizes), title=f"{CLIENTS} clients")
    for name in next(iter(sizes.values()))["pages"]:
        table.add_row(name, *(_cell(one["pages"][name]) for one in sizes.values()))
    return table


def _cell(figures: dict[str, Any]) -> str:
    each = figures["processor_ms_each"]
    cost = each["gateway"] + each.get("engine", 0)
    trouble = f" ({figures['failures']} failed)" if "failures" in figures else ""
    return f"{figures['p50_ms']:.1f}, {cost:.2f}{trouble}"


if __name__ == "__main__":
    main()
