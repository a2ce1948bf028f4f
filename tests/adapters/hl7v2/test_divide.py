"""A batch in its messages: their places are those of the whole, and one that is bad spoils only itself."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters import hl7v2
from adapters.contract import Hospital, Message, Untranslatable
from fhir_gateway.exchange.translation import translate as through_the_gate

Build = Callable[..., bytes]
BATCH = (Path(__file__).parents[3] / "fixtures" / "hl7v2" / "batch" / "message.hl7").read_bytes()
DAMAGED = BATCH.replace(b"5.40", b"12,5,6")


@pytest.fixture
def sent(hospital: Hospital) -> Callable[[bytes], Message]:
    return lambda body: Message(hospital, "application/hl7-v2", body, datetime(2026, 11, 23, tzinfo=UTC))


def test_the_pieces_of_a_batch_are_its_bytes_and_their_ledgers_are_its_ledger(sent) -> None:
    whole = sent(BATCH)
    pieces = hl7v2.divide(whole, 1)
    assert b"".join(piece.body for piece in pieces) == BATCH
    assert [piece.place for piece in pieces] == ["MSH[1]", "MSH[2]"]

    parts = [hl7v2.translate(replace(whole, media_type=p.media_type, body=p.body)).ledger for p in pieces]
    found = [(a.place, a.offset + p.shift, a.fate) for p, part in zip(pieces, parts, strict=True) for a in part]
    assert found == [(a.place, a.offset, a.fate) for a in hl7v2.translate(whole).ledger]


def test_a_piece_of_several_messages_is_divided_on(sent) -> None:
    heads, first, second = BATCH.partition(b"\nMSH")[0], *BATCH[: BATCH.index(b"BTS")].split(b"\nMSH")[1:]
    body = b"\nMSH".join([heads, first, second.strip(), first, second.strip()])
    few, rest = hl7v2.divide(sent(body), 2)
    assert (few.place, rest.place) == ("MSH[1]", "MSH[3]")
    last = replace(sent(rest.body), media_type=rest.media_type)
    assert [piece.place for piece in hl7v2.divide(last, 1)] == ["MSH[3]", "MSH[4]"]


@pytest.mark.parametrize(
    "body",
    [
        BATCH.replace(b"BTS|2", b"BTS|3"),
        BATCH.partition(b"MSH")[2],
        BATCH.decode().encode("utf-16"),
        BATCH[BATCH.index(b"MSH") : BATCH.rindex(b"MSH")],
    ],
    ids=["one is missing", "no header", "UTF-16", "one message"],
)
def test_what_is_no_whole_batch_is_not_divided(sent, body: bytes) -> None:
    assert not hl7v2.divide(sent(body), 1)


def test_a_bad_message_of_a_batch_is_set_apart_and_the_others_are_used(sent) -> None:
    with pytest.raises(Untranslatable):
        hl7v2.translate(sent(DAMAGED))
    found = through_the_gate({"hl7v2": hl7v2}, sent(DAMAGED), 100)

    assert found.faults == ()
    assert [(row.piece.place, row.faults[0].where) for row in found.apart] == [("MSH[2]", "OBX[1]-5")]
    kinds = [entry["resource"]["resourceType"] for entry in found.translation.bundle["entry"]]
    assert "Patient" in kinds
    assert "Observation" not in kinds


def test_two_batches_put_together_with_their_byte_order_marks_are_no_single_message(sent) -> None:
    message = BATCH[BATCH.index(b"MSH") : BATCH.rindex(b"MSH")]
    with pytest.raises(Untranslatable) as refused:
        hl7v2.translate(sent(message + b"\xef\xbb\xbf" + message))
    assert refused.value.where == "MSH[2]"
