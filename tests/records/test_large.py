"""A large transaction leaves room for small ones."""

import asyncio
from collections.abc import Callable
from time import perf_counter

import pytest

from fhir_gateway.records.desk import Desk
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.step import Step
from fhir_gateway.records.write import run

pytestmark = pytest.mark.anyio

ENTRIES = 2000


def observation(number: int) -> dict[str, object]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": f"{number}-1"}]},
        "effectiveDateTime": "2026-11-23T08:30:00+07:00",
        "valueQuantity": {"value": number, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"},
    }


def steps(number: int) -> list[Step]:
    return [Step("POST", "Observation", resource=observation(place)) for place in range(number)]


async def test_small_transactions_go_on_while_a_large_one_is_written(
    desk: Desk, visit_of: Callable[[str], Visit]
) -> None:
    admin = visit_of("admin")
    await run(desk, admin, steps(2))
    began = perf_counter()
    large = asyncio.create_task(run(desk, admin, steps(ENTRIES)))
    taken: list[float] = []
    while not large.done():
        started = perf_counter()
        await run(desk, admin, steps(2))
        taken.append(perf_counter() - started)
    assert len(await large) == ENTRIES
    whole = perf_counter() - began
    assert len(taken) >= 10
    # One may have met a moment in which the machine had other things to do.
    *others, _ = sorted(taken)
    assert max(others) < whole / 3
