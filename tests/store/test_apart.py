"""Indexes of the embedded database: built while it answers nobody, at a wish that outlives a kill; by either engine."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest

from fhir_gateway.problem import Unavailable
from fhir_gateway.search.query import parse
from fhir_gateway.store import embedded
from fhir_gateway.store.apart import apart, runs, wished
from fhir_gateway.store.embedded import PROGRAMS, WISH, Engine, revive, running
from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.store.port import Change, Commit, Version

pytestmark = pytest.mark.anyio
DATABASE = "apart"
BODY = b'{"resourceType":"Patient","gender":"male"}'
MALE = parse("Patient", [("gender", "male")])


@pytest.fixture(params=PROGRAMS)
async def engine(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Engine]:
    monkeypatch.setattr(embedded, "PROGRAMS", (request.param,))
    try:
        embedded.program()
    except Unavailable:
        pytest.skip(f"{request.param} is not installed")
    engine = Engine(tmp_path / "database")
    await asyncio.to_thread(engine.start)
    try:
        yield engine
    finally:
        await asyncio.to_thread(engine.stop)


@pytest.fixture
async def filled(engine: Engine, version: Callable[..., Version]) -> AsyncIterator[MongoStore]:
    """Three records whose index of keys holds none of them: as a build leaves it that was killed in the middle."""
    store = await MongoStore.open(engine.url, DATABASE)
    changes = (Change(version(f"p{number}", body=BODY), 0, {"keys": ["gender:male"]}) for number in range(3))
    await store.commit(Commit(tuple(changes)))
    await _half(store)
    yield store
    await store.close()


async def _half(store: MongoStore) -> None:
    home = store._database.resources
    await home.drop_index("keys")
    await home.create_index([("keys", 1), ("_id", 1)], name="keys", partialFilterExpression={"_id": "nothing"})


async def _by_index(store: MongoStore) -> int:
    """How many records the index of keys leads to."""
    found = store._database.resources.find({"keys": {"$gte": "Patient/", "$lt": "Patient0"}}, hint="keys")
    return len({document["_id"] async for document in found})


async def _partial(store: MongoStore) -> bool:
    told = [index async for index in store._database.resources.list_indexes()]
    return any("partialFilterExpression" in index for index in told)


async def test_an_index_is_built_from_nothing_and_the_database_is_back_on_its_port(
    engine: Engine, filled: MongoStore
) -> None:
    port = engine.port
    await apart(engine.folder, DATABASE, {"resources": ["keys"]})
    await _answering(filled)

    assert engine.port == port
    assert not await _partial(filled)
    assert await _by_index(filled) == 3
    assert not wished(engine.folder)


async def test_an_index_that_is_not_there_at_all_is_built_too(engine: Engine, filled: MongoStore) -> None:
    await filled._database.resources.drop_index("keys")
    await apart(engine.folder, DATABASE, {"resources": ["keys"]})
    await _answering(filled)
    assert not await _partial(filled)
    assert await _by_index(filled) == 3


async def test_a_wish_that_a_kill_left_is_fulfilled_before_the_next_start_answers(
    engine: Engine, filled: MongoStore
) -> None:
    await asyncio.to_thread(engine.stop)
    wish = {"database": DATABASE, "indexes": {"resources": ["keys"], "gone": ["since"]}}
    (engine.folder / WISH).write_text(json.dumps(wish))
    await asyncio.to_thread(engine.start)

    assert not wished(engine.folder)
    store = await MongoStore.open(engine.url, DATABASE)
    assert not await _partial(store)
    assert await _by_index(store) == 3
    await store.close()


async def test_a_wish_that_fails_leaves_the_database_in_service_and_is_not_repeated_at_once(
    engine: Engine, filled: MongoStore
) -> None:
    with pytest.raises(Unavailable, match="could not be built"):
        await apart(engine.folder, "no/good", {"resources": ["keys"]})
    await _answering(filled)
    assert wished(engine.folder)
    pid = engine.pid
    with pytest.raises(Unavailable, match="a short while ago"):
        await apart(engine.folder, DATABASE, {"resources": ["keys"]})
    assert engine.pid == pid


async def test_an_upgrade_of_a_real_database_ends_with_the_same_answers(engine: Engine, filled: MongoStore) -> None:
    home = filled._database.resources
    await home.drop_index("keys")
    await home.create_index([("type", 1), ("keys", 1), ("_id", 1)], name="keys")
    await home.update_many({}, {"$set": {"keys": ["gender:male"]}})
    await filled._database.leases.delete_one({"_id": "upkeep"})
    upgraded = await MongoStore.open(engine.url, DATABASE)
    upgraded.apart = partial(apart, engine.folder)
    with pytest.raises(Unavailable):
        await upgraded.find(MALE)
    for _ in range(50):
        try:
            if await upgraded.keep_up("me"):
                break
        except Unavailable:
            await asyncio.sleep(0.1)
    assert len(await upgraded.find(MALE)) == 3
    assert (await upgraded.upkeep()).current
    await upgraded.close()


async def test_an_engine_that_builds_indexes_is_not_ended_for_its_silence(engine: Engine) -> None:
    pid, note = engine.pid, engine.folder / "engine.pid"
    assert pid is not None
    note.write_text(f"{pid} -")
    revive(engine.folder)
    await asyncio.sleep(0.2)
    assert engine.pid == pid
    with pytest.raises(Unavailable):
        running(engine.folder)


async def test_a_probe_is_told_why_the_database_does_not_answer(engine: Engine, filled: MongoStore) -> None:
    filled.busy = partial(wished, engine.folder)
    await asyncio.to_thread(engine.stop)
    (engine.folder / WISH).write_text("{}")
    with pytest.raises(Unavailable, match="indexes are built"):
        await filled.ping()


async def test_a_further_process_knows_the_database_of_its_own_folder(engine: Engine, tmp_path: Path) -> None:
    assert runs(engine.folder, engine.url)
    assert not runs(engine.folder, "mongodb://127.0.0.1:1/?directConnection=true&retryWrites=false")
    assert not runs(tmp_path / "elsewhere", engine.url)


async def _answering(store: MongoStore) -> None:
    for _ in range(100):
        try:
            return await store.ping()
        except Unavailable:
            await asyncio.sleep(0.1)
    raise AssertionError("it does not answer")
