"""Notes on shelves, and named leases, against the real engine."""

import asyncio
from datetime import UTC, datetime

import pytest

from fhir_gateway.problem import Conflict
from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.store.port import Commit, Note

pytestmark = pytest.mark.anyio


async def put(store: MongoStore, *notes: Note) -> None:
    await store.commit(Commit(notes=notes))


async def test_a_note_keeps_its_content(store: MongoStore) -> None:
    content = {"body": b"\x00MSH|", "count": 3, "at": datetime(2026, 1, 2, tzinfo=UTC), "rows": [{"a.b": "$c"}]}
    await put(store, Note("inbox", "qn/1", content))
    assert await store.note("inbox", "qn/1") == content
    assert await store.note("inbox", "qn/2") is None


async def test_a_new_note_must_not_exist_yet(store: MongoStore) -> None:
    await put(store, Note("inbox", "1", {"state": "received"}))
    with pytest.raises(Conflict):
        await put(store, Note("inbox", "1", {"state": "stored"}))
    await put(store, Note("outbox", "1", {"state": "owed"}))


async def test_an_expected_note_is_overwritten_field_by_field(store: MongoStore) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
    await put(store, Note("inbox", "1", {"state": "received", "hospital": "qn", "at": at}))
    await put(store, Note("inbox", "1", {"state": "stored"}, expected={"state": "received", "at": at}))
    note = await store.note("inbox", "1")
    assert note is not None
    assert (note["state"], note["hospital"]) == ("stored", "qn")
    with pytest.raises(Conflict):
        await put(store, Note("inbox", "1", {"state": "stored"}, expected={"state": "received"}))
    with pytest.raises(Conflict):
        await put(store, Note("inbox", "2", {}, expected={"state": "received"}))
    assert [key for key, _ in await store.notes("inbox", {"state": "stored"}, "", 9)] == ["1"]
    assert await store.notes("inbox", {"state": "received"}, "", 9) == []


async def test_a_note_told_entirely_takes_the_place_of_the_old_one(store: MongoStore) -> None:
    await put(store, Note("inbox", "1", {"state": "received", "hospital": "qn"}))
    after = Note("inbox", "1", {"state": "stored"}, expected={"state": "received"}, entire=True)
    await put(store, after, Note("ledgers", "1", {"accounts": b"x"}))
    assert await store.note("inbox", "1") == {"state": "stored"}
    assert await store.note("ledgers", "1") == {"accounts": b"x"}
    assert [key for key, _ in await store.notes("inbox", {"state": "stored"}, "", 9)] == ["1"]
    assert await store.notes("inbox", {"hospital": "qn"}, "", 9) == []


@pytest.mark.parametrize(
    ("expected", "beside"),
    [({"state": "quarantined"}, "2"), ({"state": "received"}, "1")],
    ids=["another state", "a new note that is there already"],
)
async def test_a_note_told_entirely_is_refused_whole(store: MongoStore, expected: dict[str, str], beside: str) -> None:
    await put(store, Note("inbox", "1", {"state": "received"}), Note("ledgers", "1", {"accounts": b"x"}))
    with pytest.raises(Conflict):
        await put(
            store,
            Note("inbox", "1", {"state": "stored"}, expected=expected, entire=True),
            Note("ledgers", beside, {"accounts": b"y"}),
        )
    assert await store.note("inbox", "1") == {"state": "received"}
    assert await store.note("ledgers", "1") == {"accounts": b"x"}
    assert await store.note("ledgers", "2") is None


async def test_of_many_who_expect_the_same_one_wins(store: MongoStore) -> None:
    await put(store, Note("s", "1", {"holder": "nobody"}))

    async def take(name: str) -> bool:
        try:
            await put(store, Note("s", "1", {"holder": name}, expected={"holder": "nobody"}))
        except Conflict:
            return False
        return True

    assert sum(await asyncio.gather(*(take(f"w{number}") for number in range(12)))) == 1


async def test_notes_are_found_by_their_fields_in_key_order(store: MongoStore) -> None:
    long = "x" * 100
    rows = [Note("s", f"{number:02d}", {"even": not number % 2, "n": number, "long": long}) for number in range(10)]
    await put(store, *rows, Note("s2", "00", {"even": True}), Note("s/x", "00", {"even": True}))
    assert [key for key, _ in await store.notes("s", {"even": True}, "02", 2)] == ["04", "06"]
    assert [key for key, _ in await store.notes("s", {"even": True, "n": 4}, "", 9)] == ["04"]
    assert len(await store.notes("s", {"long": long}, "", 99)) == 10
    assert await store.notes("s", {"even": "True"}, "", 9) == []


async def test_a_named_lease_has_one_holder_until_it_ends(store: MongoStore) -> None:
    won = await asyncio.gather(*(store.hold("sealer", f"w{number}", 0.3) for number in range(8)))
    assert won.count(True) == 1
    owner = f"w{won.index(True)}"
    assert await store.hold("sealer", owner, 0.3)
    assert not await store.hold("sealer", "other", 0.3)
    assert await store.hold("another lease", "other", 0.3)
    await asyncio.sleep(0.35)
    assert await store.hold("sealer", "other", 0.3)


async def test_forgotten_notes_are_gone_and_their_neighbours_are_not(store: MongoStore) -> None:
    await put(store, *(Note("a", f"{number:03d}", {"n": number}) for number in range(120)), Note("b", "001", {"n": 1}))
    await store.forget("a", [*(f"{number:03d}" for number in range(110)), "none"])
    assert [key for key, _ in await store.notes("a", {}, "", 200)] == [f"{number:03d}" for number in range(110, 120)]
    assert await store.note("b", "001") == {"n": 1}
    await put(store, Note("a", "001", {"n": 2}))
