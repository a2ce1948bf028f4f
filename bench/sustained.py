"""``python -m bench.sustained``: three hospitals send for minutes on end: what is kept up, and does anything grow.

Each hospital sends its own format at once with the others, every message of another person, and waits until it is
stored. At the end the gateway's own statement of completeness has to say what was sent.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, cycle
from pathlib import Path
from time import perf_counter
from typing import Any

import orjson
from rich.console import Console

from bench.figures import per_second, percentile
from bench.load import Ask, ask, load
from bench.machine import machine, memory_mb
from bench.messages import KINDS, Kind
from bench.stage import Stage, engine, stage

MINUTE = 60.0
MINUTES = 10.0
PATIENCE = 60
"""Seconds that the gateway may need at the end for what waits."""
CLIENTS = 6
"""Of each hospital: enough that its next message waits while one is worked on."""
LEFT_OUT = "vn_xml-referral"
"""It asks for a partner to deliver to."""
HEAD = "minute  messages/s  resources/s   p50 ms   p99 ms  waiting   late  gateway MB  engine MB"
err = Console(stderr=True)


def main() -> None:
    """Send for so many minutes; a line a minute on standard error, one JSON object on standard output."""
    parser = argparse.ArgumentParser(prog="python -m bench.sustained", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="how long the hospitals send")
    parser.add_argument("--json", type=Path, help="write the object to this file too")
    options = parser.parse_args()
    report: dict[str, Any] = {"machine": machine(), "engine": engine()}
    with stage() as running:
        report |= asyncio.run(_sustained(running, options.minutes * MINUTE))
        report["memory"] = running.memory()
    text = json.dumps(report, ensure_ascii=False, indent=2)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(text + "\n")
    if not report["totals"]["add_up"]:
        raise SystemExit("what was sent is not what the gateway says it stored")


@dataclass(slots=True)
class Tally:
    """What was sent and answered since the last look."""

    milliseconds: list[float] = field(default_factory=list)
    resources: int = 0
    messages: int = 0
    sent: int = 0
    late: int = 0

    def heard(self, milliseconds: float, body: bytes) -> None:
        """An answer that says what is stored; or that the message is kept, and the gateway late with it."""
        receipt = orjson.loads(body)
        self.milliseconds.append(milliseconds)
        self.messages += 1
        self.late += receipt["state"] == "received"
        self.resources += len(receipt["resources"])


async def _sustained(running: Stage, seconds: float) -> dict[str, Any]:
    tally, rows = Tally(), list[dict[str, Any]]()
    before, started = running.processor_seconds(), perf_counter()
    err.print(HEAD, soft_wrap=True)
    hospitals = sorted({kind.hospital for kind in KINDS})
    days = {hospital: [(await _statement(running, hospital))["date"]] for hospital in hospitals}
    watching = asyncio.create_task(_watched(running, tally, rows))
    asks = (_asks(running, hospital, tally) for hospital in hospitals)
    loads = await asyncio.gather(*(load(running.port, one, CLIENTS, seconds) for one in asks))
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    taken, after = perf_counter() - started, running.processor_seconds()
    failures = [failure for one in loads for failure in one.failures]
    used = {side: round((after[side] - before[side]) * 1000 / max(1, tally.resources), 3) for side in after}
    return {
        "seconds": round(taken, 1),
        "messages_per_second": per_second(tally.messages, taken),
        "resources_per_second": per_second(tally.resources, taken),
        "processor_ms_each_resource": used,
        "client_busy": round((after["client"] - before["client"]) / taken, 2),
        "minutes": rows,
        "growth": _growth(rows),
        "failures": failures[:3],
        "totals": await _totals(running, tally, days),
    }


def _asks(running: Stage, hospital: str, tally: Tally) -> Iterator[Ask]:
    """The kinds of the hospital in turn, without end; no two messages are of one person."""
    kinds: Iterator[Kind] = cycle([kind for kind in KINDS if kind.hospital == hospital and kind.name != LEFT_OUT])
    for number, kind in zip(count(1), kinds):
        tally.sent += 1
        path = f"/ingest/{hospital}?wait=true"
        yield Ask("POST", path, running.token(hospital), kind.make(number), kind.media_type, tally.heard)


async def _watched(running: Stage, tally: Tally, rows: list[dict[str, Any]]) -> None:
    for minute in count(1):
        start, resources = perf_counter(), tally.resources
        tally.milliseconds.clear()
        await asyncio.sleep(MINUTE)
        rows.append(_row(running, tally, minute, (perf_counter() - start, tally.resources - resources)))
        err.print(_line(rows[-1]), highlight=False, soft_wrap=True)


def _row(running: Stage, tally: Tally, minute: int, made: tuple[float, int]) -> dict[str, Any]:
    seconds, resources = made
    return {
        "minute": minute,
        "messages_per_second": per_second(len(tally.milliseconds), seconds),
        "resources_per_second": per_second(resources, seconds),
        "p50_ms": round(percentile(tally.milliseconds, 50), 1),
        "p99_ms": round(percentile(tally.milliseconds, 99), 1),
        "waiting": tally.sent - tally.messages,
        "late": tally.late,
        "gateway_mb": sum(map(memory_mb, [running.pid, *running.worker_pids])),
        "engine_mb": memory_mb(running.engine_pid) if running.engine_pid else 0.0,
    }


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['minute']:6}  {row['messages_per_second']:10}  {row['resources_per_second']:11}  {row['p50_ms']:7}"
        f"  {row['p99_ms']:7}  {row['waiting']:7}  {row['late']:5}  {row['gateway_mb']:10}  {row['engine_mb']:9}"
    )


def _growth(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Megabytes from the end of the first minute, when all is loaded and warm, to the last."""
    sides = ("gateway_mb", "engine_mb")
    return {side: round(rows[-1][side] - rows[0][side], 1) for side in sides} if rows else {}


async def _totals(running: Stage, tally: Tally, days: dict[str, list[str]]) -> dict[str, Any]:
    """What was sent, and what the statements of all hospitals say became of it, on the days it took."""
    told = [await _settled(running, hospital) for hospital in days]
    told += [
        await _statement(running, one["hospital"], day)
        for one in list(told)
        for day in days[one["hospital"]]
        if day != one["date"]
    ]
    states: dict[str, int] = {}
    for one in told:
        for state, number in one["states"].items():
            states[state] = states.get(state, 0) + number
    received = sum(one["received"] for one in told)
    good = tally.sent == received == states.get("stored")
    sides = {"sent": tally.sent, "answered": tally.messages, "received": received, "states": states}
    return {**sides, "late": tally.late, "resources": tally.resources, "add_up": good}


async def _settled(running: Stage, hospital: str) -> dict[str, Any]:
    """The statement of today, once nothing waits any more."""
    told = await _statement(running, hospital)
    for _ in range(PATIENCE):
        if not told["states"]["received"]:
            break
        await asyncio.sleep(1)
        told = await _statement(running, hospital)
    return told


async def _statement(running: Stage, hospital: str, day: str = "") -> dict[str, Any]:
    path = f"/ingest/{hospital}/completeness" + (f"?date={day}" if day else "")
    told: dict[str, Any] = await ask(running.port, Ask("GET", path, running.token(hospital)))
    return told


if __name__ == "__main__":
    main()
