"""A commit is whole or not at all, wherever its writer or its database dies."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from fhir_gateway.store.embedded import Engine
from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.store.port import Change, Claim, Commit, Job

pytestmark = pytest.mark.anyio

WRITER = Path(__file__).with_name("die_at.py")


@pytest.fixture
async def mortal(engine: Engine) -> AsyncIterator[MongoStore]:
    store = await MongoStore.open(engine.url, "crash")
    try:
        yield store
    finally:
        await store.close()


async def traces(store: MongoStore, moment: int) -> set[bool]:
    """Of each part of the commit of that moment, whether it is there."""
    found = await store.currents([f"Patient/{name}-{moment}" for name in ("old", "new", "shared")])
    fresh = await store.note("inbox", f"new-{moment}")
    changed = await store.note("inbox", f"old-{moment}") or {}
    owed = {job.id for job in await store.owed("out", 500)}
    return {
        found[f"Patient/old-{moment}"].number == 2,
        await store.version(f"Patient/old-{moment}", 2) is not None,
        f"Patient/new-{moment}" in found,
        found[f"Patient/shared-{moment}"].readers == ("bach-mai",),
        await store.claimed([f"mrn|{moment}"]) != {},
        fresh is not None,
        changed["state"] == "stored",
        await store.events([f"e-{moment}"]) != {},
        f"new-{moment}" in owed,
        f"old-{moment}" not in owed,
    }


async def test_a_writer_killed_between_any_two_steps_leaves_all_or_nothing(mortal: MongoStore, engine: Engine) -> None:
    writer = await asyncio.create_subprocess_exec(
        sys.executable, str(WRITER), engine.url, mortal.name, stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[3], env={**os.environ, "PYTHONPATH": "tests"},
    )  # fmt: skip
    printed, _ = await writer.communicate()
    assert writer.returncode == 0
    moments = int(printed)
    assert moments > 20
    written = [await traces(mortal, moment) for moment in range(1, moments + 1)]
    assert all(len(parts) == 1 for parts in written)
    # Killed early nothing is there, killed after the last answer everything.
    assert written[0] == {False}
    assert written[-1] == {True}


async def test_an_acknowledged_commit_survives_a_killed_database(
    mortal: MongoStore, engine: Engine, change: Callable[..., Change], job: Callable[..., Job]
) -> None:
    acknowledged: list[str] = []
    over = asyncio.Event()

    async def write(name: str) -> None:
        number = 0
        while not over.is_set():
            number += 1
            id_ = f"{name}-{number}"
            claim = Claim(f"mrn|{id_}", f"Patient/{id_}")
            await mortal.commit(Commit((change(id_),), (claim,), jobs=(job(id_),)))
            acknowledged.append(id_)

    writers = [asyncio.create_task(write(f"w{number}")) for number in range(3)]
    for _ in range(2):
        before = len(acknowledged)
        while len(acknowledged) < before + 20:
            await asyncio.sleep(0.01)
            assert not any(writer.done() for writer in writers)
        with suppress(ProcessLookupError):
            os.kill(engine.pid or 0, signal.SIGKILL)
    over.set()
    await asyncio.gather(*writers)
    found = await mortal.currents([f"Patient/{id_}" for id_ in acknowledged])
    owed = {one.id for one in await mortal.owed("out", 100_000)}
    claims = await mortal.claimed([f"mrn|{id_}" for id_ in acknowledged])
    assert len(acknowledged) == len(set(acknowledged)) == len(found) == len(claims)
    assert owed == set(acknowledged)
