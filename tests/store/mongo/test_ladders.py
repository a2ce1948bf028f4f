"""Pages by stretches of ids find what a page read at once finds, and read much less."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from fhir_gateway.records.revision import deletion, revision
from fhir_gateway.search.query import parse
from fhir_gateway.store import ladder
from fhir_gateway.store.filter import stages
from fhir_gateway.store.mongo import ladders
from fhir_gateway.store.port import Commit

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 23, tzinfo=UTC)
MANY = 240
ASKED = [
    ("code", "urn:x|b"),
    ("status", "final"),
    ("code", "urn:x|c"),
    ("combo-code", "urn:x|b"),
    ("combo-code", "b"),
    None,
]


@pytest.fixture
async def filled(store, monkeypatch):
    """Records of which every second is a rung, so that few make a ladder."""
    monkeypatch.setattr(ladder, "LEVELS", (3, 2, 1))
    monkeypatch.setattr(ladders, "LEVELS", (3, 2, 1))
    monkeypatch.setattr(ladders, "SAMPLES", 2)
    monkeypatch.setattr(ladders, "SAMPLED", 40.0)
    changes = [
        revision(observation(number), f"Observation/o{number}", None, NOW, ("qn",) if number % 3 else ("other",))
        for number in range(MANY)
    ]
    await store.commit(Commit(changes=tuple(changes)))
    return store


def observation(number):
    code = {"coding": [{"system": "urn:x", "code": "ab"[number % 5 == 0]}]}
    parts = {"component": [{"code": {"coding": [{"system": "urn:x", "code": "b"}]}}]} if number % 7 == 0 else {}
    return {"resourceType": "Observation", "id": f"o{number}", "status": "final", "code": code, **parts}


async def every_page(store, query, reader):
    pages = []
    while found := await store.find(query, reader):
        pages.append([version.reference for version in found])
        query = replace(query, after=(found[-1].reference,))
    return pages


@pytest.mark.parametrize("reader", [None, "qn"])
@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("sort", ["_id", "-_id"])
async def test_pages_by_stretches_are_the_pages_read_at_once(filled, asked, reader, sort):
    query = parse("Observation", [*([asked] if asked else []), ("_sort", sort), ("_count", "7")])
    whole = await filled._read(query, stages(replace(query, size=MANY), reader))
    expected = [document["_id"] for document in whole]
    pages = await every_page(filled, query, reader)
    assert [name for page in pages for name in page] == expected
    assert all(len(page) == 7 for page in pages[:-1])


async def test_a_page_that_is_walked_back_is_the_page_before(filled):
    query = parse("Observation", [("code", "urn:x|a"), ("_count", "9")])
    pages = await every_page(filled, query, None)
    back = await filled.find(replace(query, after=(pages[2][0],), backwards=True))
    assert [version.reference for version in back] == pages[1]


async def test_an_estimate_is_near_what_is_counted(filled):
    query = parse("Observation", [("code", "urn:x|a")])
    assert await filled.count(query) == MANY * 4 // 5
    assert await filled.estimate(query) == pytest.approx(MANY * 4 // 5, rel=0.5)


@pytest.mark.parametrize("text", ["urn:x|b", "b"])
async def test_what_two_keys_find_is_counted_once(filled, text):
    query = parse("Observation", [("combo-code", text), ("_count", "9")])
    expected = sum(1 for number in range(MANY) if number % 5 == 0 or number % 7 == 0)
    assert await filled.count(query) == expected
    assert len(await filled.references(replace(query, size=MANY))) == expected
    assert await filled.estimate(query) == pytest.approx(expected, rel=0.9)


async def test_what_is_deleted_is_no_rung_any_more(filled):
    before = await filled._ladders._built("Observation")
    names = [f"Observation/o{number}" for number in range(0, MANY, 2)]
    stored = await filled.currents(names)
    gone = [deletion(stored[name], NOW) for name in names]
    await filled.commit(Commit(changes=tuple(gone)))
    after = await filled._ladders._built("Observation")
    assert after.size < before.size
