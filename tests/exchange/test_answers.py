"""A hospital that reads HL7 v2 is told what became of its cases: by MLLP, in order, until taken; or it fetches them."""

import asyncio
import re
import ssl
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trustme

from fhir_gateway.exchange.answers import QUEUE
from fhir_gateway.exchange.delivery import Undelivered
from fhir_gateway.exchange.directory import _outbound
from fhir_gateway.exchange.mllp import hand_over, verdict
from fhir_gateway.problem import Problem

pytestmark = pytest.mark.anyio
HL7 = "application/hl7-v2"
SLOT = {"start": "2026-11-25T08:00:00+07:00", "end": "2026-11-25T09:00:00+07:00"}
SUMMARY = {
    "author": {"licence": "GPHN-1", "name": "BS. THỬ"},
    "sections": [{"title": "Kết quả", "text": "Ổn định\nxuất viện | hẹn ^ tái khám"}],
}


def ack(frame: bytes, code: str = "AA") -> bytes:
    control = frame.split(b"|")[9].decode()
    text = f"MSH|^~\\&|HIS|22T01|FHIRGW|QN|20261123||ACK|A1|P|2.5.1\rMSA|{code}|{control}\r"
    return b"\x0b" + text.encode() + b"\x1c\r"


@asynccontextmanager
async def listening(codes):
    """A hospital's own MLLP port: what it got, and the codes it answers with, the last one for ever."""
    got = []

    async def serve(reader, writer):
        frame = await reader.readuntil(b"\x1c\r")
        got.append(frame[1:-2].decode())
        code = codes.pop(0) if len(codes) > 1 else codes[0]
        if code:
            writer.write(ack(frame, code))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield got, f"mllp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def wants(place, address, **settings):
    known = place.gateway.directory.hospitals
    known["qn-general"] = replace(known["qn-general"], outbound={"v2": address, **settings})


async def until(question, seconds=15.0):
    for _ in range(int(seconds / 0.05)):
        if answer := await question():
            return answer
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come about")


async def referred(province, central, message):
    receipt = (await province.ingest("qn-general", HL7, message("hl7v2/referral-i12"))).json()
    assert receipt["state"] == "stored", receipt["problems"]
    (task,) = await province.search("qn-general", "Task?status=requested")

    async def there():
        return (await central.get("bach-mai", f"/fhir/Task/{task['id']}")).status_code == 200

    await until(there)
    return task["id"]


async def moved(central, task, *moves):
    for move, given in moves:
        answer = await central.post("bach-mai", f"/exchange/cases/{task}/{move}", given)
        assert answer.status_code == 200, answer.text


async def waiting(province, count, state="delivered"):
    async def there():
        path = f"/ingest/qn-general/outbound?state={state}"
        rows = (await province.get("qn-general", path)).json()["messages"]
        return rows if len(rows) == count else None

    return await until(there)


def fields(text, segment):
    return next(line.split("|") for line in text.split("\r") if line.startswith(segment))


async def test_an_accepted_and_answered_referral_goes_back_in_order(pair, message):
    province, central = pair
    async with listening(["AA"]) as (got, address):
        wants(province, address)
        task = await referred(province, central, message)
        accept = [("receive", {}), ("accept", {"appointment": SLOT})]
        await moved(central, task, *accept, ("complete", {"discharge-summary": SUMMARY}))
        await waiting(province, 2)
    accepted, answered = got
    assert [fields(text, "MSH")[8] for text in got] == ["RRI^I12^RRI_I12", "ORU^R01^ORU_R01"]
    assert fields(accepted, "RF1")[1].startswith("A^")
    assert fields(accepted, "RF1")[6] == "GCT-2026-0007"
    assert fields(accepted, "RF1")[7] == "20261125080000+0700"
    assert fields(accepted, "PID")[3].startswith("QN0001^^^22T01^MR")
    assert fields(answered, "OBX")[5] == "Ổn định\\.br\\xuất viện \\F\\ hẹn \\S\\ tái khám"


async def test_a_system_that_is_away_gets_each_message_once_it_is_back(pair, message):
    province, central = pair
    async with listening(["", "AE", "AA"]) as (got, address):
        wants(province, address)
        task = await referred(province, central, message)
        await moved(central, task, ("receive", {}), ("reject", {"reason": "Hết giường | hẹn lại"}))
        (row,) = await waiting(province, 1)
    assert len(got) == 3
    assert len(set(got)) == 1, "every try is the same message"
    assert fields(got[0], "RF1")[1].startswith("R^")
    assert "Hết giường \\F\\ hẹn lại" in fields(got[0], "NTE")[3]
    assert row["event"] == "referral.reject"


