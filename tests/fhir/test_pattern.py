"""Regular expressions of strangers."""

from time import perf_counter

import pytest

from fhir_gateway.fhir.pattern import matches, matches_whole
from fhir_gateway.problem import BadRequest


def test_a_pattern_is_found_anywhere_or_describes_all() -> None:
    assert matches("b+", "abbc")
    assert not matches_whole("b+", "abbc")
    assert matches_whole("a|abbc", "abbc")


def test_a_pattern_that_would_backtrack_for_ever_is_fast() -> None:
    started = perf_counter()

    assert not matches_whole("(a+)+b", "a" * 5000)
    assert perf_counter() - started < 1


@pytest.mark.parametrize("pattern", ["(", "(?=x)", r"(a)\1", "a" * 501])
def test_what_cannot_run_in_linear_time_is_refused(pattern: str) -> None:
    with pytest.raises(BadRequest):
        matches(pattern, "x")
