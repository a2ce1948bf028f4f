"""Trying again."""

import time

import pytest

from fhir_gateway.records.desk import ATTEMPTS, LONGEST_PAUSE_SECONDS, attempts

pytestmark = pytest.mark.anyio


async def test_tries_are_numbered_and_the_first_does_not_wait() -> None:
    started = time.perf_counter()
    async for number in attempts():
        assert number == 1
        break

    assert time.perf_counter() - started < 0.05
    assert ATTEMPTS * LONGEST_PAUSE_SECONDS < 30
