"""Audit events and their blocks, against the real engine."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from fhir_gateway.problem import Conflict
from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.store.port import Block, Event

pytestmark = pytest.mark.anyio

SEALED = datetime(2026, 11, 23, 13, tzinfo=UTC)


def block(number: int, *events: str) -> Block:
    return Block(number, "previous", "root", events, SEALED, "signature")


async def test_events_are_unsealed_until_a_block_lists_them(store: MongoStore, event: Callable[..., Event]) -> None:
    await store.append([event(f"e{number}") for number in range(5)])
    assert [one.id for one in await store.unsealed(3)] == ["e0", "e1", "e2"]
    await store.seal(block(1, "e0", "e2"))
    assert [one.id for one in await store.unsealed(9)] == ["e1", "e3", "e4"]
    found = await store.events(["e0", "e1", "nothing"])
    assert {id_: one.block for id_, one in found.items()} == {"e0": 1, "e1": None}
    assert found["e0"].body == event().body


async def test_blocks_come_in_order_and_a_number_is_taken_once(store: MongoStore, event: Callable[..., Event]) -> None:
    assert await store.last_block() is None
    await store.append([event(f"e{number}") for number in range(4)])
    for number in range(1, 4):
        await store.seal(block(number, f"e{number}"))
    with pytest.raises(Conflict):
        await store.seal(block(3, "e0"))
    assert await store.last_block() == block(3, "e3")
    assert [one.number for one in await store.blocks(2, 9)] == [2, 3]
    assert [one.id for one in await store.unsealed(9)] == ["e0"]


async def test_a_block_of_a_missing_or_sealed_event_is_refused_whole(
    store: MongoStore, event: Callable[..., Event]
) -> None:
    await store.append([event("e1"), event("e2")])
    await store.seal(block(1, "e1"))
    for events in (("e2", "missing"), ("e2", "e1")):
        with pytest.raises(Conflict):
            await store.seal(block(2, *events))
    assert await store.last_block() == block(1, "e1")
    assert [one.id for one in await store.unsealed(9)] == ["e2"]


async def test_an_event_that_claims_a_block_which_does_not_list_it_is_a_stray(
    store: MongoStore, event: Callable[..., Event]
) -> None:
    await store.append([event("e1"), event("e2"), event("e3")])
    await store.seal(block(1, "e1"))
    assert await store.stray_events(9) == []
    events = store._database.events
    await events.update_one({"_id": "AuditEvent/e2"}, {"$set": {"block": 1}})
    await events.update_one({"_id": "AuditEvent/e3"}, {"$set": {"block": 77}})
    assert sorted(await store.stray_events(9)) == ["e2", "e3"]
    assert len(await store.stray_events(1)) == 1


async def test_an_event_is_appended_once(store: MongoStore, event: Callable[..., Event]) -> None:
    await store.append([])
    await store.append([event("e1")])
    with pytest.raises(Conflict):
        await store.append([event("e2"), event("e1")])
    assert [one.id for one in await store.unsealed(9)] == ["e1"]
