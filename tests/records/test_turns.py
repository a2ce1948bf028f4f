"""Long work lets others in."""

import asyncio
import threading
import time

import pytest

from fhir_gateway.records.turns import LONG, TURN_SECONDS, alongside, in_turns

pytestmark = pytest.mark.anyio


async def test_long_work_lets_others_in() -> None:
    order = []

    async def long() -> None:
        async for _ in in_turns(range(5)):
            time.sleep(TURN_SECONDS)  # noqa: ASYNC251 - work that holds the loop
        order.append("long")

    async def short() -> None:
        order.append("short")

    await asyncio.gather(long(), short())

    assert order == ["short", "long"]


async def test_short_work_is_not_interrupted() -> None:
    order = []

    async def work(name: str) -> None:
        order.extend([name async for _ in in_turns(range(5))])

    await asyncio.gather(work("first"), work("second"))

    assert order == ["first"] * 5 + ["second"] * 5


async def test_much_work_is_done_in_a_thread_and_little_at_once() -> None:
    assert await alongside(LONG - 1, threading.get_ident) == threading.get_ident()
    assert await alongside(LONG, threading.get_ident) != threading.get_ident()
