"""``python -m bench``: one JSON object on standard output, progress on standard error."""

import argparse
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import alone, asking, folder, importing, ingesting, translating
from bench.machine import machine
from bench.stage import Stage, engine, stage

SECONDS, QUICK_SECONDS = 6.0, 1.0
Tell = Callable[[str], None]
WITHOUT_GATEWAY: dict[str, Callable[[float, Tell], Any]] = {
    "translate": translating.measure,
    "read_without_database": alone.measure,
    "folder": folder.measure,
}
WITH_GATEWAY: dict[str, Callable[[Stage, float, Tell], Any]] = {
    "read": asking.reads,
    "search": asking.searches,
    "everything": asking.everything,
    "transaction": asking.transactions,
    "import": importing.measure,
    "ingest": ingesting.measure,
}
err = Console(stderr=True)


def main() -> None:
    """Measure what was asked for and print it."""
    options = _options()
    seconds = QUICK_SECONDS if options.quick else SECONDS
    wanted = options.only or [*WITHOUT_GATEWAY, *WITH_GATEWAY]
    text = json.dumps(_measured(wanted, seconds), ensure_ascii=False, indent=2)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(text + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SECONDS:g} s a figure, not {SECONDS:g} s")
    names = (*WITHOUT_GATEWAY, *WITH_GATEWAY)
    parser.add_argument("--only", action="append", choices=names, help="may be given several times")
    parser.add_argument("--json", type=Path, help="write the object to this file too")
    return parser.parse_args()


def _measured(wanted: list[str], seconds: float) -> dict[str, Any]:
    report: dict[str, Any] = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "engine": engine(),
        "seconds_each": seconds,
    }
    for name in wanted:
        if name in WITHOUT_GATEWAY:
            report[name] = WITHOUT_GATEWAY[name](seconds, _tell)
    if set(wanted) & WITH_GATEWAY.keys():
        report |= _through_a_gateway(wanted, seconds)
    return report


def _through_a_gateway(wanted: list[str], seconds: float) -> dict[str, Any]:
    report: dict[str, Any] = {}
    _tell("starting a gateway")
    with stage() as running:
        if {"read", "search", "everything"} & set(wanted):
            report["records_searched"] = asking.seed(running)
        for name in wanted:
            if name in WITH_GATEWAY:
                report[name] = WITH_GATEWAY[name](running, seconds, _tell)
        report["memory"] = running.memory()
    return report


def _tell(text: str) -> None:
    err.print(f"[dim]bench[/dim] {text}", highlight=False)


if __name__ == "__main__":
    main()
