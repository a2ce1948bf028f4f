"""Timelines are read from indexes, a page at the price of a page."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.store.mongo.timeline import spans, stages
from fhir_gateway.store.port import Change, Commit, Timeline

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
async def filled(store: MongoStore, change: Callable[..., Change]) -> MongoStore:
    """Forty records, every other one written twice; each a second later than the one before."""
    for number in (1, 2):
        fresh = [change(f"p{place:02d}", number) for place in range(0, 40, number)]
        moved = [
            replace(one, version=replace(one.version, updated=NOON + HOUR * number + timedelta(seconds=place)))
            for place, one in enumerate(fresh)
        ]
        await store.commit(Commit(tuple(moved)))
    return store


@pytest.mark.parametrize(
    "wanted",
    [
        Timeline(5),
        Timeline(5, "Patient"),
        Timeline(5, "Patient", "Patient/p00"),
        Timeline(5, since=NOON),
        Timeline(5, "Patient", during=(NOON, NOON + HOUR * 3)),
        Timeline(5, after=(NOON + HOUR * 2, "Patient/p04", 2)),
        Timeline(5, "Patient", after=(NOON + HOUR, "Patient/p04", 1), reader="san-nhi"),
    ],
)
async def test_no_timeline_scans_a_collection(filled: MongoStore, wanted: Timeline) -> None:
    for collection, name in (("resources", "_id"), ("versions", "of")):
        command = {"aggregate": collection, "pipeline": stages(name, wanted, (NOON, None)), "cursor": {}}
        told = json.dumps(await filled._database.command("explain", command, verbosity="queryPlanner"), default=str)
        assert "COLLSCAN" not in told
        assert "IXSCAN" in told or "IDHACK" in told or "EXPRESS" in told


async def test_superseded_and_current_versions_are_one_line(filled: MongoStore) -> None:
    found = await filled.changes(Timeline(100, "Patient"))

    assert len(found) == 60
    assert [version.updated for version in found] == sorted((version.updated for version in found), reverse=True)
    assert [version.number for version in await filled.changes(Timeline(9, "Patient", "Patient/p00"))] == [2, 1]


async def test_what_was_current_then_is_found(filled: MongoStore) -> None:
    before_the_second = (NOON + HOUR * 1.5, NOON + HOUR * 1.6)
    found = await filled.changes(Timeline(100, "Patient", during=before_the_second))

    assert {version.number for version in found} == {1}
    assert len(found) == 40


@pytest.mark.parametrize(
    "wanted",
    [
        Timeline(5),
        Timeline(5, since=NOON),
        Timeline(5, during=(NOON, NOON + HOUR)),
        Timeline(5, after=(NOON + HOUR, "Patient/p", 1)),
        Timeline(5, since=NOON + HOUR),
    ],
)
def test_spans_of_time_lie_end_to_end_from_the_newest_to_the_oldest(wanted: Timeline) -> None:
    found = list(spans(wanted, NOON + HOUR / 2))

    assert [end for _, end in found[1:]] == [start for start, _ in found[:-1]]
    assert found[0][1] is None or found[0][1] >= NOON + HOUR
    assert found[-1][0] == (wanted.since or datetime(1970, 1, 1, tzinfo=UTC))
    assert len(found) <= 14


async def test_a_page_is_whole_however_its_records_are_spread(filled: MongoStore) -> None:
    everything = await filled.changes(Timeline(100))
    seen: list[object] = []
    after = None
    while page := await filled.changes(Timeline(7, after=after)):
        seen += page
        after = (page[-1].updated, page[-1].reference, page[-1].number)

    assert seen == everything
