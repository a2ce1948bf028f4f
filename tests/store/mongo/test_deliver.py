"""Pages that come from a journal are there once, however often they are brought in and wherever that was cut off."""

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fhir_gateway.problem import Unavailable
from fhir_gateway.security.audit import Act, Event, event
from fhir_gateway.security.chain import seal_once, verify
from fhir_gateway.security.keys import KeyRing
from fhir_gateway.store.embedded import Engine
from fhir_gateway.store.mongo import MongoStore

pytestmark = pytest.mark.anyio
PROGRAM = Path(__file__).with_name("die_delivering.py")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    return KeyRing(tmp_path_factory.mktemp("keys") / "ring", "test")


def page(name: str, events: int = 2) -> list[Event]:
    names = [f"{name}.{number:02d}" for number in range(events)]
    return [event(Act("read", None), NOON, "here", lambda _: {"keys": ["k"], "patients": []}, one) for one in names]


async def names(store: MongoStore) -> list[str]:
    """The documents of pages and marks."""
    return sorted([one["_id"] async for one in store._database.events.find({}, {"_id": 1})])


def documents(*pages: str) -> list[str]:
    return sorted(name for one in pages for name in (f"AuditEvent/{one}", f"waiting/AuditEvent/{one}"))


async def reopened(engine: Engine) -> MongoStore:
    for _ in range(100):
        with suppress(Unavailable):
            return await MongoStore.open(engine.url, "crash")
        await asyncio.sleep(0.1)
    raise Unavailable("the database does not come back")


async def sealed_and_verified(store: MongoStore, ring: KeyRing) -> int:
    """The events on the chain, after which nothing waits and nothing is wrong."""
    while await seal_once(store, ring.gateway, NOON):
        pass
    found = await verify(store, [ring.authority])
    assert found.faults == ()
    assert found.pending == 0
    return found.events


async def test_pages_that_are_brought_in_twice_are_there_once(store: MongoStore, ring: KeyRing) -> None:
    events = page("a") + page("b", 3)
    for _ in range(3):
        await store.deliver(events)
    assert await names(store) == documents("a", "b")
    assert await sealed_and_verified(store, ring) == 5


async def test_only_the_pages_that_are_missing_are_brought_in(store: MongoStore, ring: KeyRing) -> None:
    await store.deliver(page("b"))
    await store.deliver(page("a") + page("b") + page("c"))
    assert await names(store) == documents("a", "b", "c")
    assert await sealed_and_verified(store, ring) == 6


async def test_a_page_that_is_sealed_already_stays_sealed(store: MongoStore, ring: KeyRing) -> None:
    await store.deliver(page("a"))
    assert await sealed_and_verified(store, ring) == 2
    await store.deliver(page("a") + page("b"))
    assert await names(store) == sorted([*documents("b"), "AuditEvent/a"])
    assert await sealed_and_verified(store, ring) == 4


async def test_a_page_alone_comes_with_its_mark_or_not_at_all(store: MongoStore) -> None:
    """A mark alone would be in the way of the next try."""
    await store.deliver(page("a"))
    assert await names(store) == documents("a")
    assert {one.id for one in await store.unsealed(9)} == {"a.00", "a.01"}


async def test_two_that_bring_the_same_pages_at_once_agree(store: MongoStore, ring: KeyRing) -> None:
    events = [one for number in range(6) for one in page(f"p{number}")]
    await asyncio.gather(*(store.deliver(part) for part in (events, events[::-1], events[4:], events[:8])))
    assert await names(store) == documents(*(f"p{number}" for number in range(6)))
    assert await sealed_and_verified(store, ring) == 12


async def test_a_process_killed_at_any_moment_leaves_whole_pages_and_the_next_one_the_rest(
    engine: Engine, ring: KeyRing
) -> None:
    program = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), engine.url, "crash", stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[3], env={**os.environ, "PYTHONPATH": "tests"},
    )  # fmt: skip
    printed, _ = await program.communicate()
    assert program.returncode == 0
    moments = int(printed)
    assert moments > 8
    # The lights go out for the database too: it keeps the open transactions of the killed for a minute.
    os.kill(engine.pid or 0, 9)
    store = await reopened(engine)
    for moment in range(1, moments + 1):
        there = [name for name in await names(store) if f"page-{moment}-" in name]
        assert there in ([], documents(*(f"page-{moment}-{number}" for number in range(3))))
        await store.deliver(_pages(moment))
    assert len(await names(store)) == 6 * moments
    assert await sealed_and_verified(store, ring) == 6 * moments
    await store.close()


def _pages(moment: int) -> Sequence[Event]:
    return [one for number in range(3) for one in page(f"page-{moment}-{number}")]


async def test_a_database_that_is_killed_again_and_again_gets_every_page_once(engine: Engine, ring: KeyRing) -> None:
    store = await MongoStore.open(engine.url, "restart")
    for number in range(12):
        if number in (3, 8):
            with suppress(ProcessLookupError):
                os.kill(engine.pid or 0, 9)
        await store.deliver(page(f"p{number}") + page(f"q{number}"))
    assert await names(store) == documents(*(f"{kind}{number}" for kind in "pq" for number in range(12)))
    assert await sealed_and_verified(store, ring) == 48
    await store.close()
