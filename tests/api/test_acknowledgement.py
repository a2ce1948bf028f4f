"""Original and enhanced mode, condition by condition, as table 0155 has them."""

import asyncio
from datetime import UTC, datetime

import pytest

from fhir_gateway.api.acknowledgement import Header, Verdict, acknowledgement, header_of, is_due, wanted
from fhir_gateway.api.mllp import END, START, Listener
from fhir_gateway.security.caller import Caller

pytestmark = pytest.mark.anyio

GOOD, BAD, EMPTY = "hl7v2/admission-a01", "hl7v2/bad-lab-value", None
# MSH-15, MSH-16, what is sent, the acknowledgements that come.
VECTORS = [
    ("", "", GOOD, ["AA"]),
    ("", "", BAD, ["AE"]),
    ("AL", "NE", GOOD, ["CA"]),
    ("AL", "NE", BAD, ["CA"]),
    ("AL", "", GOOD, ["CA"]),
    ("AL", "AL", GOOD, ["CA", "AA"]),
    ("AL", "AL", BAD, ["CA", "AE"]),
    ("AL", "ER", GOOD, ["CA"]),
    ("AL", "ER", BAD, ["CA", "AE"]),
    ("AL", "SU", GOOD, ["CA", "AA"]),
    ("AL", "SU", BAD, ["CA"]),
    ("NE", "AL", GOOD, ["AA"]),
    ("NE", "AL", BAD, ["AE"]),
    ("", "AL", GOOD, ["AA"]),
    ("NE", "NE", GOOD, []),
    ("ER", "NE", GOOD, []),
    ("SU", "AL", GOOD, ["CA", "AA"]),
    ("ER", "AL", BAD, ["AE"]),
    ("??", "NE", GOOD, ["CA"]),
]
REFUSED = [("AL", "AL", ["CR"]), ("ER", "NE", ["CR"]), ("NE", "AL", ["AR"]), ("SU", "ER", ["AR"]), ("NE", "NE", [])]


@pytest.fixture
async def listener(pair):
    """The port of the general hospital, whose file says what ``mode`` is set to."""
    gateway = pair[0].gateway
    listening = Listener(gateway.reception, Caller("qn-general", "hospital", "qn-general"), "qn-general", 10.0)
    number = await listening.start("127.0.0.1", 0, None)

    def port(mode):
        quirks = gateway.directory.hospital("qn-general").quirks
        quirks["acknowledgement"] = mode
        return number

    yield port
    gateway.directory.hospital("qn-general").quirks.pop("acknowledgement", None)
    await listening.stop()


def asking(body: bytes, accept: str, application: str) -> bytes:
    first, *rest = body.splitlines()
    fields = [*first.split(b"|"), *[b""] * 20]
    fields[14:16] = [accept.encode(), application.encode()]
    return b"\r".join([b"|".join(fields).rstrip(b"|"), *rest])


