"""Trying again, and letting others have their turn."""

import asyncio
import time

import pytest

from fhir_gateway.records.desk import ATTEMPTS, LONGEST_PAUSE_SECONDS, attempts, give_way

pytestmark = pytest.mark.anyio


async def test_tries_are_numbered_and_the_first_does_not_wait() -> None:
    started = time.perf_counter()
    async for number in attempts():
        assert number == 1
        break

    assert time.perf_counter() - started < 0.05
    assert ATTEMPTS * LONGEST_PAUSE_SECONDS < 30


async def test_long_work_lets_others_in() -> None:
    order = []

    async def long() -> None:
        for place in range(40):
            await give_way(place)
        order.append("long")

    async def short() -> None:
        order.append("short")

    await asyncio.gather(long(), short())

    assert order == ["short", "long"]
