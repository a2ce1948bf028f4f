"""When a silence is longer than a feed's habit."""

from datetime import datetime, timedelta, timezone

import pytest

from fhir_gateway.exchange.habit import silence

ZONE = timezone(timedelta(hours=7))
MONDAY = datetime(2026, 11, 23, tzinfo=ZONE)
SHORTEST = timedelta(minutes=60)


def habit(per_hour, hours=range(8, 17), days=range(5), weeks=3):
    """A clinic that sends ``per_hour`` messages in those hours of those days of the week."""
    return {
        MONDAY - timedelta(weeks=week) + timedelta(days=day, hours=hour): per_hour
        for week in range(1, weeks + 1)
        for day in days
        for hour in hours
    }


def at(hour, minute=0, day=0):
    return MONDAY + timedelta(days=day, hours=hour, minutes=minute)


def test_two_hours_without_a_word_in_working_time_are_told():
    found = silence(habit(6), at(9), at(11), SHORTEST)
    assert found.since == at(9)
    assert found.missed == pytest.approx(12)


def test_a_night_is_no_silence():
    assert silence(habit(6), at(16, 59), at(7, 59, day=1), SHORTEST) is None


def test_a_weekend_is_no_silence():
    assert silence(habit(6), at(16, 59, day=-3), at(8, 30), SHORTEST) is None
    assert silence(habit(6), at(16, 59, day=-3), at(10, 0), SHORTEST) is not None


def test_the_shortest_silence_holds_whatever_the_habit():
    assert silence(habit(1000), at(9), at(9, 59), SHORTEST) is None
    assert silence(habit(1000), at(9), at(10, 1), SHORTEST) is not None


def test_a_holiday_last_week_raises_no_alarm_today():
    last_week = MONDAY - timedelta(weeks=1)
    hours = {hour: count for hour, count in habit(6).items() if hour.date() != last_week.date()}
    assert silence(hours, at(9), at(12), SHORTEST) is None


def test_a_burst_is_no_habit():
    hours = habit(1) | {at(9) - timedelta(weeks=1): 10_000}
    assert silence(hours, at(9), at(12), SHORTEST) is None


def test_a_new_feed_has_no_habit_yet():
    assert silence(habit(6, weeks=1), at(9), at(16), SHORTEST) is None
    assert silence({}, None, at(16), SHORTEST) is None


def test_a_feed_of_one_file_a_night_is_told_after_two_nights():
    hours = habit(1, hours=(2,), days=range(7))
    last = at(2, 30, day=-1)
    assert silence(hours | {at(2, day=-1): 1}, last, at(12, day=1), SHORTEST) is None
    found = silence(hours | {at(2, day=-1): 1}, last, at(1, day=2), SHORTEST)
    assert found.days == 2


def test_a_silence_of_weeks_stays_told():
    last = at(16, day=-31)
    assert silence(habit(6, weeks=8), last, at(12), SHORTEST) is not None


def test_a_clock_that_was_set_back_makes_no_silence():
    assert silence(habit(6), at(11), at(9), SHORTEST) is None
