"""The MLLP door as an interface engine meets it: frames, acknowledgements, error places."""

import asyncio
import socket
from dataclasses import replace

import pytest

from fhir_gateway.api.acknowledgement import Header, Verdict, acknowledgement, header_of
from fhir_gateway.api.listeners import mllp_address
from fhir_gateway.api.mllp import END, START, Listener, kept_alive
from fhir_gateway.app import now
from fhir_gateway.problem import BadRequest, Unavailable
from fhir_gateway.security.caller import Caller

pytestmark = pytest.mark.anyio


@pytest.fixture
async def port(pair):
    gateway = pair[0].gateway
    caller = Caller("qn-general", "hospital", "qn-general")
    listener = Listener(gateway.reception, caller, "qn-general", 10.0)
    yield await listener.start("127.0.0.1", 0, None)
    await listener.stop()


async def converse(port, *frames):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = []
    for frame in frames:
        writer.write(frame)
        await writer.drain()
        answers.append((await reader.readuntil(END)).removeprefix(START).removesuffix(END).decode())
    writer.close()
    return answers


def framed(body: bytes) -> bytes:
    return START + body + END


def fields(answer, segment):
    return next(row for row in answer.split("\r") if row.startswith(segment)).split("|")


async def test_a_stored_message_is_acknowledged_with_its_control_id(port, message):
    (answer,) = await converse(port, framed(message("hl7v2/admission-a01")))
    sent = message("hl7v2/admission-a01").decode().split("|")
    assert fields(answer, "MSA")[1:3] == ["AA", sent[9]]


async def test_several_messages_on_one_connection_are_answered_in_order(port, message):
    names = ["admission-a01", "laboratory-oru", "discharge-a03"]
    bodies = [message(f"hl7v2/{name}") for name in names]
    answers = await converse(port, *map(framed, bodies))
    assert [fields(a, "MSA")[2] for a in answers] == [b.decode().split("|")[9] for b in bodies]


async def test_a_refused_message_names_segment_and_field_in_err(port, message):
    (answer,) = await converse(port, framed(message("hl7v2/bad-lab-value")))
    assert fields(answer, "MSA")[1] == "AE"
    error = fields(answer, "ERR")
    assert error[2] == "OBX^2^5"
    assert error[4] == "E"
    assert "not a number" in error[8]


async def test_a_message_without_pid_is_refused_at_pid(port, message):
    (answer,) = await converse(port, framed(message("hl7v2/bad-no-pid")))
    assert fields(answer, "MSA")[1] == "AE"
    assert fields(answer, "ERR")[2].startswith("PID")


@pytest.mark.parametrize("garbage", [b"hello", b"\x00\xff\xfe", b"MSH", b"MSH|", b""])
async def test_garbage_is_answered_and_the_connection_lives_on(port, garbage, message):
    first, second = await converse(port, framed(garbage), framed(message("hl7v2/admission-a01")))
    assert fields(first, "MSA")[1] in ("AE", "AR")
    assert fields(second, "MSA")[1] == "AA"


async def test_a_frame_that_arrives_in_pieces_is_one_message(port, message):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    whole = framed(message("hl7v2/admission-a01"))
    for start in range(0, len(whole), 100):
        writer.write(whole[start : start + 100])
        await writer.drain()
        await asyncio.sleep(0)
    answer = await reader.readuntil(END)
    assert b"MSA|AA" in answer
    writer.close()


class Away:
    """A database that does not answer."""

    async def admit(self, hospital):
        raise Unavailable("the database does not answer; try again")


async def test_without_the_database_a_message_is_refused_with_the_reason_and_the_connection_stays(pair, message):
    reception = replace(pair[0].gateway.reception, backlog=Away())
    listener = Listener(reception, Caller("qn-general", "hospital", "qn-general"), "qn-general", 10.0)
    body = framed(message("hl7v2/admission-a01"))
    answers = await converse(await listener.start("127.0.0.1", 0, None), body, body)
    await listener.stop()
    assert [fields(answer, "MSA")[1] for answer in answers] == ["AR", "AR"]
    assert all("the database does not answer" in answer for answer in answers)


def test_a_sender_that_went_without_a_word_is_noticed():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        connection, _ = server.accept()
        kept_alive(connection)
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        connection.close()


async def test_one_that_never_reads_its_answers_holds_up_nobody_else(port, message):
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    body = framed(message("hl7v2/admission-a01"))
    for _ in range(20):
        writer.write(body)
    (answer,) = await converse(port, framed(message("hl7v2/laboratory-oru")))
    assert fields(answer, "MSA")[1] == "AA"
    writer.close()


async def test_the_same_message_again_gets_the_same_receipt(port, message):
    body = framed(message("hl7v2/admission-a01"))
    first, second = await converse(port, body, body)
    assert fields(first, "MSA")[3] == fields(second, "MSA")[3]


def test_an_acknowledgement_speaks_in_the_senders_separators():
    header = header_of(b"MSH$*~\\&$APP$FAC$GW$QN$20260101$$ADT*A01$77$P$2.3")
    answer = acknowledgement(header, Verdict("AA", "kept $ safe"), now()).decode()
    assert answer.startswith("MSH$*~\\&$GW$QN$APP$FAC$")
    assert "$ACK*A01*ACK$" in answer
    assert "MSA$AA$77$kept   safe" in answer


def test_a_message_without_msh_still_has_an_acknowledgement():
    assert header_of(b"PID|1") == Header("|", "^~\\&", ())
    assert b"MSA|AR||no" in acknowledgement(header_of(b""), Verdict("AR", "no"), now())


def test_the_address_of_a_listener_names_its_hospital(pair):
    known = pair[0].gateway.directory
    assert mllp_address("127.0.0.1:2575", known) == ("qn-general", "127.0.0.1", 2575)
    assert mllp_address("san-nhi@[::1]:2575", known)[0] == "san-nhi"
    with pytest.raises(BadRequest):
        mllp_address("2575", known)


async def test_noise_before_the_start_block_is_skipped(port, message):
    (answer,) = await converse(port, b"\r\nnoise" + framed(message("hl7v2/admission-a01")))
    assert fields(answer, "MSA")[1] == "AA"


async def test_a_message_that_is_not_taken_has_an_err_segment(port):
    (answer,) = await converse(port, framed(b"  "))
    assert fields(answer, "MSA")[1] == "AR"
    assert "empty" in fields(answer, "ERR")[8]


async def test_a_batch_with_a_bad_message_is_stored_and_the_answer_names_the_one_kept_back(port, message, pair):
    body = message("hl7v2/batch").replace(b"5.40", b"12,5,6")
    (answer,) = await converse(port, framed(body))
    told = fields(answer, "MSA")
    assert told[1] == "AA"
    assert "MSH[2] is in quarantine as" in told[3]
    (held,) = (await pair[0].get("qn-general", "/ingest/qn-general?state=quarantined")).json()["receipts"]
    assert (held["place"], held["problems"][0]["where"]) == ("MSH[2]", "OBX[1]-5")
