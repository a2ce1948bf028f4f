"""What a crash may not do: every acknowledged message is stored once and no other is, at whatever moment it comes."""

import asyncio
import os
import resource
import signal
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from fhir_gateway.app import adapters
from fhir_gateway.exchange import inbox
from fhir_gateway.exchange.ahead import Turn
from fhir_gateway.exchange.inbox import Inbox, State, number
from fhir_gateway.exchange.lanes import Bell
from fhir_gateway.exchange.worker import Settled, Translator, work
from fhir_gateway.problem import Unavailable
from fhir_gateway.store.embedded import revive
from fhir_gateway.store.mongo import MongoStore

pytestmark = pytest.mark.anyio
PROGRAM = Path(__file__).with_name("killed_at.py")


SPEC = spec_from_file_location("killed_at", PROGRAM)
killed_at = module_from_spec(SPEC)
sys.modules["killed_at"] = killed_at
SPEC.loader.exec_module(killed_at)


async def versions_of(store, receipt) -> set[int]:
    """How many versions what this message alone has made has."""
    own = [ref for ref in receipt.resources if ref.split("/")[0] in ("Patient", "Encounter", "Condition", "Provenance")]
    found = await store.currents(own)
    assert len(found) == len(own) > 3
    return {version.number for version in found.values()}


async def test_a_gateway_killed_at_any_moment_of_a_message_keeps_what_it_acknowledged_and_nothing_twice(
    engine, tmp_path, message
):
    file = tmp_path / "message.hl7"
    file.write_bytes(message("hl7v2/admission-a01"))
    life = killed_at.Life(engine.url, "crash", tmp_path / "life")
    store = await life.open()
    await killed_at.received(life, store, message("hl7v2/admission-a01"))
    await killed_at.settled(life, store)
    await store.close()
    program = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), engine.url, "crash", str(life.folder), str(file),
        stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2], env={**os.environ, "PYTHONPATH": "tests"},
    )  # fmt: skip
    told, _ = await program.communicate()
    *acknowledged, last = told.decode().split("\n")[:-1]
    moments = int(last.removeprefix("moments "))
    assert program.returncode == 0
    assert moments > 30
    assert {int(moment) for moment in acknowledged} >= {moments - 1, moments}
    # The lights go out for the database too: what a killed client had begun there is forgotten.
    os.kill(engine.pid or 0, signal.SIGKILL)
    store = await reopened(life)
    for moment in range(1, moments):
        await checked_after(life, store, (moment, str(moment) in acknowledged), message("hl7v2/admission-a01"))
    await store.close()


async def reopened(life) -> MongoStore:
    for _ in range(100):
        try:
            return await life.open()
        except Unavailable:
            await asyncio.sleep(0.1)
    raise Unavailable("the database does not come back")


async def checked_after(life, store, crash, text) -> None:
    """A new gateway goes on; then the sender sends again, as it does without an acknowledgement."""
    moment, acknowledged = crash
    body, key = killed_at.body_of(text, moment), number(killed_at.body_of(text, moment))[0]
    inbox.TRANSLATE, before = killed_at.queue_of(moment), inbox.TRANSLATE
    try:
        await store.release(inbox.TRANSLATE)
        await killed_at.settled(life, store)
        kept = await store.note(inbox.SHELF, f"qn-general/{key}")
        assert kept is not None or not acknowledged, f"moment {moment}: acknowledged and lost"
        assert await killed_at.received(life, store, body) is (kept is not None)
        await killed_at.settled(life, store)
        receipt = await Inbox(store, 10**6).receipt("qn-general", key)
        assert receipt.state is State.STORED, f"moment {moment}: {receipt.problems}"
        assert await versions_of(store, receipt) == {1}, f"moment {moment}: stored twice"
        assert await store.owed(inbox.TRANSLATE, 9) == []
    finally:
        inbox.TRANSLATE = before


async def test_a_database_that_is_killed_again_and_again_during_ingest_loses_and_doubles_nothing(
    engine, tmp_path, message
):
    life = killed_at.Life(engine.url, "restart", tmp_path / "life")
    store = await life.open()
    house, letters = life.house(store), Inbox(store, 10**6)
    translator = Translator(house, letters, adapters(), Bell(), Settled())
    turn = Turn(translator.do, translator.ready, abreast=4)
    working = asyncio.create_task(work(inbox.TRANSLATE, house, 2, Bell(), turn))
    bodies = [killed_at.body_of(message("hl7v2/admission-a01"), n) for n in range(24)]
    for place, body in enumerate(bodies):
        if place in (6, 16):
            os.kill(engine.pid or 0, signal.SIGKILL)
        await handed_in_at_last(life, store, body)
    await all_settled(letters, bodies)
    working.cancel()
    for body in bodies:
        assert await versions_of(store, await letters.receipt("qn-general", number(body)[0])) == {1}
    assert len(await store.notes(inbox.SHELF, {"hospital": "qn-general"}, "", 99)) == len(bodies)
    await store.close()


async def handed_in_at_last(life, store, body) -> None:
    """A sender sends until it is acknowledged."""
    for _ in range(60):
        try:
            await killed_at.received(life, store, body)
            return
        except Unavailable:
            await asyncio.sleep(0.2)
    raise AssertionError("never acknowledged")


async def all_settled(letters, bodies, seconds=40) -> None:
    async with asyncio.timeout(seconds):
        for body in bodies:
            while True:
                try:
                    receipt = await letters.receipt("qn-general", number(body)[0])
                except Unavailable:
                    receipt = None
                if receipt is not None and receipt.state is not State.RECEIVED:
                    assert receipt.state is State.STORED, receipt.problems
                    break
                await asyncio.sleep(0.1)


async def test_a_full_disk_under_the_database_refuses_messages_and_loses_none_of_those_it_acknowledged(
    engine, tmp_path, message
):
    """The engine may write no file beyond 4 kB any longer, as on a disk that is full; then it may again."""
    life = killed_at.Life(engine.url, "full", tmp_path / "life")
    store = await life.open()
    bodies = [killed_at.body_of(message("hl7v2/admission-a01"), n) for n in range(4)]
    await killed_at.received(life, store, bodies[0])
    await killed_at.settled(life, store)
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    refused = 0
    for body in bodies[1:2]:
        try:
            await killed_at.received(life, store, body)
        except Unavailable:
            refused += 1
    assert refused == 1
    resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, unlimited)
    # What the gateway does when its writes have failed for a while.
    revive(engine.folder)
    for body in bodies:
        await handed_in_at_last(life, store, body)
    await killed_at.settled(life, store)
    letters = Inbox(store, 10**6)
    for body in bodies:
        receipt = await letters.receipt("qn-general", number(body)[0])
        assert receipt.state is State.STORED
        assert await versions_of(store, receipt) == {1}
    assert len(await store.notes(inbox.SHELF, {"hospital": "qn-general"}, "", 99)) == len(bodies)
    await store.close()
