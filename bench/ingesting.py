"""The whole way of a message: HTTP, kept, acknowledged, translated, checked, linked, committed, answered."""

import asyncio
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from bench.asking import costs, measured
from bench.figures import Load, per_second
from bench.load import Ask, ask
from bench.messages import KINDS, Kind
from bench.stage import Stage

# One more than the worker leases at once: it never waits for us.
CLIENTS = 17


def measure(stage: Stage, seconds: float, tell: Callable[[str], None]) -> dict[str, Any]:
    """Each kind by itself, then three hospitals at once; every message is another one, and all must be stored."""
    numbers = count(1)
    found = {}
    for kind in KINDS:
        tell(f"ingest {kind.name}")
        found[kind.name] = _figures(stage, [kind], numbers, seconds)
    tell("ingest three hospitals at once")
    found["three hospitals at once"] = _figures(stage, [KINDS[1], KINDS[2], KINDS[4]], numbers, seconds)
    return found


def _figures(stage: Stage, kinds: list[Kind], numbers: Iterator[int], seconds: float) -> dict[str, Any]:
    before = asyncio.run(_resources(stage, kinds))
    loads, used = measured(stage, _asks(stage, kinds, numbers), CLIENTS, seconds)
    made = asyncio.run(_resources(stage, kinds)) - before
    return {**_renamed(loads), "resources_per_second": per_second(made, loads.seconds), **costs(loads, used)}


def _renamed(load: Load) -> dict[str, Any]:
    plain = load.plain()
    return {"messages_per_second": plain.pop("per_second"), "messages": plain.pop("requests"), **plain}


def _asks(stage: Stage, kinds: list[Kind], numbers: Iterator[int]) -> Iterator[Ask]:
    for number in numbers:
        kind = kinds[number % len(kinds)]
        path = f"/ingest/{kind.hospital}?wait=true"
        yield Ask("POST", path, stage.token(kind.hospital), kind.make(number), kind.media_type)


async def _resources(stage: Stage, kinds: list[Kind]) -> int:
    """How many resources the receipts of these hospitals name."""
    return sum([await _named(stage, hospital) for hospital in sorted({kind.hospital for kind in kinds})])


async def _named(stage: Stage, hospital: str) -> int:
    total, after = 0, ""
    while True:
        path = f"/ingest/{hospital}?after={after}"
        page = await ask(stage.port, Ask("GET", path, stage.token(hospital)))
        total += sum(len(receipt["resources"]) for receipt in page["receipts"])
        after = page["after"]
        if not after:
            return total
