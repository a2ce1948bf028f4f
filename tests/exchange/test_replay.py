"""Messages put to work again by query: who may, which ones are met, and what is owed for them."""

import pytest

from fhir_gateway.exchange import inbox
from fhir_gateway.exchange.inbox import State
from fhir_gateway.exchange.lanes import Bell
from fhir_gateway.exchange.replay import REMAP, Remapper, Replay, Wanted, wanted
from fhir_gateway.exchange.worker import Settled, Translator
from fhir_gateway.problem import BadRequest, Forbidden
from fhir_gateway.security.caller import Caller

pytestmark = pytest.mark.anyio

ADMIN = Caller("test", "admin", "")
HL7 = "application/hl7-v2"


async def replayed(desk, dry_run=False, caller=ADMIN, **wish):
    return await Replay(desk.house, desk.letters, caller).all(Wanted(**wish), dry_run)


async def work(desk):
    """Do all that is owed."""
    for job in await desk.house.store.lease(inbox.TRANSLATE, "test", 50, 60):
        await Translator(desk.house, desk.letters, desk.adapters, Bell(), Settled()).do(job)
    for job in await desk.house.store.lease(REMAP, "test", 50, 60):
        await Remapper(desk.house, desk.letters, desk.adapters).do(job)


async def test_quarantined_messages_are_translated_again_once_the_mapping_is_corrected(desk):
    desk.under(gender="nothing")
    held = await desk.file("qn-general", b'Patient|p|gender|"male"')
    assert held.state is State.QUARANTINED
    desk.under()
    owed = await replayed(desk, state="quarantined")
    assert (owed.met, owed.retried) == (1, 1)
    await work(desk)
    assert (await desk.letters.receipt("qn-general", held.receipt)).state is State.STORED


async def test_stored_messages_are_mapped_again(desk):
    desk.under(gender=None)
    await desk.file("qn-general", b'Patient|p|gender|"male"\nPatient|p|birthDate|"1980"')
    desk.under()
    assert (await replayed(desk, state="stored")).remapped == 1
    await work(desk)
    assert (await desk.resource("Patient/p"))["gender"] == "male"
    assert await desk.house.store.owed(REMAP, 9) == []


async def test_a_dry_run_counts_and_owes_nothing(desk, message):
    await desk.file("qn-general", message("hl7v2/bad-no-pid"))
    await desk.file("qn-general", message("hl7v2/admission-a01"))
    owed = await replayed(desk, dry_run=True)
    assert (owed.met, owed.retried, owed.remapped) == (2, 1, 1)
    assert await desk.house.store.owed(REMAP, 9) == await desk.house.store.owed(inbox.TRANSLATE, 9) == []


@pytest.mark.parametrize(
    ("wish", "met"),
    [
        ({"place": "PID"}, {"hl7v2/bad-no-pid"}),
        ({"place": "OBX[2]-5"}, {"hl7v2/bad-lab-value"}),
        ({"code": "structure", "format": "hl7v2"}, {"hl7v2/bad-no-pid"}),
        ({"hospital": "bai-chay"}, {"vn_xml/bad-truncated"}),
        ({"since": "2999-01-01"}, set()),
        ({"until": "2000-01-01"}, set()),
    ],
)
async def test_a_query_meets_messages_by_hospital_format_time_and_problem(desk, message, wish, met):
    names = {"hl7v2/bad-no-pid": "qn-general", "hl7v2/bad-lab-value": "qn-general", "vn_xml/bad-truncated": "bai-chay"}
    held = {name: await desk.file(hospital, message(name)) for name, hospital in names.items()}
    structural = {name for name, receipt in held.items() if receipt.problems[0]["code"] == "structure"}
    expected = {n for n in structural if n.startswith("hl7v2")} if "code" in wish else met
    owed = await replayed(desk, state="quarantined", **wish)
    waiting = {job.content["receipt"] for job in await desk.house.store.owed(inbox.TRANSLATE, 9)}
    assert waiting == {held[name].receipt for name in expected}
    assert owed.met == len(expected)


async def test_a_replay_given_twice_is_owed_once(desk):
    desk.under()
    await desk.file("qn-general", b'Patient|p|gender|"male"')
    assert (await replayed(desk, state="stored")).remapped == 1
    again = await replayed(desk, state="stored")
    assert (again.remapped, again.left) == (0, 1)


async def test_a_hospital_replays_its_own_messages_alone(desk):
    hospital = Caller("bai-chay", "hospital", "bai-chay")
    with pytest.raises(Forbidden):
        await replayed(desk, caller=hospital)
    with pytest.raises(Forbidden):
        await replayed(desk, caller=hospital, hospital="qn-general")
    assert (await replayed(desk, caller=hospital, hospital="bai-chay")).met == 0


@pytest.mark.parametrize("given", [{"since": "yesterday"}, {"state": "lost"}, {"patient": "x"}, {"hospital": 1}])
def test_a_query_that_makes_no_sense_is_refused(given):
    with pytest.raises(BadRequest):
        wanted(given)
