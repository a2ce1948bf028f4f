"""``python -m bench.peer``: the same questions to another FHIR server on this machine, by the same client.

https://hl7.org/fhir/R4/http.html

Everything goes by plain FHIR, so that any R4 server can stand at the address. Given two addresses, the servers are
asked one after the other, and the ratios say how many times as many answers a second the first gave; where their
process ids are known, also how many times as much processor time an answer cost the second.
"""

import argparse
import asyncio
import bz2
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from rich.console import Console

from bench import records
from bench.asking import FHIR_JSON, OBSERVATIONS, PATIENTS, PORTION, SEARCHES, read_path
from bench.figures import Load, per_second
from bench.importing import BUNDLES, FOLDER
from bench.load import Ask, ask, load
from bench.machine import machine, processor_seconds

SECONDS, WARM_UP_SECONDS = 6.0, 6.0
BUNDLES_SENT = 6
FIRST_PAIR, PAIRS_APART = 1_000_000, 10_000
LONGEST_SECONDS = 600.0
PROCESSOR = "processor_ms_each"
HERE = frozenset({"127.0.0.1", "localhost"})

Figures = dict[str, dict[str, Any]]
err = Console(stderr=True)


@dataclass(frozen=True, slots=True)
class Peer:
    """A server that is asked: ``base`` is the path its FHIR interface begins at, ``pids`` are its processes here."""

    port: int
    base: str
    token: str = ""
    pids: tuple[int, ...] = ()

    def get(self, path: str) -> Ask:
        return Ask("GET", f"{self.base}/{path}", self.token)

    def post(self, body: bytes) -> Ask:
        return Ask("POST", self.base, self.token, body, FHIR_JSON)


def main() -> None:
    """Measure each server and print one JSON object; with two of them the ratios too."""
    options = _options()
    tokens, pids = ([*given, *("" for _ in options.url)] for given in (options.token, options.pid))
    report: dict[str, Any] = {"machine": machine(), "servers": {}}
    for url, *rest in zip(options.url, tokens, pids, strict=False):
        report["servers"][url] = _measured(peer(url, *rest), options)
    if len(report["servers"]) == 2:
        first, second = report["servers"].values()
        report["times as many a second"] = ratios(first, second, "per_second")
        report["times the processor time at the second"] = ratios(second, first, PROCESSOR)
    text = json.dumps(report, ensure_ascii=False, indent=2)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(text + "\n")


def peer(url: str, token: str = "", pids: str = "") -> Peer:
    """The server at an address of this machine. Raises ValueError for any other."""
    address = urlsplit(url)
    if address.scheme != "http" or address.hostname not in HERE:
        raise ValueError(f"{url}: only http://127.0.0.1:PORT/… is measured, as a network would be what is measured")
    running = tuple(int(pid) for pid in pids.split(",") if pid)
    return Peer(address.port or 80, address.path.rstrip("/"), token, running)


def ratios(first: Figures, second: Figures, figure: str) -> dict[str, float]:
    """How many times the second's figure the first's is, of each kind that both did."""
    both = {name: (one.get(figure), second.get(name, {}).get(figure)) for name, one in first.items()}
    return {name: round(one / other, 2) for name, (one, other) in both.items() if one and other}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.peer", description=__doc__)
    parser.add_argument("--url", action="append", required=True, help="where FHIR begins; a second one is compared")
    parser.add_argument("--token", action="append", default=[], help="bearer token of the address at the same place")
    parser.add_argument("--pid", action="append", default=[], help="its process ids, with commas, at the same place")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long each figure is measured")
    parser.add_argument("--warm-up", type=float, default=WARM_UP_SECONDS, help="seconds of each kind that do not count")
    parser.add_argument("--bundles", type=int, default=BUNDLES_SENT, help="Synthea's transactions to load, small first")
    parser.add_argument("--json", type=Path, help="write the object to this file too")
    return parser.parse_args()


