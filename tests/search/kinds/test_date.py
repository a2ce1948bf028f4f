"""Dates as intervals."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.problem import BadRequest
from fhir_gateway.search.criteria import Span
from fhir_gateway.search.entries import Entries
from fhir_gateway.search.kinds.date import DAY, LAST, index, interval, parse
from fhir_gateway.search.kinds.prefix import PREFIXES
from fhir_gateway.search.registry import parameters

DATE = parameters("Observation")["date"]
SECOND = 1_000_000


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("2026-03-10", DAY),
        ("2026-02", 28 * DAY),
        ("2024", 366 * DAY),
        ("2026-03-10T08:30", 60 * SECOND),
        ("2026-03-10T08:30:00Z", SECOND),
        ("2026-03-10T08:30:00.123+07:00", 1000),
        ("2026-03-10T08:30:00.123000+07:00", 1000),
        ("2026-03-10T08:30:00.1234+07:00", 100),
    ],
)
def test_a_date_is_as_wide_as_its_precision(text: str, width: int) -> None:
    start, end = interval(text)
    assert end - start == width


def test_a_time_without_zone_is_vietnamese() -> None:
    assert interval("2026-03-10T08:30:00") == interval("2026-03-10T01:30:00Z")
    assert interval("2026-03-10")[0] == interval("2026-03-09T17:00:00Z")[0]


def test_the_end_of_a_year_is_the_start_of_the_next() -> None:
    assert interval("2025-12")[1] == interval("2026")[0]
    assert interval("9999")[1] == interval("9999-12")[1] == LAST


@pytest.mark.parametrize(
    "text", ["", "20", "2026-13", "2026-02-30", "2026-3-1", "2026-03-10T25:00", "now", "²026", "٢٠٢٦"]
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="'date' needs a date"):
        parse(DATE, text, "")


def keys(value: Any) -> tuple[list[str], list[dict[str, Any]]]:
    entries = Entries()
    index("date", value, entries)
    return list(entries.keys), entries.spans.get("date", [])


def test_a_day_costs_one_key_and_a_longer_time_two() -> None:
    assert len(keys("2026-03-10")[0]) == 1
    assert len(keys({"start": "2026-03-10", "end": "2026-03-20"})[0]) == 2


def test_a_placeholder_date_has_no_key() -> None:
    assert keys("unknown") == ([], [])
    assert keys({"event": ["2026", "x"]})[1] == [dict(zip(("lo", "hi"), interval("2026"), strict=True))]


OPERATORS = {
    "eq": lambda a, b: a == b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
}


def meets(span: dict[str, Any], wanted: Span) -> bool:
    ways = ([OPERATORS[one.operator](span[one.edge], one.value) for one in way] for way in wanted.ways)
    return any(map(all, ways))


TEXTS = st.sampled_from(
    ["2025", "2025-12", "2026-01", "2026-01-01", "2026-01-02", "2026-01-01T10:00:00Z", "2025-12-31T23:00:00+07:00"]
)
VALUES = TEXTS | st.builds(lambda start, end: {"start": min(start, end), "end": max(start, end)}, TEXTS, TEXTS)
OPEN = st.builds(lambda text: {"start": text}, TEXTS) | st.builds(lambda text: {"end": text}, TEXTS)


@settings(deadline=None, max_examples=400)
@given(VALUES | OPEN, st.sampled_from(PREFIXES), TEXTS)
def test_the_interval_of_keys_holds_every_match(value: Any, prefix: str, wanted: str) -> None:
    found, spans = keys(value)
    choice = parse(DATE, prefix + wanted, "")
    assert choice.span is not None
    assert choice.stop is not None
    if meets(spans[0], choice.span):
        assert any(choice.start <= key < choice.stop for key in found)


@settings(deadline=None, max_examples=200)
@given(VALUES | OPEN, TEXTS)
def test_the_prefixes_fit_together(value: Any, wanted: str) -> None:
    span = keys(value)[1][0]

    def holds(prefix: str) -> bool:
        criterion = parse(DATE, prefix + wanted, "").span
        return criterion is not None and meets(span, criterion)

    assert holds("ne") is not holds("eq")
    assert holds("ge") == (holds("gt") or holds("eq") or span["lo"] >= interval(wanted)[0])
    assert not (holds("sa") and (holds("lt") or holds("eb") or holds("eq")))
    assert holds("sa") <= holds("gt")
    assert holds("eb") <= holds("lt")


@pytest.mark.parametrize(
    ("recorded", "found"),
    [
        ("2026-11-24T08:30:00Z", {"eq", "le", "ge", "ap"}),
        ("2026-11-24T15:30:00.000+07:00", {"eq", "le", "ge", "ap"}),
        ("2026-11-24T08:30:00.0Z", {"eq", "le", "ge", "ap"}),
        ("2026-11-24T08:30:00.400Z", {"ne", "gt", "ge", "sa", "ap"}),
        ("2026-11-24T08:30:01Z", {"ne", "gt", "ge", "sa"}),
        ("2026-11-24T08:29:59Z", {"ne", "lt", "le", "eb"}),
        ("2026-11-24T08:30Z", {"ne", "gt", "ge", "ap"}),
        ("2026-11-24", {"ne", "gt", "lt", "ge", "le", "ap"}),
    ],
)
def test_a_time_whose_fraction_is_nought_is_that_second_and_no_time_within_it(recorded: str, found: set[str]) -> None:
    found_keys, spans = keys(recorded)
    for prefix in PREFIXES:
        choice = parse(DATE, f"{prefix}2026-11-24T08:30:00.000Z", "")
        assert choice.span is not None
        assert choice.stop is not None
        if prefix != "ap":
            assert meets(spans[0], choice.span) is (prefix in found), prefix
        if meets(spans[0], choice.span):
            assert choice.start <= found_keys[0] < choice.stop


def test_a_fraction_that_is_not_nought_is_a_time_of_its_own() -> None:
    span = keys("2026-11-24T08:30:00Z")[1][0]
    for text, found in (("2026-11-24T08:30:00.001Z", {"le", "ge"}), ("2026-11-24T08:29:59.900Z", {"ge"})):
        for prefix in ("eq", "le", "ge"):
            criterion = parse(DATE, prefix + text, "").span
            assert criterion is not None
            assert meets(span, criterion) is (prefix in found)
