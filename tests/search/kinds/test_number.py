"""Numbers: as exact as they are written, and in order as keys."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.problem import BadRequest
from fhir_gateway.search.entries import Entries
from fhir_gateway.search.kinds.number import index, parse, requested, sortable
from fhir_gateway.search.registry import parameters

PROBABILITY = parameters("RiskAssessment")["probability"]
FLOATS = st.floats(allow_nan=False)


@settings(deadline=None, max_examples=300)
@given(FLOATS, FLOATS)
def test_keys_sort_as_numbers_do(one: float, other: float) -> None:
    assert (sortable(one) < sortable(other)) == (one < other)


@pytest.mark.parametrize(
    ("prefix", "text", "bounds"),
    [
        ("eq", "7.2", (7.15, 7.25)),
        ("eq", "100", (99.5, 100.5)),
        ("eq", "7.20", (7.195, 7.205)),
        ("eq", "1e2", (50, 150)),
        ("gt", "7.2", (7.2, 7.2)),
        ("ap", "-10", (-11, -9)),
    ],
)
def test_a_number_means_its_rounding_interval(prefix: str, text: str, bounds: tuple[float, float]) -> None:
    assert requested(prefix, text, "x") == bounds


@pytest.mark.parametrize("text", ["", "abc", "gt", "1,5", "0x10", "nan", "1e999", "--1", "٣"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="'probability' needs a number"):
        parse(PROBABILITY, text, "")


def test_a_number_costs_one_key() -> None:
    entries = Entries()
    index("probability", 0.3, entries)
    assert len(entries.keys) == 1
