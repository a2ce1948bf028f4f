"""Figures from latencies."""

import pytest

from bench.figures import Load, per_second, percentile


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [((), 50, 0.0), ((5.0,), 99, 5.0), ((3.0, 1.0, 2.0), 50, 2.0), (tuple(range(1, 101)), 99, 99)],
)
def test_a_percentile_is_a_value_that_was_measured(values, percent, expected) -> None:
    assert percentile(values, percent) == expected


def test_slow_work_keeps_a_digit_more() -> None:
    assert per_second(1234, 2.0) == 617
    assert per_second(7, 2.0) == 3.5
    assert per_second(7, 0.0) == 0.0


def test_failures_are_told_with_their_first_reason() -> None:
    plain = Load((2.0,), 1.0, ("503 GET /fhir: busy", "503 GET /fhir: again")).plain()

    assert plain["requests"] == 1
    assert plain["failures"] == 2
    assert "busy" in plain["failed_with"]
