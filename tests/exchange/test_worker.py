"""The workers when things go wrong: faults of the gateway itself, partners away, work put off."""

import asyncio
import time
from dataclasses import replace

import pytest

from fhir_gateway.app import adapters, now
from fhir_gateway.exchange import inbox
from fhir_gateway.exchange.directory import load
from fhir_gateway.exchange.house import House
from fhir_gateway.exchange.inbox import Inbox
from fhir_gateway.exchange.lanes import Bell, Lanes
from fhir_gateway.exchange.worker import Settled, Translator, work
from fhir_gateway.security.audit import Act
from fhir_gateway.security.keys import KeyRing
from fhir_gateway.store.port import Commit, Job

pytestmark = pytest.mark.anyio


class Breaking:
    """An adapter with a fault of its own."""

    NAME = "hl7v2"
    MEDIA_TYPES = frozenset({"application/hl7-v2"})

    def recognises(self, body):
        return True

    def translate(self, message):
        raise KeyError("NGUYỄN VĂN HOÀ")


class Hanging(Breaking):
    """An adapter that never comes back, as a pattern that goes astray does."""

    def translate(self, message):
        time.sleep(5)


async def kept(store, folder, body):
    """A gateway at rest with one message in its inbox, and the job it owes."""
    house = House(
        "rest", "http://rest/fhir", store, load("rest", None, None, folder), KeyRing(folder / "keys", "rest"), now
    )
    letters = Inbox(store, 10_000)
    await letters.receive("qn-general", "application/hl7-v2", body, now(), house.event(Act("ingest", None)))
    (job,) = await store.lease(inbox.TRANSLATE, "test", 1, 60)
    return house, letters, job


async def test_a_message_that_breaks_its_adapter_is_quarantined_at_once_and_without_its_content(store, tmp_path, capfd):
    house, letters, job = await kept(store, tmp_path, b"MSH|^~\\&|fine")
    translator = Translator(house, letters, {"hl7v2": Breaking()}, Bell(), Settled())
    assert await translator.do(job) is True
    receipt = await letters.receipt("qn-general", job.content["receipt"])
    assert receipt.state is inbox.State.QUARANTINED
    assert receipt.problems[0]["code"] == "exception"
    assert await store.owed(inbox.TRANSLATE, 9) == []
    written = capfd.readouterr()
    assert "NGUYỄN" not in written.out + written.err + str(receipt)


async def test_a_translation_that_does_not_end_is_quarantined_when_its_time_is_over(store, tmp_path):
    house, letters, job = await kept(store, tmp_path, b"MSH|^~\\&|endless")
    translator = Translator(house, letters, {"hl7v2": Hanging()}, Bell(), Settled(), longest_seconds=0.05)
    assert await translator.do(job) is True
    receipt = await letters.receipt("qn-general", job.content["receipt"])
    assert "longer than 0.05 s" in receipt.problems[0]["text"]


async def test_a_fault_behind_the_translation_is_tried_again_and_then_quarantined(store, tmp_path, message):
    house, letters, job = await kept(store, tmp_path, message("hl7v2/admission-a01"))
    lame = replace(house, directory=None)
    translator = Translator(lame, letters, adapters(), Bell(), Settled())
    number = job.content["receipt"]
    assert await translator.do(job) is False
    assert (await letters.receipt("qn-general", number)).state is inbox.State.RECEIVED
    (owed,) = await store.owed(inbox.TRANSLATE, 9)
    assert (owed.attempts, owed.trouble) == (1, "AttributeError")
    assert await translator.do(replace(job, attempts=4)) is True
    assert (await letters.receipt("qn-general", number)).state is inbox.State.QUARANTINED


async def test_a_job_of_a_settled_message_is_forgotten(store, tmp_path):
    house, letters, job = await kept(store, tmp_path, b"MSH|^~\\&|unreadable")
    translator = Translator(house, letters, adapters(), Bell(), Settled())
    await translator.do(job)
    before = await letters.receipt("qn-general", job.content["receipt"])
    assert before.state is inbox.State.QUARANTINED
    await translator.do(job)
    assert await letters.receipt("qn-general", job.content["receipt"]) == before


async def test_a_second_try_is_told_by_the_store_what_another_process_did(store, tmp_path, message):
    house, letters, job = await kept(store, tmp_path, message("hl7v2/admission-a01"))
    await store.commit(Commit(jobs=(replace(job, id="again"),)))
    elsewhere = Translator(house, Inbox(store, 10**6), adapters(), Bell(), Settled())
    assert await elsewhere.do(job) is True
    here = Translator(house, letters, adapters(), Bell(), Settled())
    await here.do(replace(job, id="again"))
    assert await here.do(replace(job, id="again")) is True
    assert (await letters.receipt("qn-general", job.content["receipt"])).state is inbox.State.STORED
    assert await store.owed(inbox.TRANSLATE, 9) == []


