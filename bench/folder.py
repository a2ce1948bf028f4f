"""A watched folder into which very many files are dropped at once: how long until all of them are kept."""

import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.machine import processor_seconds
from fhir_gateway.app import Gateway, directory, key_ring
from fhir_gateway.exchange.folder import Folder
from fhir_gateway.exchange.watching import OwnCounter, Watch
from fhir_gateway.settings import Settings
from fhir_gateway.store.embedded import embedded
from fhir_gateway.store.mongo import MongoStore

FILES, QUICK_FILES = 10_000, 1_000
QUICK_SECONDS = 1.0
SETTLE_SECONDS = 0.1


def measure(seconds: float, tell: Callable[[str], None]) -> dict[str, Any]:
    """Seconds until the last file is durable in the gateway; what becomes of the messages is not waited for."""
    count = QUICK_FILES if seconds <= QUICK_SECONDS else FILES
    tell(f"a folder with {count} files")
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measured(Path(folder), count))


async def _measured(place: Path, count: int) -> dict[str, Any]:
    drop = place / "drop"
    drop.mkdir()
    for number in range(count):
        (drop / f"{number:05}.hl7").write_bytes(b"MSH|^~\\&|HIS|22T01|GW|QN|20261120||ADT^A08|%d|P|2.5\r" % number)
    settings = Settings(data=place / "data", backlog_limit=2 * count)
    settings.data.mkdir()
    async with embedded(place / "engine") as url:
        store = await MongoStore.open(url, "folder")
        gateway = Gateway(settings, "http://bench", store, directory(settings), key_ring(settings))
        watch = Watch("qn-general", Folder(drop, settle_seconds=SETTLE_SECONDS), OwnCounter(gateway.reception), 10**6)
        engine = int((place / "engine" / "engine.pid").read_text().split()[0])
        before = processor_seconds(engine)
        spent = await _dropped(watch, count)
        spent["engine_processor_seconds"] = round(processor_seconds(engine) - before, 1)
        await store.close()
    return spent


async def _dropped(watch: Watch, count: int) -> dict[str, Any]:
    started, processor = time.perf_counter(), sum(os.times()[:2])
    running = asyncio.create_task(watch.run())
    while watch.handed < count:  # noqa: ASYNC110 - a figure is looked at, nobody tells of it
        await asyncio.sleep(0.05)
    passed = time.perf_counter() - started
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return {
        "files": count,
        "seconds": round(passed, 1),
        "per_second": round(count / passed),
        "own_processor_seconds": round(sum(os.times()[:2]) - processor, 1),
    }
