"""Indexes that appear and keys that are made anew, beside the requests."""

from collections.abc import Callable

import pytest

from fhir_gateway.problem import Unavailable
from fhir_gateway.search.extract import EDITION
from fhir_gateway.search.query import parse
from fhir_gateway.security.sight import Outsider
from fhir_gateway.store.mongo import MongoStore, connection
from fhir_gateway.store.port import Change, Commit, Timeline, Version

pytestmark = pytest.mark.anyio

BODY = b'{"resourceType":"Patient","id":"p1","gender":"male"}'


async def test_an_index_that_is_missing_is_told_and_built(store: MongoStore) -> None:
    home = store._database.resources
    await home.drop_index("keys")

    assert (await store.upkeep()).missing == ("keys",)
    assert await store.keep_up("me")
    assert (await store.upkeep()).missing == ()
    assert "keys" in await home.index_information()


async def test_a_start_leaves_a_large_collection_to_the_upkeep(
    store: MongoStore, version: Callable[..., Version], monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.commit(Commit((Change(version(body=BODY), 0, {"keys": []}),)))
    await store._database.resources.drop_index("updated")
    monkeypatch.setattr(connection, "SMALL", 0)
    await connection.prepare(store._database)

    assert (await store.upkeep()).missing == ("updated",)


async def test_an_index_over_other_fields_is_built_anew(store: MongoStore) -> None:
    home = store._database.resources
    await home.drop_index("keys")
    await home.create_index([("type", 1), ("keys", 1), ("_id", 1)], name="keys")

    assert (await store.upkeep()).missing == ("keys",)
    assert await store.keep_up("me")
    assert [field for field, _ in dict((await home.index_information())["keys"]["key"]).items()] == ["keys", "_id"]


async def test_searches_wait_until_keys_of_an_earlier_layout_are_made_anew(
    store: MongoStore, version: Callable[..., Version]
) -> None:
    await store.commit(Commit((Change(version(body=BODY), 0, {"keys": []}),)))
    # As an earlier version left it: keys without a type, and nothing said of how they lie.
    await store._database.resources.update_one({"_id": "Patient/p1"}, {"$set": {"keys": ["gender:male\x1f="]}})
    await store._database.leases.delete_one({"_id": "upkeep"})
    started = MongoStore(store._client, store.name)
    await started.prepare()
    query = parse("Patient", [("gender", "male")])
    with pytest.raises(Unavailable, match="made anew"):
        await started.find(query)
    with pytest.raises(Unavailable, match="made anew"):
        await started.count(query)
    assert (await started.current("Patient/p1")) is not None

    assert await started.keep_up("me")
    assert [found.id for found in await started.find(query)] == ["p1"]


async def test_records_with_old_keys_get_new_ones_once(store: MongoStore, version: Callable[..., Version]) -> None:
    await store.commit(Commit((Change(version(body=BODY), 0, {"keys": ["old"], "tuples": {"x": []}}),)))
    query = parse("Patient", [("gender", "male")])
    assert await store.find(query) == []

    assert await store.keep_up("me")
    assert [found.id for found in await store.find(query)] == ["p1"]
    told = await store.upkeep()
    assert (told.current, told.refreshed, told.records) == (True, 1, 1)
    document = await store._database.resources.find_one({"_id": "Patient/p1"})
    assert document is not None
    assert "tuples" not in document

    await store._database.resources.update_one({"_id": "Patient/p1"}, {"$set": {"keys": []}})
    assert await store.keep_up("me")
    assert await store.find(query) == []


async def test_two_processes_do_not_keep_up_at_once(store: MongoStore) -> None:
    assert await store.keep_up("me")
    assert not await store.keep_up("you")
    assert await store.keep_up("me")


def test_the_edition_follows_the_definitions() -> None:
    assert EDITION.count("-") == 1


async def test_records_that_were_secret_before_the_mark_was_get_it(
    store: MongoStore, version: Callable[..., Version]
) -> None:
    label = b'{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}'
    body = BODY.replace(b'"gender"', b'"meta":{"security":[' + label + b']},"gender"')
    for number, text in ((1, BODY), (2, body)):
        await store.commit(Commit((Change(version(number=number, body=text), number - 1, {"keys": []}),)))
    query = parse("Patient", [("gender", "male")])
    assert await store.keep_up("me")

    assert await store.find(query, Outsider(None)) == []
    assert await store.changes(Timeline(5, "Patient", reader=Outsider(None))) == []
    assert [found.secret for found in await store.find(query)] == [True]


async def test_keys_that_lie_where_nobody_looks_are_never_called_current(
    store: MongoStore, version: Callable[..., Version]
) -> None:
    await store.commit(Commit((Change(version(body=BODY), 0, {"keys": []}),)))
    await store._database.leases.update_one(
        {"_id": "upkeep"}, {"$set": {"edition": EDITION}, "$unset": {"layout": ""}}, upsert=True
    )
    assert not (await store.upkeep()).current
    assert await store.keep_up("me")
    assert (await store.upkeep()).current
