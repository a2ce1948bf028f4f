"""Vietnamese text folded for searching."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.search.folding import fold


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Hoà", "Hòa"),
        ("HOA", "hoà"),
        ("thuỷ", "Thủy"),
        ("Đặng Thị Ðào", "dang thi dao"),
        ("nguyễn   văn\tan", "Nguyen Van An"),
        (unicodedata.normalize("NFD", "Trần Đức Huệ"), "TRẦN ĐỨC HUỆ"),
        ("ƯƠNG", "ương"),
        ("Straße", "STRASSE"),
    ],
)
def test_spellings_of_one_name_fold_to_the_same_text(typed: str, stored: str) -> None:
    assert fold(typed) == fold(stored)


@pytest.mark.parametrize(("one", "other"), [("Lan", "Loan"), ("Hà", "Hòa"), ("An", "Anh")])
def test_different_names_stay_different(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=30))
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@settings(deadline=None, max_examples=200)
@given(st.text("aàảãáạăâđeêoôơuưyỷ hHĐ", max_size=20))
def test_the_unicode_form_makes_no_difference(text: str) -> None:
    assert fold(unicodedata.normalize("NFD", text)) == fold(unicodedata.normalize("NFC", text))
