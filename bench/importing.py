"""Files into the records, beside a running gateway: ``fhir-gateway import``, and the same bundles over HTTP.

https://hl7.org/fhir/R4/http.html#transaction
"""

import asyncio
import bz2
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import orjson

from bench.figures import per_second
from bench.load import Ask, load
from bench.stage import GATEWAY, Stage

FOLDER = "FHIR_GATEWAY_BENCH_BUNDLES"
BUNDLES = Path("../shared/corpus/synthea")
CLIENT, FHIR_JSON = "admin", "application/fhir+json"
CLIENTS = 2
LONGEST_SECONDS = 600.0


def measure(stage: Stage, seconds: float, tell: Callable[[str], None]) -> dict[str, Any]:
    """Nothing where there are no bundles; all of them count, however long it takes."""
    folder = Path(os.environ.get(FOLDER, BUNDLES))
    if not folder.is_dir():
        return {"left_out": f"no bundles: {FOLDER} names a folder of them"}
    tell(f"import {folder.name}")
    return {"command": _commanded(stage, folder), "transactions over HTTP": _posted(stage, folder, tell)}


def _commanded(stage: Stage, folder: Path) -> dict[str, Any]:
    line = [*GATEWAY, "import", str(folder.resolve()), "--data", str(stage.folder), "--json"]
    before, own = stage.processor_seconds(), os.times()
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=stage.environment)
    after, later = stage.processor_seconds(), os.times()
    if done.returncode:
        raise RuntimeError(f"the import ended with {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}")
    told = json.loads(done.stdout)
    importer = later.children_user - own.children_user + later.children_system - own.children_system
    used = {"importer": importer} | {side: after[side] - before[side] for side in after if side != "client"}
    return {
        "resources": told["read"],
        "resources_per_second": per_second(told["read"], told["seconds"]),
        "processor_ms_each": {side: round(1000 * took / told["read"], 3) for side, took in used.items()},
    }


def _posted(stage: Stage, folder: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    bodies = [bz2.decompress(file.read_bytes()) for file in sorted(folder.glob("*.json.bz2"))]
    bundles = {body: orjson.loads(body) for body in bodies}
    wanted = [body for body, bundle in bundles.items() if bundle["type"] == "transaction"]
    entries = sum(len(bundles[body]["entry"]) for body in wanted)
    tell(f"{len(wanted)} bundles over HTTP, {CLIENTS} at once")
    token = stage.token(CLIENT)
    before, started = stage.processor_seconds(), perf_counter()
    asks = (Ask("POST", "/fhir", token, body, FHIR_JSON) for body in wanted)
    done = asyncio.run(load(stage.port, asks, CLIENTS, LONGEST_SECONDS))
    taken, after = perf_counter() - started, stage.processor_seconds()
    each = {side: round(1000 * (after[side] - before[side]) / entries, 3) for side in after}
    return {**done.plain(), "resources_per_second": per_second(entries, taken), "processor_ms_each": each}
