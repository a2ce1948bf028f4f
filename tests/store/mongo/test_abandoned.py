"""What a killed process left open holds up nobody: the next one, or its survivor, ends it."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from fhir_gateway.store.embedded import Engine
from fhir_gateway.store.mongo import MongoStore

pytestmark = pytest.mark.anyio

VICTIM = Path(__file__).with_name("die_in_transaction.py")


@pytest.fixture
async def survivor(engine: Engine, tmp_path: Path) -> AsyncIterator[MongoStore]:
    store = await MongoStore.open(engine.url, "abandoned")
    await store.note_sessions(tmp_path)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
def killed(engine: Engine, tmp_path: Path, survivor: MongoStore) -> None:
    """A process that died in the middle of a transaction."""
    subprocess.run([sys.executable, str(VICTIM), engine.url, "abandoned", str(tmp_path)], check=False)


def written(engine: Engine) -> bool:
    """Whether the document that the dead process wrote to can be written."""
    with MongoClient(engine.url) as client, client.start_session() as session:
        try:
            with session.start_transaction():
                client.abandoned.notes.update_one({"_id": "held"}, {"$inc": {"n": 1}}, upsert=True, session=session)
        except OperationFailure:
            return False
    return True


async def test_what_a_killed_process_left_open_is_ended_by_its_survivor(engine, killed, survivor, tmp_path):
    assert not written(engine)

    await survivor.end_abandoned()

    assert written(engine)
    assert len(list(tmp_path.glob("*.sessions"))) == 1


async def test_the_next_process_ends_it_when_it_starts(engine, killed, tmp_path):
    store = await MongoStore.open(engine.url, "abandoned")
    await store.note_sessions(tmp_path)
    await store.close()

    assert written(engine)


async def test_a_process_that_lives_keeps_its_sessions(survivor, engine, tmp_path, job):
    other = await MongoStore.open(engine.url, "abandoned")
    await other.note_sessions(tmp_path)
    noted = {path: path.read_bytes() for path in tmp_path.glob("*.sessions")}
    await survivor.end_abandoned()

    assert len(noted) == 2
    assert {path: path.read_bytes() for path in tmp_path.glob("*.sessions")} == noted
    await other.close()
    assert len(list(tmp_path.glob("*.sessions"))) == 1


async def test_a_torn_note_is_no_reason_to_stop(survivor, tmp_path):
    torn = tmp_path / "dead.sessions"
    torn.write_bytes(b"00112233445566778899aabbccddeeff\n0011")

    await survivor.end_abandoned()

    assert not torn.exists()
