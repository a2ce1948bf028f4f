"""Numbers: their decimals are kept, their comparators parted, what reads two ways is no number."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.hl7v2.numbers import number, positive, reference_range, unit_of


@settings(deadline=None, max_examples=100)
@given(st.decimals(min_value=0, max_value=99999, places=3), st.sampled_from(["", "<", ">=", "≤"]))
def test_a_number_keeps_every_decimal(value: Decimal, comparator: str) -> None:
    read = number(f"{comparator}{value}")

    assert read is not None
    assert str(read.value) == str(value)
    assert read.comparator == comparator.replace("≤", "<=")


@pytest.mark.parametrize(
    ("text", "value"),
    [("5,4", "5.4"), ("0,123", "0.123"), ("98,50", "98.50"), ("7.", "7"), (".5", "0.5"), ("-2", "-2")],
)
def test_a_decimal_comma_is_read_where_it_can_mean_nothing_else(text: str, value: str) -> None:
    read = number(text)

    assert read is not None
    assert str(read.value) == value


@pytest.mark.parametrize(
    "text", ["12,5,6", "1,234", "12,345", "abc", "", "1.2.3", "Âm tính", "5 mmol", "--5", "NaN", "1e5", "٣"]
)
def test_what_is_no_number_or_reads_two_ways_is_none(text: str) -> None:
    assert number(text) is None


def test_units_get_their_ucum_code_and_keep_their_text() -> None:
    assert unit_of("µmol/L") == {"unit": "µmol/L", "system": "http://unitsofmeasure.org", "code": "umol/L"}
    assert unit_of("MMOL/L")["code"] == "mmol/L"
    assert unit_of("điếu/ngày") == {"unit": "điếu/ngày"}


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("3.9 - 6.4", "3.9", "6.4"), ("[ 0.38 - 0.52 ]", "0.38", "0.52"), ("< 0.014", None, "0.014"), (">60", "60", None)],
)
def test_a_reference_range_is_read_where_it_is_numbers(text: str, low: str | None, high: str | None) -> None:
    made = reference_range(text, {})

    assert made["text"] == text
    assert str(made["low"]["value"] if "low" in made else None) == str(low)
    assert str(made["high"]["value"] if "high" in made else None) == str(high)


def test_a_reference_range_in_words_stays_words() -> None:
    assert reference_range("Âm tính", {}) == {"text": "Âm tính"}


@pytest.mark.parametrize(
    ("text", "value"), [("2", 2), ("007", 7), ("0", None), ("-1", None), ("9" * 5000, None), ("", None)]
)
def test_a_rank_is_a_whole_number_that_fits(text: str, value: int | None) -> None:
    assert positive(text) == value


def test_an_annotation_is_a_unit_of_its_own() -> None:
    assert unit_of("{Ratio}") == {"unit": "{Ratio}", "system": "http://unitsofmeasure.org", "code": "{Ratio}"}
    assert unit_of("{điểm}") == {"unit": "{điểm}"}
