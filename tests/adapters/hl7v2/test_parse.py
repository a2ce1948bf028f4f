"""Cutting a message: frames, segment ends, encoding characters, broken messages."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Untranslatable
from adapters.hl7v2.parse import parse

BODY = b"MSH|^~\\&|HIS|22T01|||20261102||ADT^A01|1|P|2.5.1\rPID|1||QN1\rPV1|1|I\r"


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_any_segment_end_cuts_the_same(end: bytes) -> None:
    lines = parse(BODY.replace(b"\r", end)).lines

    assert [line.name for line in lines] == ["MSH", "PID", "PV1"]
    assert lines[1].fields[3] == "QN1"


@pytest.mark.parametrize("framed", [b"\x0b" + BODY + b"\x1c\r", b"\xef\xbb\xbf" + BODY, b"\r\n" + BODY])
def test_frame_mark_and_blank_lines_are_stripped_and_offsets_stay_true(framed: bytes) -> None:
    line = parse(framed).lines[1]

    assert framed[line.offset :].startswith(b"PID|1||QN1")


def test_msh_fields_are_numbered_from_the_separator() -> None:
    fields = parse(BODY).lines[0].fields

    assert (fields[1], fields[2], fields[3], fields[9]) == ("|", "^~\\&", "HIS", "ADT^A01")


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from("|^~\\&*:+%;!@$/?"), min_size=5, max_size=5, unique=True))
def test_any_distinct_signs_serve_as_encoding_characters(signs: list[str]) -> None:
    field, component, repetition, escape, sub = signs
    body = f"MSH{field}{component}{repetition}{escape}{sub}{field}HIS\rPID{field}1{field}{field}A\r".encode()

    source = parse(body)

    assert (source.delimiters.component, source.delimiters.subcomponent) == (component, sub)
    assert source.lines[1].fields == ("PID", "1", "", "A")


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=80), st.sampled_from([b"", b"MSH|", b"MSH|^~\\&|", BODY]))
def test_any_bytes_are_read_or_refused_with_a_place(rest: bytes, start: bytes) -> None:
    try:
        named = [line.name for line in parse(start + rest).lines]
    except Untranslatable as refused:
        named = [refused.where, refused.reason]

    assert all(named)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"", "MSH"),
        (b"PID|1||QN1\r", "MSH"),
        (BODY + b"OB", "PV1[1]"),
        (b"MSH|||HIS\rPID|1\r", "MSH-2"),
        (b"MSH|^^\\&|HIS\r", "MSH-2"),
        (BODY + BODY, "MSH[2]"),
        (b"\x0b" + BODY, "MSH"),
        (b"\xff\xfeM\x00S\x00H\x00", "MSH-2"),
        (BODY.replace(b"QN1", b"\xd4"), "MSH-18"),
        (BODY.replace(b"|2.5.1", b"|2.5.1||||||EBCDIC"), "MSH-18"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(body: bytes, where: str) -> None:
    with pytest.raises(Untranslatable) as refused:
        parse(body)

    assert refused.value.where == where


def test_an_unescaped_line_break_inside_a_field_does_not_lose_the_rest() -> None:
    source = parse(BODY.replace(b"\rPV1", b"\rNTE|1||first\nsecond|R\rPV1"))

    assert source.lines[2].fields == ("NTE", "1", "", "first\nsecond", "R")
    assert source.continued == ("NTE[1]",)


def test_a_declared_code_page_is_used() -> None:
    body = BODY.replace(b"|2.5.1", b"|2.5.1||||||WINDOWS-1258").replace(
        b"QN1", "Lê Thị".replace("ị", "i\u0323").encode("cp1258")
    )

    assert parse(body).lines[1].fields[3] == "Lê Thi\u0323"
