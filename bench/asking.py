"""What clients of the FHIR interface wait for: reads, searches, transactions, with authorisation and audit on."""

import asyncio
from collections.abc import Callable, Iterator
from itertools import count, takewhile
from time import perf_counter
from typing import Any
from urllib.parse import quote

from bench import records
from bench.figures import Load
from bench.load import Ask, ask, load
from bench.messages import birth_date, full_name
from bench.stage import Stage

PATIENTS, OBSERVATIONS, PORTION = 500, 6, 50
CLIENT = "qn-general"
FHIR_JSON = "application/fhir+json"
FIRST_PAIR, FIRST_BESIDE = 1_000_000, 5_000_000
LARGE = 2000
LONGEST_LARGE_SECONDS = 60.0
WARM_UP_SHARE = 0.15

Tell = Callable[[str], None]


def seed(stage: Stage) -> dict[str, int]:
    """The records that reads and searches look for."""
    token = stage.token(CLIENT)
    for start in range(0, PATIENTS, PORTION):
        body = records.seed(range(start, start + PORTION), OBSERVATIONS)
        asyncio.run(ask(stage.port, Ask("POST", "/fhir", token, body, FHIR_JSON)))
    return {"patients": PATIENTS, "observations": PATIENTS * OBSERVATIONS}


def reads(stage: Stage, seconds: float, tell: Tell) -> dict[str, Any]:
    """GET Patient/id with 1, 16 and 64 clients."""
    return _by_clients(stage, "read", _paths(stage, read_path), (1, 16, 64), (seconds, tell))


def searches(stage: Stage, seconds: float, tell: Tell) -> dict[str, Any]:
    """Searches of everyday work, each kind by itself and all of them mixed, with 1 and 16 clients."""
    return {
        name: _by_clients(stage, f"search: {name}", _paths(stage, path), (1, 16), (seconds, tell))
        for name, path in {**SEARCHES, "all of them mixed": _mixed}.items()
    }


def everything(stage: Stage, seconds: float, tell: Tell) -> dict[str, Any]:
    """Patient/id/$everything, seven records, with 1 and 16 clients."""
    paths = _paths(stage, lambda number: f"{read_path(number)}/$everything")
    return _by_clients(stage, "$everything", paths, (1, 16), (seconds, tell))


def transactions(stage: Stage, seconds: float, tell: Tell) -> dict[str, Any]:
    """A new patient and an observation of theirs, with 1, 8 and 32 clients; and beside a large transaction."""
    found = _by_clients(stage, "transaction", _pairs(stage), (1, 8, 32), (seconds, tell))
    tell(f"transaction, 8 at once beside one of {LARGE}")
    return found | {f"8 clients beside one of {LARGE:,} entries": asyncio.run(_beside_a_large_one(stage))}


async def _beside_a_large_one(stage: Stage) -> dict[str, Any]:
    """Small ones for as long as a large one takes."""
    token = stage.token(CLIENT)
    body = records.large(LARGE)
    started = perf_counter()
    large = asyncio.create_task(ask(stage.port, Ask("POST", "/fhir", token, body, FHIR_JSON)))
    asks = takewhile(lambda _: not large.done(), _pairs(stage, FIRST_BESIDE))
    done = await load(stage.port, asks, 8, LONGEST_LARGE_SECONDS)
    await large
    return {**done.plain(), "large_seconds": round(perf_counter() - started, 2)}


def measured(stage: Stage, asks: Iterator[Ask], clients: int, seconds: float) -> tuple[Load, dict[str, float]]:
    """A load after a warm-up, and the processor seconds it cost each side."""
    asyncio.run(load(stage.port, asks, clients, seconds * WARM_UP_SHARE))
    before = stage.processor_seconds()
    done = asyncio.run(load(stage.port, asks, clients, seconds))
    after = stage.processor_seconds()
    return done, {side: after[side] - before[side] for side in after}


def costs(done: Load, used: dict[str, float]) -> dict[str, Any]:
    """Processor milliseconds an answer cost gateway, engine and client; the client's share of a core tells whether
    it was the bottleneck."""
    each = {side: round(seconds * 1000 / max(1, done.done), 2) for side, seconds in used.items()}
    return {"processor_ms_each": each, "client_busy": round(used["client"] / done.seconds, 2)}


def _by_clients(
    stage: Stage, name: str, asks: Iterator[Ask], clients: tuple[int, ...], rest: tuple[float, Tell]
) -> dict[str, Any]:
    seconds, tell = rest
    found = {}
    for many in clients:
        tell(f"{name}, {many} at once")
        done, used = measured(stage, asks, many, seconds)
        found[f"{many} client{'s' if many > 1 else ''}"] = done.plain() | costs(done, used)
    return found


def _paths(stage: Stage, path: Callable[[int], str]) -> Iterator[Ask]:
    token = stage.token(CLIENT)
    # 7 and the number of patients have no divisor in common: all of them have their turn, neighbours apart.
    return (Ask("GET", f"/fhir/{path(place * 7 % PATIENTS)}", token) for place in count())


def read_path(number: int) -> str:
    return f"Patient/{records.patient_id(number)}"


def _by_identifier(number: int) -> str:
    return f"Patient?identifier={records.MRN}|B{number:07d}"


def _by_name(number: int) -> str:
    family, given, _ = full_name(number).split(" ")
    return f"Patient?family={quote(family)}&given={quote(given)}&birthdate={records.iso(birth_date(number))}"


def _results(number: int) -> str:
    code = f"{records.LOINC}|{records.CODES[number % len(records.CODES)]}"
    return f"Observation?patient={records.patient_id(number)}&code={code}&date=ge2026-01-01"


def _sorted_results(number: int) -> str:
    return f"{_results(number)}&_sort=-date"


def _chain(number: int) -> str:
    return f"Observation?subject:Patient.identifier={records.MRN}|B{number:07d}"


def _reverse_chain(number: int) -> str:
    code = f"{records.LOINC}|{records.CODES[number % len(records.CODES)]}"
    return f"Patient?birthdate={records.iso(birth_date(number))}&_has:Observation:patient:code={code}"


def _including(number: int) -> str:
    return f"Observation?patient={records.patient_id(number)}&_include=Observation:subject"


def _including_back(number: int) -> str:
    return f"{_by_identifier(number)}&_revinclude=Observation:subject"


def _counting(number: int) -> str:
    return f"Observation?patient={records.patient_id(number)}&_summary=count"


SEARCHES: dict[str, Callable[[int], str]] = {
    "identifier": _by_identifier,
    "name and birthdate": _by_name,
    "patient, code and date": _results,
    "patient, code and date, sorted": _sorted_results,
    "chain": _chain,
    "_has": _reverse_chain,
    "_include": _including,
    "_revinclude": _including_back,
    "count": _counting,
}


def _mixed(number: int) -> str:
    kinds = [*SEARCHES.values()]
    return kinds[number % len(kinds)](number)


def _pairs(stage: Stage, first: int = FIRST_PAIR) -> Iterator[Ask]:
    token = stage.token(CLIENT)
    return (Ask("POST", "/fhir", token, records.pair(number), FHIR_JSON) for number in count(first))