def _measured(one: Peer, options: argparse.Namespace) -> Figures:
    """Some of each kind go first and are not counted: a server that compiles as it runs is warm then."""
    figures = _imported(one, options.bundles)
    _seed(one)
    for name, (clients, asks) in _kinds(one).items():
        err.print(f"[dim]bench[/dim] {one.port}: {name}", highlight=False)
        asyncio.run(load(one.port, asks, clients, options.warm_up))
        done, used = _loaded(one, asks, clients, options.seconds)
        figures[name] = done.plain() | _costs(used, done.done)
    return figures


def _loaded(one: Peer, asks: Iterator[Ask], clients: int, seconds: float) -> tuple[Load, float]:
    """A load, and the processor seconds that it cost the server."""
    before = sum(map(processor_seconds, one.pids))
    done = asyncio.run(load(one.port, asks, clients, seconds))
    return done, sum(map(processor_seconds, one.pids)) - before


def _costs(used: float, many: int) -> dict[str, float]:
    return {PROCESSOR: round(1000 * used / max(1, many), 2)} if used else {}


def _kinds(one: Peer) -> dict[str, tuple[int, Iterator[Ask]]]:
    """Every kind of question by its name, how many ask at once, and the questions."""
    kinds: list[Callable[[int], str]] = [*SEARCHES.values()]
    found = {f"read, {clients} at once": (clients, _paths(one, read_path)) for clients in (1, 16)}
    found |= {f"search: {name}, 16 at once": (16, _paths(one, path)) for name, path in SEARCHES.items()}
    for clients in (1, 16):
        found[f"searches mixed, {clients} at once"] = clients, _paths(one, lambda at: kinds[at % len(kinds)](at))
    found["$everything, 1 at once"] = 1, _paths(one, lambda at: f"{read_path(at)}/$everything")
    for place, clients in enumerate((1, 8)):
        first = FIRST_PAIR + place * PAIRS_APART
        found[f"transaction of two, {clients} at once"] = clients, _pairs(one, first)
    return found


def _paths(one: Peer, path: Callable[[int], str]) -> Iterator[Ask]:
    # 7 and the number of patients have no divisor in common: all of them have their turn, neighbours apart.
    return (one.get(path(place * 7 % PATIENTS)) for place in count())


def _pairs(one: Peer, first: int) -> Iterator[Ask]:
    return (one.post(records.pair(number)) for number in count(first))


def _seed(one: Peer) -> None:
    for start in range(0, PATIENTS, PORTION):
        body = records.seed(range(start, start + PORTION), OBSERVATIONS)
        asyncio.run(ask(one.port, one.post(body), LONGEST_SECONDS))


def _bundles() -> tuple[list[bytes], list[bytes]]:
    """Synthea's hospitals and practitioners, and the patients that refer to them by condition, the smallest first."""
    folder = Path(os.environ.get(FOLDER, BUNDLES))
    bodies = [bz2.decompress(file.read_bytes()) for file in sorted(folder.glob("*.json.bz2"))]
    kinds = [orjson.loads(body)["type"] for body in bodies]
    needed = [body for body, kind in zip(bodies, kinds, strict=True) if kind == "batch"]
    return needed, sorted((body for body, kind in zip(bodies, kinds, strict=True) if kind == "transaction"), key=len)


def _imported(one: Peer, most: int) -> Figures:
    """So many transactions, one after another; the smallest warms up. Nothing where there are no bundles."""
    needed, patients = _bundles()
    counted = patients[1 : most + 1]
    if not counted:
        return {}
    for body in (*needed, patients[0]):
        asyncio.run(ask(one.port, one.post(body), LONGEST_SECONDS))
    resources = sum(len(orjson.loads(body)["entry"]) for body in counted)
    done, used = _loaded(one, map(one.post, counted), 1, LONGEST_SECONDS)
    figures = done.plain() | {"per_second": per_second(resources, done.seconds)} | _costs(used, resources)
    return {"import, resources": figures}


if __name__ == "__main__":
    main()
