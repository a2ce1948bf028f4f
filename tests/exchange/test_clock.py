"""A clock that jumps by a day, either way, in the middle of the work: totals and order stay as they are."""

import asyncio
from datetime import UTC, datetime, timedelta
from zlib import crc32

import pytest

from fhir_gateway.app import Gateway, adapters, directory, key_ring
from fhir_gateway.exchange import clock as watching
from fhir_gateway.exchange import inbox
from fhir_gateway.exchange.inbox import State, number
from fhir_gateway.exchange.lanes import Bell
from fhir_gateway.exchange.worker import Settled, Translator, work
from fhir_gateway.security.audit import Act
from fhir_gateway.settings import Settings
from fhir_gateway.store.mongo import documents, jobs, writing
from fhir_gateway.store.port import Commit, Job

pytestmark = pytest.mark.anyio
DAY = timedelta(days=1)


class Clock:
    """The system's clock, off by ``jump``."""

    def __init__(self):
        self.jump = timedelta()

    def now(self):
        moment = datetime.now(UTC) + self.jump
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def nanoseconds(self):
        return int(self.now().timestamp() * 1e9)


@pytest.fixture
def clock(monkeypatch):
    ours = Clock()
    monkeypatch.setattr(jobs, "now", ours.now)
    monkeypatch.setattr(documents, "now", ours.now)
    monkeypatch.setattr(writing, "time_ns", ours.nanoseconds)
    monkeypatch.setattr(writing, "_latest", [0])
    return ours


@pytest.fixture
def house(store, tmp_path, clock):
    settings = Settings(data=tmp_path)
    made = Gateway(settings, "http://clock", store, directory(settings), key_ring(settings))
    ours = made.house
    return type(ours)(ours.name, ours.base_url, store, ours.directory, ours.keys, clock.now)


def body_of(message, name):
    text = message("hl7v2/admission-a01")
    for known in (b"QN-000001", b"QN0001", b"VN2026-0001"):
        text = text.replace(known, known[:4] + name.encode())
    return text.replace(b"022861009001", b"0228610%05d" % (crc32(name.encode()) % 10**5))


@pytest.mark.parametrize("jump", [DAY, -DAY], ids=["forward", "back"])
async def test_a_day_forward_or_back_between_two_messages_stores_each_once(store, house, clock, message, jump):
    letters = inbox.Inbox(store, 10**6)
    translator = Translator(house, letters, adapters(), Bell(), Settled())
    bodies = [body_of(message, f"C{place}") for place in range(6)]
    for place, body in enumerate(bodies):
        if place == 3:
            clock.jump += jump
        await letters.receive("qn-general", "application/hl7-v2", body, clock.now(), house.event(Act("ingest", None)))
        if place == 1:
            await settle(store, translator)
    assert await order_of(store) == [number(body)[0] for body in bodies[2:]]
    await settle(store, translator)
    for body in bodies:
        receipt = await letters.receipt("qn-general", number(body)[0])
        assert receipt.state is State.STORED, receipt.problems
        patient = next(ref for ref in receipt.resources if ref.startswith("Patient/"))
        assert (await store.current(patient)).number == 1
    assert await store.owed(inbox.TRANSLATE, 9) == []


async def order_of(store):
    return [job.content["receipt"] for job in await store.owed(inbox.TRANSLATE, 99)]


async def settle(store, translator):
    while leased := await store.lease(inbox.TRANSLATE, "worker", 16, 60):
        for job in leased:
            await translator.do(job)


async def test_work_that_was_put_off_before_the_clock_went_back_is_hastened(store, clock):
    await store.commit(Commit(jobs=(Job("a", "q", "g", clock.now()), Job("b", "q", "g", clock.now()))))
    (first, _) = await store.lease("q", "worker", 9, 60)
    await store.postpone(first.id, clock.now() + timedelta(seconds=5), "trouble")
    clock.jump -= DAY
    assert await store.lease("q", "worker", 9, 60) == []
    await store.hasten("q")
    assert [job.id for job in await store.lease("q", "worker", 9, 60)] == ["a", "b"]


async def test_what_was_leased_before_a_crash_is_leased_before_what_came_later(store, clock):
    """Also with more behind it than one look reads."""
    await store.commit(Commit(jobs=tuple(Job(f"{n:03}", "q", "g", clock.now()) for n in range(120))))
    await store.lease("q", "killed", 16, 5)
    assert await store.lease("q", "worker", 16, 5) == []
    clock.jump += timedelta(seconds=6)
    assert [job.id for job in await store.lease("q", "worker", 16, 60)] == [f"{n:03}" for n in range(16)]
    await store.release("q")
    assert [job.id for job in await store.lease("q", "next", 16, 60)] == [f"{n:03}" for n in range(16)]


async def test_a_worker_goes_on_through_jumps(store, house, clock, message):
    letters = inbox.Inbox(store, 10**6)
    translator = Translator(house, letters, adapters(), Bell(), Settled())
    bell = Bell()
    working = asyncio.create_task(work(inbox.TRANSLATE, house, 5, bell, translator.do))
    bodies = [body_of(message, f"J{place}") for place in range(8)]
    for place, body in enumerate(bodies):
        clock.jump += {2: DAY, 5: -DAY}.get(place, timedelta())
        await letters.receive("qn-general", "application/hl7-v2", body, clock.now(), house.event(Act("ingest", None)))
        bell.ring()
    async with asyncio.timeout(20):
        while await store.owed(inbox.TRANSLATE, 9):  # noqa: ASYNC110 - the database rings no bell
            await asyncio.sleep(0.05)
    working.cancel()
    rows = await store.notes(inbox.SHELF, {"hospital": "qn-general", "state": "stored"}, "", 99)
    assert len(rows) == len(bodies)


async def test_a_gateway_notices_by_itself_that_its_clock_was_set_back(store, clock, monkeypatch):
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.05)
    await store.commit(Commit(jobs=(Job("late", "q", "", clock.now() + timedelta(hours=1)),)))
    offsets = iter([0.0, 0.0, -86_400.0])
    last = -86_400.0
    keeping = asyncio.create_task(watching.keep_time(store, ["q"], lambda: next(offsets, last)))
    async with asyncio.timeout(10):
        while not await store.lease("q", "worker", 9, 60):  # noqa: ASYNC110 - the database rings no bell
            await asyncio.sleep(0.02)
    keeping.cancel()
