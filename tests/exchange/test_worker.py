"""The workers when things go wrong: faults of the gateway itself, partners away, work put off."""

import asyncio
from dataclasses import replace

import pytest

from fhir_gateway.app import adapters, now
from fhir_gateway.exchange import inbox
from fhir_gateway.exchange.directory import load
from fhir_gateway.exchange.house import House
from fhir_gateway.exchange.inbox import Inbox
from fhir_gateway.exchange.worker import Bell, Settled, Translator, _in_order
from fhir_gateway.security.audit import Act
from fhir_gateway.security.keys import KeyRing
from fhir_gateway.store.port import Job

pytestmark = pytest.mark.anyio


class Breaking:
    """An adapter with a fault of its own."""

    NAME = "hl7v2"
    MEDIA_TYPES = frozenset({"application/hl7-v2"})

    def recognises(self, body):
        return True

    def translate(self, message):
        raise KeyError("NGUYỄN VĂN HOÀ")


async def kept(store, folder, body):
    """A gateway at rest with one message in its inbox, and the job it owes."""
    house = House(
        "rest", "http://rest/fhir", store, load("rest", None, None, folder), KeyRing(folder / "keys", "rest"), now
    )
    letters = Inbox(store, 10_000)
    await letters.receive("qn-general", "application/hl7-v2", body, now(), house.event(Act("ingest", None)))
    (job,) = await store.lease(inbox.TRANSLATE, "test", 1, 60)
    return house, letters, job


async def test_a_fault_of_the_gateway_is_tried_again_and_then_quarantined_without_its_content(store, tmp_path, capfd):
    house, letters, job = await kept(store, tmp_path, b"MSH|^~\\&|fine")
    translator = Translator(house, letters, {"hl7v2": Breaking()}, Bell(), Settled())
    number = job.content["receipt"]
    assert await translator.do(job) is False
    assert (await letters.receipt("qn-general", number)).state is inbox.State.RECEIVED
    (owed,) = await store.owed(inbox.TRANSLATE, 9)
    assert (owed.attempts, owed.trouble) == (1, "KeyError")
    assert await translator.do(replace(job, attempts=4)) is True
    receipt = await letters.receipt("qn-general", number)
    assert receipt.state is inbox.State.QUARANTINED
    assert receipt.problems[0]["code"] == "exception"
    assert await store.owed(inbox.TRANSLATE, 9) == []
    written = capfd.readouterr()
    assert "NGUYỄN" not in written.out + written.err + str(receipt)


async def test_a_job_of_a_settled_message_is_forgotten(store, tmp_path):
    house, letters, job = await kept(store, tmp_path, b"MSH|^~\\&|unreadable")
    translator = Translator(house, letters, adapters(), Bell(), Settled())
    await translator.do(job)
    before = await letters.receipt("qn-general", job.content["receipt"])
    assert before.state is inbox.State.QUARANTINED
    await translator.do(job)
    assert await letters.receipt("qn-general", job.content["receipt"]) == before


async def test_work_put_off_is_not_overtaken_by_its_group():
    done = []

    async def do(job):
        done.append(job.id)
        return job.id != "b"

    await _in_order([Job(name, "q", "g", now()) for name in "abc"], do)
    assert done == ["a", "b"]


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
    assert sorted(adapters()) == ["cda", "hl7v2", "vn_xml"]


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
