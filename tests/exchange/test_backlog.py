"""Back-pressure: a hospital whose messages cannot be translated in time is told later, and nothing is lost."""

import asyncio
import threading
from time import perf_counter

import pytest

from adapters import hl7v2
from fhir_gateway.app import Gateway, directory, key_ring, now
from fhir_gateway.exchange import inbox
from fhir_gateway.exchange.backlog import Backlog, Behind
from fhir_gateway.exchange.reception import Handed
from fhir_gateway.exchange.worker import Translator, work
from fhir_gateway.security.caller import Caller
from fhir_gateway.settings import Settings
from fhir_gateway.store.port import Commit, Job

pytestmark = pytest.mark.anyio
HL7 = "application/hl7-v2"


def waiting(hospital, *numbers):
    return Commit(jobs=tuple(Job(f"translate/{hospital}/{n}", inbox.TRANSLATE, hospital, now()) for n in numbers))


def admission(message, number):
    return message("hl7v2/admission-a01").replace(b"QN-000001", b"BACK-%03d" % number)


async def test_a_hospital_with_too_much_waiting_is_not_admitted_and_another_is(store):
    await store.commit(waiting("qn-general", 1, 2, 3))
    await store.commit(waiting("qn-general-2", 1))
    backlog = Backlog(store, 3)
    with pytest.raises(Behind):
        await backlog.admit("qn-general")
    await backlog.admit("qn-general-2")


async def test_what_this_process_takes_and_settles_counts_at_once(store):
    backlog = Backlog(store, 2)
    await backlog.admit("qn-general")
    backlog.taken("qn-general")
    backlog.taken("qn-general")
    with pytest.raises(Behind):
        await backlog.admit("qn-general")
    backlog.settled("qn-general")
    await backlog.admit("qn-general")


async def test_jobs_are_counted_by_the_beginning_of_their_id_and_no_further_than_asked(store):
    await store.commit(waiting("qn", 1, 2, 3))
    await store.commit(waiting("qo", 1))
    assert await store.waiting("translate/qn/", 10) == 3
    assert await store.waiting("translate/qn/", 2) == 2
    assert await store.waiting("translate/qp/", 2) == 0


async def test_http_answers_503_with_retry_after_while_the_translator_is_behind(pair, message):
    province, _ = pair
    province.gateway.backlog.limit = 2
    await province.gateway.backlog.admit("qn-general")
    province.gateway.backlog.taken("qn-general")
    province.gateway.backlog.taken("qn-general")
    refused = await province.ingest("qn-general", HL7, admission(message, 1), wait=False)
    assert (refused.status_code, refused.json()["issue"][0]["code"]) == (503, "transient")
    assert int(refused.headers["retry-after"]) > 0
    other = await province.ingest("bai-chay", "application/xml", message("vn_xml/outpatient"), wait=False)
    assert other.status_code == 202
    province.gateway.backlog.settled("qn-general")
    taken = await province.ingest("qn-general", HL7, admission(message, 1))
    assert taken.json()["state"] == "stored"


async def test_who_can_wait_is_let_in_when_there_is_room_again(pair, message):
    reception = pair[0].gateway.reception
    reception.backlog.limit = 1
    await reception.backlog.admit("qn-general")
    reception.backlog.taken("qn-general")
    caller = Caller("qn-general", "hospital", "qn-general")
    handed = Handed("qn-general", HL7, admission(message, 2))
    patient = asyncio.create_task(reception.accept_patiently(caller, handed, 10))
    await asyncio.sleep(0.1)
    assert not patient.done()
    reception.backlog.settled("qn-general")
    receipt, repeated = await patient
    assert (receipt.state, repeated) == (inbox.State.STORED, False)


class Selective:
    """The adapter of HL7 v2, which hangs on messages of one hospital."""

    NAME, MEDIA_TYPES = hl7v2.NAME, hl7v2.MEDIA_TYPES

    def __init__(self, gate):
        self.gate = gate

    def recognises(self, body):
        return True

    def translate(self, message):
        if message.hospital.name == "bai-chay":
            self.gate.wait(30)
        return hl7v2.translate(message)


async def test_a_hospital_whose_messages_hang_does_not_slow_another(store, tmp_path, message):
    settings = Settings(data=tmp_path)
    gateway = Gateway(settings, "http://gate", store, directory(settings), key_ring(settings))
    reception, gate = gateway.reception, threading.Event()
    translator = Translator(
        gateway.house, reception.inbox, {"hl7v2": Selective(gate)}, gateway.outgoing, gateway.settled
    )
    working = asyncio.create_task(work(inbox.TRANSLATE, gateway.house, 10, gateway.bell, translator.do))
    try:
        for number in range(20):
            slow = Handed("bai-chay", HL7, admission(message, number))
            await reception.accept(Caller("bai-chay", "hospital", "bai-chay"), slow)
        started, caller = perf_counter(), Caller("qn-general", "hospital", "qn-general")
        for number in range(5):
            quick = Handed("qn-general", HL7, admission(message, 100 + number))
            receipt, _ = await reception.accept(caller, quick, 10)
            assert receipt.state is inbox.State.STORED
        assert perf_counter() - started < 8
        gate.set()
        last = Handed("bai-chay", HL7, admission(message, 19))
        receipt, repeated = await reception.accept(Caller("bai-chay", "hospital", "bai-chay"), last, 20)
        assert (receipt.state, repeated) == (inbox.State.STORED, True)
    finally:
        gate.set()
        working.cancel()


async def test_a_message_that_fails_for_good_does_not_delay_the_next_of_its_hospital(pair, message):
    province, _ = pair
    started = perf_counter()
    bad = await province.ingest("qn-general", HL7, message("hl7v2/bad-no-pid"))
    good = await province.ingest("qn-general", HL7, admission(message, 7))
    assert (bad.json()["state"], good.json()["state"]) == ("quarantined", "stored")
    assert perf_counter() - started < 4