async def answers(port, *bodies, seconds=1.5):
    """Every frame that comes until nothing more does for a while."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"".join(START + body + END for body in bodies))
    found = []
    try:
        while True:
            frame = await asyncio.wait_for(reader.readuntil(END), seconds)
            found.append(frame.removeprefix(START).removesuffix(END).decode())
    except TimeoutError:
        writer.close()
    return found


def fields(answer, segment):
    return next(row for row in answer.split("\r") if row.startswith(segment)).split("|")


async def test_each_condition_gets_the_acknowledgements_it_asks_for(listener, message):
    port, sent, expected = listener("as-asked"), [], {}
    for number, (accept, application, name, codes) in enumerate(VECTORS):
        control = f"ACK-{number:03}"
        body = message(name)
        own = body.split(b"|")[9]
        sent.append(asking(body.replace(own, control.encode(), 1), accept, application))
        expected[control] = codes
    came = {control: [] for control in expected}
    for answer in await answers(port, *sent, seconds=6):
        came[fields(answer, "MSA")[2]].append(fields(answer, "MSA")[1])
    assert came == expected


@pytest.mark.parametrize(("accept", "application", "codes"), REFUSED)
async def test_a_message_that_is_not_taken_is_rejected_as_asked(listener, pair, accept, application, codes):
    port = listener("as-asked")
    body = f"MSH|^~\\&|A|B|C|D|20261120||ADT^A01|TOO-LONG|P|2.5|||{accept}|{application}\r".encode()
    limit = pair[0].gateway.settings.message_limit
    long = body + b"NTE|1||" + b"x" * limit
    found = await answers(port, long[: limit + 10], seconds=1.5)
    assert [fields(answer, "MSA")[1] for answer in found] == codes


async def test_a_hospital_set_to_enhanced_gets_the_commit_acknowledgement_whatever_it_asks(listener, message):
    port = listener("enhanced")
    (answer,) = await answers(port, asking(message(BAD), "NE", "AL"))
    assert fields(answer, "MSA")[1] == "CA"


async def test_the_usual_hospital_is_answered_in_original_mode_whatever_it_asks(listener, message):
    port = listener("original")
    (answer,) = await answers(port, asking(message(GOOD), "AL", "NE"))
    assert fields(answer, "MSA")[1] == "AA"
    (other,) = await answers(listener("original"), asking(message(BAD), "AL", "NE"))
    assert fields(other, "MSA")[1] == "AE"


async def test_an_acknowledgement_is_not_acknowledged_in_enhanced_mode(listener, message, pair):
    port = listener("as-asked")
    ack = b"MSH|^~\\&|A|B|C|D|20261120||ACK^A01^ACK|1|P|2.5|||AL|AL\rMSA|CA|7\r"
    found = await answers(port, ack, asking(message(GOOD), "AL", "AL"))
    assert [fields(answer, "MSA")[1] for answer in found] == ["CA", "AA"]


async def test_an_enhanced_acknowledgement_has_its_own_number_and_asks_for_none(listener, message):
    first, second = await answers(listener("as-asked"), asking(message(GOOD), "AL", "AL"))
    assert fields(first, "MSH")[9] != fields(second, "MSH")[9]
    assert len(fields(first, "MSH")[9]) <= 20
    assert fields(first, "MSH")[14:16] == ["NE", "NE"]


async def test_the_application_s_answer_names_the_place_as_in_original_mode(listener, message):
    _, answer = await answers(listener("as-asked"), asking(message(BAD), "AL", "AL"))
    assert fields(answer, "ERR")[2] == "OBX^2^5"


async def test_a_repeat_is_answered_like_the_first(listener, message):
    body = asking(message(GOOD), "AL", "AL")
    first = await answers(listener("as-asked"), body)
    again = await answers(listener("as-asked"), body)
    assert [fields(a, "MSA")[1:] for a in first] == [fields(a, "MSA")[1:] for a in again]


def test_the_four_conditions_and_an_unknown_one():
    good, bad = Verdict("AA", ""), Verdict("AR", "")
    assert [is_due(code, good) for code in ("AL", "NE", "ER", "SU", "X")] == [True, False, False, True, True]
    assert [is_due(code, bad) for code in ("AL", "NE", "ER", "SU", "X")] == [True, False, True, False, True]


def test_a_message_without_a_readable_header_is_answered_in_original_mode():
    assert wanted("as-asked", header_of(b"hello")) == wanted("original", Header("|", "^~\\&", ()))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_a_header_is_found_behind_a_byte_order_mark(encoding):
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    assert header_of(mark + "MSH|^~\\&|HIS|22T01|GW|QN|20261102||ADT^A01|77".encode(encoding)).field(10) == "77"


@pytest.mark.parametrize(
    ("where", "text", "code", "expected"),
    [
        ("PID[1]-3", "the patient has no identifier", "structure", ("PID^1^3", "101")),
        ("OBX[2]-5", "OBX-5 is declared NM but is not a number", "structure", ("OBX^2^5", "102")),
        ("PID", "there is no PID segment", "structure", ("PID^1", "100")),
        ("MSH-9", "the message type is missing", "structure", ("MSH^1^9", "101")),
        ("MSH-12", "this version is not read", "structure", ("MSH^1^12", "203")),
        ("body", "the message is empty", "invalid", ("", "100")),
        ("message", "the gateway itself failed on this message", "exception", ("", "207")),
        ("Patient.birthDate", "is not a date", "value", ("", "207")),
    ],
)
def test_an_error_names_its_place_and_its_condition_of_table_0357(where, text, code, expected):
    header = header_of(b"MSH|^~\\&|HIS|22T01|GW|QN|20261102||ADT^A01|77|P|2.5.1")
    verdict = Verdict("AE", text, ({"where": where, "text": text, "code": code},))
    said = acknowledgement(header, verdict, datetime(2026, 11, 2, tzinfo=UTC)).decode().split("\r")
    row = next(line for line in said if line.startswith("ERR")).split("|")
    assert (row[2], row[3].split("^")[0], row[3].split("^")[2], row[4]) == (*expected, "HL70357", "E")
    assert next(line for line in said if line.startswith("MSA")).split("|")[1:3] == ["AE", "77"]
