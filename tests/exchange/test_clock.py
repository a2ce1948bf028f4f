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
from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.resource import instant
from fhir_gateway.security.audit import Act
from fhir_gateway.settings import Settings
from fhir_gateway.store.mongo import documents, jobs, notes, writing
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
    monkeypatch.setattr(jobs, "time_ns", ours.nanoseconds)
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


async def test_a_start_frees_what_another_clock_put_off_for_longer_than_any_job_waits(store, clock):
    jobs_owed = tuple(Job(name, "q", name, clock.now()) for name in ("soon", "late"))
    await store.commit(Commit(jobs=jobs_owed))
    for job in await store.lease("q", "killed", 9, 5):
        await store.postpone(job.id, clock.now() + timedelta(seconds={"soon": 30, "late": 3600}[job.id]), "trouble")
    await watching.set_right(store, {"q": 60.0})
    assert [job.id for job in await store.lease("q", "worker", 9, 5)] == ["late"]


async def test_after_a_restart_with_the_clock_set_back_what_comes_later_stands_behind_what_waits(store, clock):
    clock.jump += DAY
    await store.commit(Commit(jobs=(Job("first", "q", "g", inbox.AT_ONCE),)))
    clock.jump -= DAY
    writing._latest[0] = 0  # another process
    await watching.set_right(store, {"q": 60.0})
    await store.commit(Commit(jobs=(Job("second", "q", "g", inbox.AT_ONCE),)))
    assert [job.id for job in await store.lease("q", "worker", 9, 5)] == ["first", "second"]


async def test_leases_behind_a_job_are_given_back_by_who_will_not_do_them(store, clock):
    await store.commit(Commit(jobs=tuple(Job(name, "q", "g", inbox.AT_ONCE) for name in "abc")))
    first, *_ = await store.lease("q", "worker", 9, 60)
    await store.give_back(first)
    await store.settle(first.id)
    assert [job.id for job in await store.lease("q", "worker", 9, 60)] == ["b", "c"]


async def test_a_named_lease_taken_before_the_clock_was_set_back_ends_unless_its_holder_renews_it(
    store, clock, monkeypatch
):
    monkeypatch.setattr(notes, "now", clock.now)
    clock.jump += DAY
    assert await store.hold("sealer", "killed", 3)
    assert await store.hold("export", "alive", 3)
    clock.jump -= DAY
    assert not await store.hold("sealer", "next", 3)
    assert not await store.hold("export", "next", 3)
    assert await store.hold("export", "alive", 3)
    clock.jump += timedelta(seconds=3)
    assert await store.hold("sealer", "next", 3)


async def test_a_message_sent_again_after_the_clock_was_set_back_makes_no_version_older_than_the_last(
    store, house, clock, message
):
    letters = inbox.Inbox(store, 10**6)
    translator = Translator(house, letters, adapters(), Bell(), Settled())
    bodies = [body_of(message, "V1"), body_of(message, "V1").replace(b"|A01|", b"|A08|").replace(b"^A01", b"^A08")]
    for body in (bodies[0], bodies[1].replace(b"PV1|1|I|", b"PV1|1|E|")):
        await letters.receive("qn-general", "application/hl7-v2", body, clock.now(), house.event(Act("ingest", None)))
        await settle(store, translator)
        clock.jump -= DAY
    rows = await store.notes(inbox.SHELF, {"hospital": "qn-general"}, "", 9)
    written = {ref for _, row in rows for ref in row["resources"]}
    again = [version for version in (await store.currents(sorted(written))).values() if version.number > 1]
    assert again
    for version in again:
        before = await store.version(version.reference, version.number - 1)
        assert before.updated <= version.updated
        assert decode_resource(version.body)["meta"]["lastUpdated"] == instant(version.updated)
