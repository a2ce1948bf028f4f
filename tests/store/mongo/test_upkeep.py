"""Indexes that appear and keys that are made anew, beside the requests."""

import asyncio
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fhir_gateway.problem import Conflict, Unavailable
from fhir_gateway.search.extract import EDITION
from fhir_gateway.search.query import parse
from fhir_gateway.security.sight import Outsider
from fhir_gateway.store.embedded import Engine
from fhir_gateway.store.mongo import MongoStore, connection
from fhir_gateway.store.mongo.connection import Collection
from fhir_gateway.store.mongo.layout import LAYOUT, Layout
from fhir_gateway.store.mongo.refreshing import Statements, cleared
from fhir_gateway.store.port import Change, Commit, Event, Timeline, Version

pytestmark = pytest.mark.anyio

BODY = b'{"resourceType":"Patient","id":"p1","gender":"male"}'
EVENT = b'{"resourceType":"AuditEvent","id":"e1","action":"R"}'
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
VICTIM = Path(__file__).with_name("die_keeping_up.py")


async def test_an_index_that_is_missing_is_told_and_built(store: MongoStore) -> None:
    home = store._database.resources
    await home.drop_index("keys")

    assert (await store.upkeep()).missing == ("keys",)
    assert await store.keep_up("me")
    assert (await store.upkeep()).missing == ()
    assert "keys" in await home.index_information()


async def test_a_start_leaves_a_collection_that_holds_something_to_the_upkeep(
    store: MongoStore, version: Callable[..., Version]
) -> None:
    await store.commit(Commit((Change(version(body=BODY), 0, {"keys": []}),)))
    await store._database.resources.drop_index("updated")
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


async def _of_layout_one(store: MongoStore, version: Callable[..., Version], many: int = 3) -> None:
    """Records as an earlier version left them: keys without a type, an index over the type and them."""
    changes = (Change(version(f"p{number}", body=BODY), 0, {"keys": []}) for number in range(many))
    await store.commit(Commit(tuple(changes)))
    home = store._database.resources
    await home.update_many({}, {"$set": {"keys": ["gender:male\x1f=", "gender:male"]}})
    await home.drop_index("keys")
    await home.create_index([("type", 1), ("keys", 1), ("_id", 1)], name="keys")
    await store._database.leases.delete_one({"_id": "upkeep"})
    store._layout = Layout(store._database)


async def test_an_index_of_keys_is_built_apart_from_everybody_on_records_without_keys(
    store: MongoStore, version: Callable[..., Version]
) -> None:
    await _of_layout_one(store, version)
    seen = []

    async def apart(database: str, wanted: Mapping[str, Sequence[str]]) -> None:
        held = [document.get("keys") async for document in store._database.resources.find({})]
        seen.append((database, {home: [*names] for home, names in wanted.items()}, held, await store.upkeep()))
        await connection.build(store._database.resources, connection.indexes("resources"))

    store.apart = apart
    assert await store.keep_up("me")

    ((database, wanted, held, told),) = seen
    assert (database, wanted) == (store.name, {"resources": ["keys"]})
    assert held == [[], [], []]
    assert (told.missing, told.cleared, told.current) == (("keys",), 3, False)
    assert len(await store.find(parse("Patient", [("gender", "male")]))) == 3


async def test_keys_stay_in_the_records_while_searches_are_answered(
    store: MongoStore, version: Callable[..., Version]
) -> None:
    await _of_layout_one(store, version)
    await store._database.leases.update_one({"_id": "upkeep"}, {"$set": {"layout": LAYOUT}}, upsert=True)
    held = []

    async def apart(database: str, wanted: Mapping[str, Sequence[str]]) -> None:
        held.extend([len(document["keys"]) async for document in store._database.resources.find({})])
        await connection.build(store._database.resources, connection.indexes("resources"))

    store.apart = apart
    assert await store.keep_up("me")
    assert held == [2, 2, 2]


async def test_searches_that_wait_are_told_how_far_it_is(store: MongoStore, version: Callable[..., Version]) -> None:
    await _of_layout_one(store, version)
    query, told = parse("Patient", [("gender", "male")]), []
    with pytest.raises(Unavailable, match="has not begun"):
        await store.find(query)

    async def apart(database: str, wanted: Mapping[str, Sequence[str]]) -> None:
        with pytest.raises(Unavailable) as caught:
            await store.find(query)
        told.append(str(caught.value))
        raise Unavailable("not now")

    store.apart = apart
    with pytest.raises(Unavailable, match="not now"):
        await store.keep_up("me")
    assert "old keys are taken from 3 of 3 records" in told[0]


async def test_whoever_lost_the_lease_writes_nothing_more(store: MongoStore, version: Callable[..., Version]) -> None:
    await _of_layout_one(store, version, many=45)
    leases, portions = store._database.leases, []

    async def overtaken(home: Collection, ids: Sequence[str]) -> Statements:
        portions.append(ids)
        if len(portions) == 2:
            await leases.update_one({"_id": "upkeep/lease"}, {"$set": {"owner": "you"}})
        return await cleared(home, ids)

    assert await store._at_it("me")
    with pytest.raises(Conflict):
        await store._all("me", "cleared", "2", overtaken)
    first, second = portions
    bare = [found["_id"] async for found in store._database.resources.find({"keys": []}, {"_id": 1})]
    assert {*bare} == {*first}
    assert not {*bare} & {*second}
    assert (await store.upkeep()).cleared == len(first)


async def test_two_processes_that_build_the_same_indexes_do_not_hurt_each_other(
    store: MongoStore, version: Callable[..., Version]
) -> None:
    await _of_layout_one(store, version)
    home = store._database.resources
    wanted = await connection.lacking(home)
    await asyncio.gather(*(connection.build(home, wanted) for _ in range(3)))
    await connection.build(home, wanted)
    assert await connection.lacking(home) == {}


async def test_an_upgrade_that_is_killed_at_any_moment_is_brought_to_its_end_by_the_next(
    engine: Engine, tmp_path: Path, version: Callable[..., Version]
) -> None:
    store = await MongoStore.open(engine.url, "upgraded")
    await store.deliver([Event("e1", NOON, EVENT, {"keys": [], "patients": []})])
    await _of_layout_one(store, version)
    environment = {**os.environ, "PYTHONPATH": "tests"}
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        str(VICTIM),
        engine.url,
        "upgraded",
        str(tmp_path),
        stdout=asyncio.subprocess.PIPE,
        env=environment,
    )
    told, _ = await program.communicate()
    assert program.returncode == 0
    assert int(told) > 15
    assert (await store.upkeep()).current
    assert len(await store.find(parse("Patient", [("gender", "male")]))) == 3
    assert len(await store.find(parse("AuditEvent", [("action", "R")]))) == 1
    await store.close()
