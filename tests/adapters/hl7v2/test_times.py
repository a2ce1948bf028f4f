"""Times: partial ones stay partial, local ones get the hospital's offset, impossible ones are none."""

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.hl7v2.times import clock, date_time, day, in_order, instant


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1961", "1961"),
        ("196103", "1961-03"),
        ("19610314", "1961-03-14"),
        ("19610000", "1961"),
        ("196103140830", "1961-03-14T08:30:00+07:00"),
        ("20261102083012", "2026-11-02T08:30:12+07:00"),
        ("20261102083012.25+0900", "2026-11-02T08:30:12.25+09:00"),
        ("2026110208", "2026-11-02"),
        ("20260230", None),
        ("202613", None),
        ("202611022400", None),
        ("202611022530", None),
        ("00000000", None),
        ("hôm qua", None),
    ],
)
def test_a_time_is_as_precise_as_its_source(text: str, meant: str | None) -> None:
    assert date_time(text, "+07:00") == meant


@settings(deadline=None, max_examples=100)
@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2100, 1, 1)))
def test_every_local_time_reads_back(moment: datetime) -> None:
    text = date_time(moment.strftime("%Y%m%d%H%M%S"), "+07:00")

    assert text is not None
    assert datetime.fromisoformat(text).replace(tzinfo=None) == moment.replace(microsecond=0)


def test_a_birth_date_of_a_year_alone_is_the_year() -> None:
    assert day("196100000000") == "1961"


@pytest.mark.parametrize(
    ("start", "end", "right"),
    [
        ("2026-11-02T08:00:00+07:00", "2026-11-02T02:00:00+01:00", True),
        ("2026-11-02T08:00:00+07:00", "2026-11-02T02:00:00+00:00", True),
        ("2026-11-02T08:00:00+07:00", "2026-11-02T07:00:00+07:00", False),
        ("2026-11-02", "2026-11-02T07:00:00+07:00", True),
        ("2026-11", "2026", True),
        ("2026-11-03", "2026-11-02", False),
    ],
)
def test_two_times_are_compared_as_far_as_both_are_precise(start: str, end: str, right: bool) -> None:
    assert in_order(start, end) is right


def test_an_instant_needs_the_minute() -> None:
    assert instant("20261102", "+07:00") is None
    assert instant("202611020830", "+07:00") == "2026-11-02T08:30:00+07:00"


def test_a_time_of_day_has_no_zone() -> None:
    assert clock("0830+0700") == "08:30:00"
    assert clock("2530") is None
