"""All records and pages, a few at a time, from any place on."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from fhir_gateway.store.mongo import MongoStore, stretches
from fhir_gateway.store.mongo.stretches import PORTION, Stretch, Stretches
from fhir_gateway.store.port import Block, Change, Commit, Event, Version

pytestmark = pytest.mark.anyio
RECORDS = 400
"""Six rungs, more or less."""


@pytest.fixture
async def filled(store: MongoStore, version: Callable[..., Version], event: Callable[..., Event]) -> MongoStore:
    """Records a second apart, and three pages of the audit trail of which one waits."""
    changes = []
    for number in range(RECORDS):
        made = version(f"p{number}", body=b'{"resourceType":"Patient"}')
        later = Version("Patient", made.id, 1, made.updated + timedelta(seconds=number), made.body)
        changes.append(Change(later, 0, {"keys": [f"n:{number}"], "patients": []}))
    await store.commit(Commit(tuple(changes)))
    await store.deliver([event("e1"), event("e2")])
    waiting = await store.unsealed(9)
    await store.seal(Block(1, "", "root", tuple(one.id for one in waiting), waiting[0].recorded, "signature"))
    await store.deliver([event("e3")])
    return store


async def _all(store: MongoStore, place: list[Any] | None = None) -> list[Stretch]:
    return [stretch async for stretch in Stretches(store._database, place)]


@pytest.mark.parametrize("few", [stretches.FEW, 0])
async def test_every_record_and_page_is_met_once(filled: MongoStore, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stretches, "FEW", few)
    found = await _all(filled)
    ids = [id_ for stretch in found for id_ in stretch.ids]
    pages = [page["_id"] async for page in filled._database.events.find({"events": {"$exists": True}}, {"_id": 1})]
    assert len(pages) == 3
    assert sorted(ids) == sorted([*(f"Patient/p{number}" for number in range(RECORDS)), *pages])
    assert max(len(stretch.ids) for stretch in found) <= PORTION


async def test_from_each_place_on_nothing_that_followed_it_is_left_out(
    filled: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stretches, "FEW", 0)
    found = await _all(filled)
    places = [stretch.place for stretch in found]
    assert len({tuple(place) for place in places}) > 4
    for number, place in [*enumerate(places)][::9]:
        again = {id_ for stretch in await _all(filled, place) for id_ in stretch.ids}
        assert again >= {id_ for stretch in found[number:] for id_ in stretch.ids}
        assert len(again) <= RECORDS + 3


async def test_a_place_of_the_middle_spares_what_lay_before_it(
    filled: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stretches, "FEW", 0)
    found = await _all(filled)
    middle = next(stretch.place for stretch in reversed(found) if stretch.home == "resources")
    again = [id_ for stretch in await _all(filled, middle) for id_ in stretch.ids]
    assert len(again) < RECORDS // 2