async def test_work_put_off_is_not_overtaken_by_its_group():
    done = []

    async def do(job):
        done.append(job.id)
        return job.id != "b"

    lanes = Lanes(do)
    lanes.begin([Job(name, "q", "g", now()) for name in "abc"])
    await lanes.pause(Bell())
    assert done == ["a", "b"]


async def test_a_lane_that_fails_for_an_unforeseen_reason_leaves_the_others_at_work():
    done = []

    async def do(job):
        if job.group == "broken":
            raise KeyError
        done.append(job.group)
        return True

    lanes = Lanes(do)
    lanes.begin([Job(group, "q", group, now()) for group in ("broken", "whole")])
    await lanes.pause(Bell())
    await lanes.stop()
    lanes.begin([Job("again", "q", "broken", now())])
    await lanes.pause(Bell())
    assert done == ["whole"]


async def test_a_job_whose_lease_ended_while_it_was_at_work_is_not_begun_twice():
    begun, gate = [], asyncio.Event()

    async def do(job):
        begun.append(job.id)
        await gate.wait()
        return True

    lanes, jobs = Lanes(do), [Job(name, "q", "g", now()) for name in "ab"]
    lanes.begin(jobs)
    await asyncio.sleep(0)
    lanes.begin(jobs)
    gate.set()
    await lanes.pause(Bell())
    assert begun == ["a", "b"]


async def test_a_group_that_hangs_keeps_no_other_group_waiting(store, tmp_path):
    house = House(
        "rest", "http://rest/fhir", store, load("rest", None, None, tmp_path), KeyRing(tmp_path / "keys", "rest"), now
    )
    stuck = [Job(f"a{number}", "q", "slow", now()) for number in range(40)]
    later = [Job(f"b{number}", "q", "quick", now()) for number in range(3)]
    await store.commit(Commit(jobs=(*stuck, *later)))
    done, all_done = [], asyncio.Event()

    async def do(job):
        if job.group == "slow":
            await asyncio.Event().wait()
        done.append(job.id)
        await store.settle(job.id)
        if len(done) == len(later):
            all_done.set()
        return True

    working = asyncio.create_task(work("q", house, 60, Bell(), do))
    await asyncio.wait_for(all_done.wait(), 5)
    working.cancel()
    assert done == ["b0", "b1", "b2"]


async def test_a_bell_wakes_who_waits():
    bell = Bell()
    waiting = asyncio.create_task(bell.wait(30))
    await asyncio.sleep(0)
    bell.ring()
    await asyncio.wait_for(waiting, 1)


async def test_whoever_waits_for_a_message_gets_its_settled_receipt(pair, message):
    settled = Settled()
    future = settled.expect("qn-general/1")
    assert await settled.wait("qn-general/2", 0.01) is None
    receipt = (await pair[0].ingest("qn-general", "application/hl7-v2", message("hl7v2/admission-a01"))).json()
    found = await pair[0].gateway.reception.inbox.receipt("qn-general", receipt["receipt"])
    settled.announce(found)
    assert not future.done()
    waiting = asyncio.create_task(settled.wait(found.key, 5))
    await asyncio.sleep(0)
    settled.announce(found)
    assert await waiting == found


def test_all_shipped_adapters_are_wired():
    assert sorted(adapters()) == ["cda", "fhir_bundle", "hl7v2", "tabular", "vn_record", "vn_xml"]


async def test_a_quarantined_message_can_be_tried_again_after_a_correction(store, tmp_path, message):
    house, letters, job = await kept(store, tmp_path, message("hl7v2/admission-a01"))
    broken = Translator(house, letters, {"hl7v2": Breaking()}, Bell(), Settled())
    await broken.do(replace(job, attempts=4))
    held = await letters.receipt("qn-general", job.content["receipt"])
    await letters.retry(held, now(), house.event(Act("ingest", None)))
    (again,) = await store.lease(inbox.TRANSLATE, "test", 1, 60)
    await Translator(house, letters, adapters(), Bell(), Settled()).do(again)
    receipt = await letters.receipt("qn-general", job.content["receipt"])
    assert (receipt.state, receipt.problems) == (inbox.State.STORED, ())
    assert len(await letters.ledger("qn-general", receipt.receipt)) == receipt.ledger["fields"]


async def test_a_message_refused_by_the_gate_keeps_its_ledger_through_a_second_try(store, tmp_path, message):
    house, letters, job = await kept(store, tmp_path, message("hl7v2/bad-no-pid"))
    translator = Translator(house, letters, adapters(), Bell(), Settled())
    await translator.do(job)
    for _ in range(2):
        held = await letters.receipt("qn-general", job.content["receipt"])
        assert held.problems[0]["where"] == "PID"
        await letters.retry(held, now(), house.event(Act("ingest", None)))
        (again,) = await store.lease(inbox.TRANSLATE, "test", 1, 60)
        await translator.do(again)
