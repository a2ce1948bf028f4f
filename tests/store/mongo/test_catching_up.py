"""Whoever reads the audit trail sees what this process has answered; who reads anything else does not wait for it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fhir_gateway.problem import Unavailable
from fhir_gateway.search.extract import index
from fhir_gateway.search.query import parse
from fhir_gateway.security.audit import Act, event
from fhir_gateway.security.journal import Journal
from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.store.port import Stretch, Timeline

pytestmark = pytest.mark.anyio
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
Ask = Callable[[MongoStore, str], Awaitable[Any]]


def query(type_: str) -> Any:
    return parse(type_, [])


async def walked(store: MongoStore, type_: str) -> list[Any]:
    return [one async for one in store.walk(Stretch(type_, datetime.now(UTC)))]


ASKED: dict[str, Ask] = {
    "current": lambda store, type_: store.current(f"{type_}/known"),
    "currents": lambda store, type_: store.currents([f"{type_}/known"]),
    "version": lambda store, type_: store.version(f"{type_}/known", 1),
    "versions": lambda store, type_: store.versions(f"{type_}/known", None, 9),
    "find": lambda store, type_: store.find(query(type_)),
    "count": lambda store, type_: store.count(query(type_)),
    "estimate": lambda store, type_: store.estimate(query(type_)),
    "references": lambda store, type_: store.references(query(type_)),
    "changes of the type": lambda store, type_: store.changes(Timeline(9, type=type_)),
    "changes of one": lambda store, type_: store.changes(Timeline(9, reference=f"{type_}/known")),
    "changed": lambda store, type_: store.changed(Timeline(9, type=type_)),
    "walk": walked,
}


@pytest.fixture
async def journal(store: MongoStore, tmp_path: Path) -> AsyncIterator[Journal]:
    """One that is brought in by nobody but who reads."""
    made = Journal(tmp_path, store, index, 10**6)
    store.delivered = made.delivered
    await made.adopt()
    yield made
    await made.close()


@pytest.mark.parametrize("way", ASKED)
async def test_who_reads_audit_events_finds_the_last_one(store: MongoStore, journal: Journal, way: str) -> None:
    await journal.keep([event(Act("read", None), NOON, "here", index, "known")])
    assert await ASKED[way](store, "AuditEvent")
    assert journal.waiting == 0


@pytest.mark.parametrize("way", ASKED)
async def test_who_reads_anything_else_brings_nothing_in(store: MongoStore, journal: Journal, way: str) -> None:
    await journal.keep([event(Act("read", None), NOON, "here", index, "known")])
    assert not await ASKED[way](store, "Patient")
    assert journal.waiting == 1


async def test_a_trail_that_cannot_be_brought_up_to_date_is_not_shown(store: MongoStore) -> None:
    async def away() -> None:
        raise Unavailable("the database takes nothing")

    store.delivered = away
    with pytest.raises(Unavailable):
        await store.find(query("AuditEvent"))
    assert await store.find(query("Patient")) == []


async def test_who_waits_for_the_journal_waits_alone(store: MongoStore) -> None:
    goes_on = asyncio.Event()

    async def slow() -> None:
        await goes_on.wait()

    store.delivered = slow
    auditor = asyncio.create_task(store.current("AuditEvent/none"))
    async with asyncio.timeout(10):
        assert await store.current("Patient/none") is None
    assert not auditor.done()
    goes_on.set()
    assert await auditor is None
