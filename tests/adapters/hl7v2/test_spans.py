"""Where the leaves of an HL7 v2 message end among its bytes."""

from pathlib import Path

from adapters.contract import Untranslatable
from adapters.hl7v2 import control_number, spans
from adapters.hl7v2.escape import Escapes
from adapters.hl7v2.parse import parse
from adapters.hl7v2.read import Reading

FIXTURES = Path(__file__).parents[3] / "fixtures" / "hl7v2"
PID = "PID|1||QN1^^^QN^MR~022&1^^^CA^NI||NGUYỄN^HOÀ^VĂN|\\T\\x\r"
MESSAGE = "MSH|^~\\&|HIS|22T01|GW|QN|20261120080000||ADT^A04|C-1|P|2.5.1||||||UNICODE UTF-8\r" + PID


def leaves(body):
    reading = Reading(parse(body))
    offsets = {account.place: account.offset for account in reading.tally.close()}
    found = spans(body, offsets)
    return {place: body[span.offset : span.offset + span.length] for place, span in found.items()}


def test_a_leaf_ends_where_the_next_sign_stands():
    found = leaves(MESSAGE.encode())
    assert found["PID[1]-3[1].1"] == b"QN1"
    assert found["PID[1]-3[2].1.2"] == b"1"
    assert found["PID[1]-5[1].1"].decode() == "NGUYỄN"
    assert found["PID[1]-6[1]"] == b"\\T\\x"


def test_the_signs_of_the_header_are_leaves_of_their_own():
    found = leaves(MESSAGE.encode())
    assert (found["MSH[1]-1[1]"], found["MSH[1]-2[1]"], found["MSH[1]-10[1]"]) == (b"|", b"^~\\&", b"C-1")


def test_a_line_break_inside_a_field_does_not_end_it():
    found = leaves((MESSAGE + "NTE|1||first\nsecond line|x\r").encode())
    assert found["NTE[1]-3[1]"] == b"first\nsecond line"


def test_every_leaf_of_a_fixture_reads_as_the_adapter_read_it():
    for file in sorted(FIXTURES.glob("*/message.hl7")):
        body = file.read_bytes()
        try:
            reading = Reading(parse(body))
        except Untranslatable:
            continue
        escapes = Escapes.of(reading.source.delimiters, reading.source.codec)
        texts = {place: text for segment in reading.segments for place, text in _texts(segment)}
        for place, raw in leaves(body).items():
            if place in texts:
                plain = reading.text(escapes.plain(raw.decode(reading.source.codec)))
                assert plain == texts[place], (file.parent.name, place)


def _texts(segment):
    for number in segment.sent:
        for value in segment.values(number):
            yield from ((account.place, text) for account, text in value.values())


def test_the_control_number_is_of_the_message_around_the_byte():
    batch = b"FHS|^~\\&\rBHS|^~\\&\rMSH|^~\\&|||||||A|ONE|P\rPID|1\rMSH|^~\\&|||||||A|TWO|P\rPID|1\r"
    assert control_number(batch, batch.index(b"PID")) == "ONE"
    assert control_number(batch, batch.rindex(b"PID")) == "TWO"
    assert control_number(b"no message", 0) == ""
