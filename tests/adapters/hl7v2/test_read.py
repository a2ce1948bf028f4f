"""The ledger: every non-empty leaf is in it once, with its place and its first byte."""

import gc
import re
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Fate, Translation
from adapters.hl7v2.parse import parse
from adapters.hl7v2.read import NULL_REASON, Reading, Segment

FIXTURES = Path(__file__).parents[3] / "fixtures" / "hl7v2"
HEADER = b"MSH|^~\\&|HIS|22T01|||20261102||ADT^A01|1|P|2.5.1||||||UNICODE UTF-8\r"
LEAF = st.text(st.sampled_from("abạđ 7."), max_size=4)
FIELD = st.lists(st.lists(st.lists(LEAF, min_size=1, max_size=3), min_size=1, max_size=3), min_size=1, max_size=2)


def reading(*segments: str) -> Reading:
    return Reading(parse(HEADER + "\r".join(segments).encode() + b"\r"))


def segment(*segments: str) -> Segment:
    return reading(*segments).segments[1]


def joined(field: list[list[list[str]]]) -> str:
    return "~".join("^".join("&".join(component) for component in repetition) for repetition in field)


def test_a_value_cut_short_says_so_where_the_sign_is_declared() -> None:
    body = HEADER.replace(b"^~\\&", b"^~\\&#") + b"ZZZ|long te#|long \\P\\\r"
    cut = Reading(parse(body))

    assert [cut.segments[1].peek(1), cut.segments[1].peek(2)] == ["long te", "long #"]
    assert [notice.where for notice in cut.notices] == ["ZZZ[1]-1[1]"]
    assert reading("ZZZ|no te#").segments[1].peek(1) == "no te#"


def test_a_translated_message_leaves_no_circles_to_the_garbage_collector(
    translate: Callable[[bytes], Translation],
) -> None:
    for name in ("admission-a01", "laboratory-oru", "document-mdm-t01"):
        body = (FIXTURES / name / "message.hl7").read_bytes()
        translate(body)
        gc.collect()
        gc.disable()
        try:
            translate(body)
            assert gc.collect() == 0, name
        finally:
            gc.enable()


@settings(deadline=None, max_examples=100)
@given(st.lists(FIELD, min_size=1, max_size=4))
def test_the_ledger_holds_each_leaf_that_says_something_at_its_first_byte(fields: list[list[list[list[str]]]]) -> None:
    line = "ZZZ|" + "|".join(joined(field) for field in fields)
    body = HEADER + line.encode() + b"\r"
    accounts = [account for account in Reading(parse(body)).tally.close() if account.place.startswith("ZZZ")]

    said = [leaf for leaf in re.split(r"[|~^&]", line)[1:] if leaf.strip()]
    assert len(accounts) == len(said)
    assert all(account.fate is Fate.UNMAPPED for account in accounts)
    for account, leaf in zip(accounts, said, strict=True):
        assert account.offset is not None
        assert body[account.offset :].startswith(leaf.encode())


def test_places_name_repetition_component_and_subcomponent_only_where_there_are_several() -> None:
    places = [account.place for account in reading("ZZZ|a|b^c|d~e&f").tally.close() if account.place[0] == "Z"]

    assert places == [
        "ZZZ[1]-1[1]",
        "ZZZ[1]-2[1].1",
        "ZZZ[1]-2[1].2",
        "ZZZ[1]-3[1]",
        "ZZZ[1]-3[2].1.1",
        "ZZZ[1]-3[2].1.2",
    ]


def test_what_is_taken_is_mapped_and_what_is_peeked_at_is_not() -> None:
    read = reading("ZZZ|a|b")
    read.segments[1].take(1, "Patient/1#x")
    read.segments[1].peek(2)

    fates = {account.place: account.fate for account in read.tally.close()}
    assert fates["ZZZ[1]-1[1]"] is Fate.MAPPED
    assert fates["ZZZ[1]-2[1]"] is Fate.UNMAPPED


def test_the_encoding_characters_are_ignored_for_a_reason() -> None:
    accounts = {account.place: account for account in reading("ZZZ|a").tally.close()}

    assert accounts["MSH[1]-1[1]"].fate is Fate.IGNORED
    assert "encoding characters" in accounts["MSH[1]-2[1]"].reason
    assert accounts["MSH[1]-2[1]"].offset == 4


def test_the_hl7_null_deletes_nothing_and_is_said() -> None:
    read = reading('ZZZ|""|b')

    account = next(account for account in read.tally.close() if account.place == "ZZZ[1]-1[1]")
    assert (account.fate, account.reason) == (Fate.IGNORED, NULL_REASON)
    assert read.segments[1].peek(1) == ""
    assert [notice.where for notice in read.notices] == ["ZZZ[1]-1[1]"]


def test_text_is_normalised_to_nfc() -> None:
    assert segment("ZZZ|HOA\u0300").peek(1) == "HOÀ"


def test_an_unescaped_component_sign_in_text_is_given_back() -> None:
    assert segment("ZZZ|a^^b&c").value(1).take_text("x") == "a^^b&c"


def test_one_doubtful_letter_pair_is_a_notice_only() -> None:
    read = reading("ZZZ|V¨n")

    assert [notice.where for notice in read.notices] == ["ZZZ[1]-1[1]"]
