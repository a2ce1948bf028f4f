"""Cutting a field: pure, so that what stood in a message before is answered from memory and comes out the same."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.hl7v2.escape import Delimiters
from adapters.hl7v2.leaves import CUT_SHORT, NOTHING_LEFT, NULL_REASON, Cutter
from adapters.hl7v2.parse import parse
from adapters.hl7v2.read import Reading

FIXTURES = Path(__file__).parents[3] / "fixtures" / "hl7v2"
TEXT = st.text(st.sampled_from('abạđ 7.^&~\\"'), max_size=12)


def cutter(truncation: str = "") -> Cutter:
    return Cutter(Delimiters(truncation=truncation), "utf-8")


def test_a_leaf_is_named_by_component_and_by_subcomponent_unless_it_is_the_first() -> None:
    width, (one, two) = cutter().cut("a^b&c~ớ")

    assert width == len("a^b&c~ớ".encode())
    assert [leaf[:4] for leaf in one] == [
        (1, "[1].1", 0, "a"),
        (2, "[1].2.1", 2, "b"),
        ((2, 2), "[1].2.2", 4, "c"),
    ]
    assert [leaf[:4] for leaf in two] == [(1, "[2]", 6, "ớ")]


def test_what_is_no_value_says_why() -> None:
    said = [leaf[3:] for leaf in cutter("#").cut('""^\\X00\\^cut#')[1][0]]

    assert [(text, odd and (odd.reason, odd.notice)) for text, odd in said] == [
        ("", (NULL_REASON, NULL_REASON)),
        ("", (NOTHING_LEFT, "")),
        ("cut", ("", CUT_SHORT)),
    ]


@settings(deadline=None, max_examples=200)
@given(st.lists(TEXT, min_size=1, max_size=4))
def test_a_field_from_memory_is_the_field_cut_anew(texts: list[str]) -> None:
    known = cutter()

    for text in [*texts, *texts]:
        assert known.kept(text) == cutter().cut(text)


def test_memory_keeps_short_texts_only_and_not_more_than_its_bound() -> None:
    body = (FIXTURES / "imaging-oru-pdf" / "message.hl7").read_bytes()
    reading = Reading(parse(body))
    before = reading.cutter.kept.cache_info()

    Reading(parse(body.replace(b"JVBER", b"JVBE" + b"R" * 500)))

    after = reading.cutter.kept.cache_info()
    assert after.misses == before.misses
    assert after.maxsize is not None
    assert after.currsize <= after.maxsize
