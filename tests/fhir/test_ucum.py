"""Units brought to one scale."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.fhir.ucum import is_unit, unit

SAME = [
    ("1000", "mg", "1", "g"),
    ("7.2", "g/dL", "72", "g/L"),
    ("5.4", "mmol/L", "5400", "umol/L"),
    ("10", "10*9/L", "10", "10*3/uL"),
    ("60", "/min", "1", "s-1"),
    ("72", "{beats}/min", "72", "/min"),
    ("60", "U/L", "1000", "nkat/L"),
    ("1", "[in_i]", "2.54", "cm"),
    ("90", "mL/min/{1.73_m2}", "0.09", "L/min"),
    ("37", "Cel", "98.6", "[degF]"),
    ("1", "kg/m2", "0.1", "g/cm2"),
    ("50", "%", "0.5", "1"),
    ("2", "g/(24.h)", "2", "g/d"),
    ("100", "kPa", "1", "bar"),
    ("3", "m[iU]/L", "3", "u[iU]/mL"),
]

APART = [("mg", "mL"), ("mol", "1"), ("mmol/L", "meq/L"), ("[iU]/L", "U/L"), ("mg", "Mg"), ("Cel", "mm[Hg]")]


@pytest.mark.parametrize(("value", "code", "other", "other_code"), SAME)
def test_equal_amounts_meet_on_one_scale(value: str, code: str, other: str, other_code: str) -> None:
    first, second = unit(code), unit(other_code)
    assert first is not None
    assert second is not None
    assert first.base == second.base
    assert first.canonical(Fraction(value)) == second.canonical(Fraction(other))


@pytest.mark.parametrize(("first", "second"), APART)
def test_different_amounts_stay_apart(first: str, second: str) -> None:
    one, other = unit(first), unit(second)
    assert one is not None
    assert other is not None
    assert (one.base, one.scale) != (other.base, other.scale)


@pytest.mark.parametrize(
    "code", ["", "viên", "mg/", "((g", "g)", "kkg", "10*999999", "m" * 80, "/", "{note", "lần/phút"]
)
def test_what_is_no_unit_is_none(code: str) -> None:
    assert unit(code) is None


@settings(deadline=None, max_examples=300)
@given(st.text("mgLdkul/.()[]{}0123456789*^-%'iUnHg", max_size=14))
def test_any_text_is_a_unit_or_none(code: str) -> None:
    found = unit(code)
    assert found is None or found.canonical(Fraction(1)) >= 0


@pytest.mark.parametrize("code", ["mm[Hg]", "[pH]", "dB[SPL]", "10*3/uL", "mm[Hg]{hg}", "{score}", "[gil_us]/d"])
def test_a_unit_of_ucum_is_known_even_where_it_is_on_no_scale(code):
    assert is_unit(code)


@pytest.mark.parametrize("code", ["mmHg", "fmm[Hg]", "k[pH]", "mg/", "", "tablet"])
def test_what_is_no_unit_of_ucum_is_told(code):
    assert not is_unit(code)
