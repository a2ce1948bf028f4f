"""Escape sequences: nothing that was sent as text is lost or turned into other text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.hl7v2.escape import Delimiters, Escapes

STANDARD = Escapes(Delimiters())
SIGNS = st.lists(st.sampled_from("|^~\\&*:+%;!@$/?"), min_size=6, max_size=6, unique=True)
PLAIN = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=40)


@settings(deadline=None, max_examples=200)
@given(SIGNS, PLAIN)
def test_what_was_escaped_reads_back_with_any_encoding_characters(signs: list[str], text: str) -> None:
    field, component, repetition, escape, sub, truncation = signs
    escapes = Escapes(Delimiters(field, component, repetition, escape, sub, truncation))

    sent = escapes.escaped(text)

    assert escapes.plain(sent) == text
    assert not any(sign in sent for sign in (field, component, repetition, sub))


@settings(deadline=None, max_examples=200)
@given(st.text(st.sampled_from("\\XCFSTREHN.br0123456789ABCDEF aệ"), max_size=30))
def test_any_text_can_be_read(text: str) -> None:
    assert isinstance(STANDARD.plain(text), str)


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (r"xét nghiệm \T\ kết quả", "xét nghiệm & kết quả"),
        (r"dòng một\.br\dòng hai", "dòng một\ndòng hai"),
        (r"dòng một\.sp2\dòng hai", "dòng một\n\ndòng hai"),
        (r"\H\Đậm\N\ thường", "Đậm thường"),
        (r"\XC490\\XE1BB93\ng", "Đồng"),
        (r"\XE1BB\\X93\n", "ồn"),
        (r"\X0D\\X0A\x", "\r\nx"),
        (r"C:\thư mục\tệp", r"C:\thư mục\tệp"),
        (r"\Z01\ riêng", r"\Z01\ riêng"),
        (r"\.sp999999999\x", r"\.sp999999999\x"),
        (r"\C2842\abc", "abc"),
        (r"\XFF\ hỏng", r"\XFF\ hỏng"),
    ],
)
def test_each_sequence_means_what_the_standard_says(sent: str, meant: str) -> None:
    assert STANDARD.plain(sent) == meant


def test_a_switch_of_character_set_reads_what_follows_in_that_set() -> None:
    escapes = Escapes(Delimiters(), "iso8859-1")

    assert escapes.plain("\\C2D4C\\¾à\\C2D41\\é") == "Ор" + "é"


def test_a_switch_to_letters_of_several_bytes_is_followed() -> None:
    assert Escapes(Delimiters(), "ascii").plain("\\M2442\\F|\\C2842\\x") == "日x"
    assert Escapes(Delimiters(), "ascii").plain("\\M2499\\F|") == "\\M2499\\F|"


def test_a_switch_to_an_unknown_set_is_kept_as_it_came() -> None:
    assert STANDARD.plain(r"\C2D5A\abc") == r"\C2D5A\abc"


def test_control_characters_do_not_reach_the_text() -> None:
    assert STANDARD.plain("a\x00b\x1fc") == "abc"
