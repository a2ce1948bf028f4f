"""``python -m bench.bulk [DIR]``: import and export on the embedded engine, in this process, rights and audit on.

Without a folder it makes NDJSON of its own, ``--resources`` of them, to see that memory does not grow with the number.
What the engine and what the gateway takes of the processor is told apart: on a busy machine seconds say little.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.machine import machine, peak_memory_mb, processor_seconds
from fhir_gateway.fhir.parameters import Arguments
from fhir_gateway.population import imports
from fhir_gateway.population.export import Exports
from fhir_gateway.population.intake import Counts
from fhir_gateway.population.order import ordered
from fhir_gateway.population.source import files
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.journal import Visit
from fhir_gateway.security.audit import Trail
from fhir_gateway.security.caller import Caller
from fhir_gateway.store.embedded import Engine
from fhir_gateway.store.mongo import MongoStore

ADMIN = Visit(Caller("bench", "admin", ""))
EVERY = 20


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m bench.bulk", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="NDJSON and Bundles to import")
    parser.add_argument("--resources", type=int, default=50_000, help="how many to make without a folder")
    options = parser.parse_args()
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder = options.folder or _made(data / "made", options.resources)
        engine = Engine(data / "database")
        stack.callback(engine.stop)
        engine.start()
        report = {"machine": machine(), **asyncio.run(_measured(engine, folder, data))}
    sys.stdout.write(json.dumps(report, indent=2) + "\n")


async def _measured(engine: Engine, folder: Path, data: Path) -> dict[str, Any]:
    store = await MongoStore.open(engine.url, "bench")
    desk = Desk(store, Trail(store), lambda: datetime.now(UTC), b"s" * 32, 20, 1000, "http://bench/fhir")
    report = {
        "import": await _imported(desk, engine, folder, data),
        "again": await _imported(desk, engine, folder, data),
    }
    report["export"] = await _exported(desk, engine, data)
    await store.close()
    return report


async def _imported(desk: Desk, engine: Engine, folder: Path, data: Path) -> dict[str, Any]:
    with _clock(engine) as figures:
        run = await imports.opened(desk, folder, "", files(folder), data)
        reached = {progress.name: progress.counts async for progress in imports.imported(desk, ADMIN, run)}
        await imports.closed(desk, run)
    counts = Counts()
    for one in reached.values():
        counts = counts.plus(one)
    return {"resources": counts.read, "refused": counts.refused, **_each(figures, counts.read)}


async def _exported(desk: Desk, engine: Engine, data: Path) -> dict[str, Any]:
    exports = Exports(desk, data)
    with _clock(engine) as figures:
        key = await exports.begin(ADMIN, ordered(Arguments(), ADMIN.caller, desk.now()), "bench")
        await exports.go_on("bench")
    written = (await exports.job(key, ADMIN.caller)).written
    return {"resources": written, **_each(figures, written)}


@contextmanager
def _clock(engine: Engine) -> Iterator[dict[str, float]]:
    figures: dict[str, float] = {}
    begun, own, other = time.monotonic(), time.process_time(), processor_seconds(engine.pid)
    yield figures
    figures["seconds"] = time.monotonic() - begun
    figures["gateway"] = time.process_time() - own
    figures["engine"] = processor_seconds(engine.pid) - other


def _each(figures: dict[str, float], number: int) -> dict[str, float]:
    return {
        "seconds": round(figures["seconds"], 1),
        "resources_per_second": round(number / figures["seconds"]),
        "gateway_processor_ms_each": round(1000 * figures["gateway"] / number, 3),
        "engine_processor_ms_each": round(1000 * figures["engine"] / number, 3),
        "peak_memory_mb": peak_memory_mb(os.getpid()),
    }


def _made(folder: Path, number: int) -> Path:
    """Patients, each with observations, as NDJSON."""
    folder.mkdir()
    with (folder / "made.ndjson").open("w", encoding="utf-8") as file:
        for place in range(number):
            file.write(json.dumps(_resource(place), ensure_ascii=False) + "\n")
    return folder


def _resource(place: int) -> dict[str, Any]:
    patient = f"p{place // EVERY}"
    if place % EVERY == 0:
        name = {"family": "Trần", "given": ["Thị", f"Lan {place}"]}
        return {"resourceType": "Patient", "id": patient, "name": [name], "birthDate": f"19{place % 100:02}-05-17"}
    code = {"coding": [{"system": "http://loinc.org", "code": f"8867-{place % 10}"}]}
    value = {"value": 60 + place % 40, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"}
    return {
        "resourceType": "Observation",
        "id": f"o{place}",
        "status": "final",
        "code": code,
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": f"2026-0{1 + place % 9}-11T08:00:00+07:00",
        "valueQuantity": value,
    }


if __name__ == "__main__":
    main()
