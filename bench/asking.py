"""What clients of the FHIR interface wait for: reads, searches, transactions, with authorisation and audit on."""

import asyncio
from collections.abc import Callable, Iterator
from itertools import count
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
FIRST_PAIR = 1_000_000
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
    """GET Patient/id with 1 and 16 clients."""
    return _by_clients(stage, "read", _paths(stage, _read), (1, 16), (seconds, tell))


def searches(stage: Stage, seconds: float, tell: Tell) -> dict[str, Any]:
    """Three searches of everyday work, with 1 and 16 clients."""
    kinds = {"identifier": _by_identifier, "name and birthdate": _by_name, "patient, code and date": _results}
    return {
        name: _by_clients(stage, f"search by {name}", _paths(stage, path), (1, 16), (seconds, tell))
        for name, path in kinds.items()
    }


def transactions(stage: Stage, seconds: float, tell: Tell) -> dict[str, Any]:
    """A new patient and an observation of theirs, with 1 and 8 clients."""
    return _by_clients(stage, "transaction", _pairs(stage), (1, 8), (seconds, tell))


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


def _read(number: int) -> str:
    return f"Patient/{records.patient_id(number)}"


def _by_identifier(number: int) -> str:
    return f"Patient?identifier={records.MRN}|B{number:07d}"


def _by_name(number: int) -> str:
    family, given, _ = full_name(number).split(" ")
    return f"Patient?family={quote(family)}&given={quote(given)}&birthdate={records.iso(birth_date(number))}"


def _results(number: int) -> str:
    code = f"{records.LOINC}|{records.CODES[number % len(records.CODES)]}"
    return f"Observation?patient={records.patient_id(number)}&code={code}&date=ge2026-01-01"


def _pairs(stage: Stage) -> Iterator[Ask]:
    token = stage.token(CLIENT)
    return (Ask("POST", "/fhir", token, records.pair(number), FHIR_JSON) for number in count(FIRST_PAIR))