async def test_a_message_the_system_rejects_is_set_aside_with_its_reason(pair, message):
    province, central = pair
    async with listening(["AR"]) as (_, address):
        wants(province, address)
        task = await referred(province, central, message)
        await moved(central, task, ("receive", {}), ("reject", {"reason": "x"}))
        (row,) = await waiting(province, 1, "refused")
    assert row["trouble"] == "the hospital's system rejects the message (AR)"


async def test_a_text_its_character_set_cannot_hold_is_set_aside_and_the_setting_named(pair, message):
    province, central = pair
    wants(province, "mllp://127.0.0.1:9", charset="8859/1")
    task = await referred(province, central, message)
    await moved(central, task, ("receive", {}), ("reject", {"reason": "Hết giường"}))
    (row,) = await waiting(province, 1, "refused")
    assert "charset under [outbound]" in row["trouble"]


async def test_a_hospital_may_fetch_its_answers_and_say_that_it_has_them(pair, message):
    province, central = pair
    wants(province, "fetch", charset="TCVN3", segment_end="CRLF")
    task = await referred(province, central, message)
    await moved(central, task, ("receive", {}), ("reject", {"reason": "Hết giường"}))
    (row,) = await waiting(province, 1, "owed")
    path = f"/ingest/qn-general/outbound/{row['answer']}"
    body = (await province.get("qn-general", path)).content
    assert "HÕt gi­êng".encode("latin-1") in body
    assert body.endswith(b"\r\n")
    assert (await province.get("san-nhi", path)).status_code == 403
    # The worker puts the job of a fetched answer aside: by now, or just before somebody fetches it.
    await province.gateway.store.settle(f"{QUEUE}/{row['answer']}")
    for _ in range(2):
        taken = await province.post("qn-general", f"{path}/taken", {})
        assert (taken.status_code, taken.json()["state"]) == (200, "delivered")
    assert (await province.get("qn-general", "/ingest/qn-general/outbound?state=owed")).json()["messages"] == []
    assert (await province.get("qn-general", "/ingest/qn-general/outbound/nothing")).status_code == 404
    assert (await province.get("qn-general", "/ingest/qn-general/outbound?state=new")).status_code == 400


async def test_a_referral_inside_the_province_reaches_the_receiver_as_ref_i12(pair, message):
    province, _ = pair
    async with listening(["CA"]) as (got, address):
        wants(province, address)
        body = message("hl7v2/referral-i12").replace(b"^01T01", b"^22T01").replace(b"|HIS|22T01|", b"|HIS|22T02|")
        await province.ingest("bai-chay", HL7, body)
        await waiting(province, 1)
    assert fields(got[0], "MSH")[8] == "REF^I12^REF_I12"
    assert re.search(r"^PRD\|RT\^", got[0], re.MULTILINE | re.ASCII) or "\rPRD|RT^" in got[0]
    assert fields(got[0], "DG1")[3].startswith("I20.0^")
    assert "MR" not in fields(got[0], "PID")[3], "the sender's number is not the receiver's"


@pytest.mark.parametrize("frame", [b"", b"\x0bnonsense\x1c\r", ack(b"|||||||||OTHER|")])
async def test_an_acknowledgement_of_something_else_is_none(frame):
    with pytest.raises(Undelivered):
        verdict(frame, "NUMBER")


async def test_a_system_behind_tls_is_met_with_its_authority_and_our_certificate(tmp_path):
    authority, ours = trustme.CA(), trustme.CA()
    seen = []

    async def serve(reader, writer):
        seen.append(writer.get_extra_info("peercert"))
        frame = await reader.readuntil(b"\x1c\r")
        writer.write(ack(frame))
        await writer.drain()
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    ours.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    ours.issue_cert("gateway").private_key_and_cert_chain_pem.write_to_path(tmp_path / "own.pem")
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    outbound = {"v2": f"mllps://localhost:{port}", "ca": str(tmp_path / "ca.pem")}
    body = b"MSH|^~\\&|A|B|C|D|20261123||RRI^I12|N1|P|2.5.1\r"
    try:
        with pytest.raises(Undelivered):
            await hand_over({**outbound, "ca": str(tmp_path / "own.pem")}, body, "N1")
        answer = await hand_over({**outbound, "certificate": str(tmp_path / "own.pem")}, body, "N1")
    finally:
        server.close()
    assert answer.taken
    assert seen[-1], "the gateway showed its certificate"


async def test_nobody_listening_is_worth_another_try():
    with pytest.raises(Undelivered):
        await hand_over({"v2": "mllp://127.0.0.1:9"}, b"MSH|", "1")


async def test_an_address_that_makes_no_sense_is_refused_at_the_start():
    with pytest.raises(Problem):
        _outbound({"v2": "http://his"}, "a.toml")
