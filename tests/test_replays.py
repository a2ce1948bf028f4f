"""Used assertions: each counts once, and is forgotten when it would be refused as expired anyway."""

from datetime import UTC, datetime, timedelta

import pytest

from fhir_gateway import app
from fhir_gateway.app import ASSERTIONS, Replays
from fhir_gateway.store.mongo import MongoStore

pytestmark = pytest.mark.anyio
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


async def test_an_assertion_counts_once(store: MongoStore) -> None:
    assert await Replays(store).remember("one", NOON)
    assert not await Replays(store).remember("one", NOON)


async def test_only_expired_ones_are_forgotten(store: MongoStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "REPLAYS_AT_ONCE", 3)
    replays = Replays(store)
    for number in range(8):
        await replays.remember(f"jti-{number}", NOON + timedelta(seconds=number))
    await replays.clear(NOON + timedelta(seconds=5))
    assert [key for key, _ in await store.notes(ASSERTIONS, {}, "", 100)] == ["jti-5", "jti-6", "jti-7"]
