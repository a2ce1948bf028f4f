"""HL7 stamps become FHIR times that are exactly as precise."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.cda.times import in_order, moment, shifted

FHIR = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?)?)?\Z")


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("1994", "1994"),
        ("199407", "1994-07"),
        ("19940702", "1994-07-02"),
        ("2026111809", "2026-11-18"),
        ("202611180932", "2026-11-18T09:32:00+07:00"),
        ("20261118093215", "2026-11-18T09:32:15+07:00"),
        ("20261118093215.120+0000", "2026-11-18T09:32:15.120+00:00"),
        ("202611180932-0500", "2026-11-18T09:32:00-05:00"),
        ("202611180932Z", "2026-11-18T09:32:00Z"),
        ("20261118+0700", "2026-11-18"),
        ("2026-11-18", "2026-11-18"),
        ("2026-11-18T09:32:00+07:00", "2026-11-18T09:32:00+07:00"),
        ("20261340", ""),
        ("20260230", ""),
        ("202611182432", ""),
        ("202611180932+2500", ""),
        ("0000", ""),
        ("hôm qua", ""),
        ("", ""),
    ],
)
def test_a_stamp_keeps_its_precision(stamp, expected):
    assert moment(stamp, "+07:00") == expected


@settings(deadline=None, max_examples=300)
@given(stamp=st.from_regex(r"\A[0-9]{4,16}(\.[0-9]{1,4})?([+-][0-9]{4})?\Z") | st.text(max_size=20))
def test_anything_becomes_a_fhir_time_or_nothing(stamp):
    assert moment(stamp, "+07:00") == "" or FHIR.match(moment(stamp, "+07:00"))


def test_a_width_moves_a_bound_only_by_exact_lengths():
    assert shifted("2026-11-18", "2", "wk") == "2026-12-02"
    assert shifted("2026-11-18T09:00:00+07:00", "-90", "min") == "2026-11-18T07:30:00+07:00"
    assert shifted("2026-11-18", "1", "mo") == ""
    assert shifted("2026-11", "1", "d") == ""
    assert shifted("2026-11-18", "x", "d") == ""


def test_the_order_of_a_period_is_judged_by_what_both_bounds_know():
    assert in_order("2026-11", "2026-11-01")
    assert in_order("2026-11-18T09:00:00+07:00", "2026-11-18T03:00:00Z")
    assert not in_order("2026-11-18T09:00:00+07:00", "2026-11-18T01:00:00Z")
    assert not in_order("2026-11-18", "2026-11-17")
