"""What a feed usually does in an hour of the week, and whether its silence is longer than that.

The rule is simple on purpose: of the two weeks behind, the quieter one is what may be expected. A holiday in one of
them, or a burst, raises no alarm.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

WEEK = timedelta(days=7)
HOUR = timedelta(hours=1)
# At least so many messages would have come in the quieter of the two weeks: that none did is no chance (e^-5).
MESSAGES_MISSED = 5.0
DAYS_MISSED = 2


@dataclass(frozen=True, slots=True)
class Silence:
    """Since when a feed is silent, and how many messages its habit would have brought meanwhile."""

    since: datetime
    missed: float
    days: int


def silence(hours: Mapping[datetime, int], last: datetime | None, now: datetime, shortest: timedelta) -> Silence | None:
    """The silence of a feed when it is beyond its habit.

    ``hours`` counts messages by the hour they came in (local time, the hour's begin) for the two weeks and more before
    ``now``; a feed younger than that has no habit yet. A clock that was set back makes no silence.
    """
    if last is None or now - last < shortest or not _is_settled(hours, last):
        return None
    missed = _missed(hours, last, now)
    days = _days(hours, last, now)
    if missed >= MESSAGES_MISSED or days >= DAYS_MISSED:
        return Silence(last, round(missed, 1), days)
    return None


def _is_settled(hours: Mapping[datetime, int], last: datetime) -> bool:
    """Whether the feed was there two weeks before it fell silent."""
    return any(hour <= last - 2 * WEEK + timedelta(days=1) for hour, count in hours.items() if count)


def _missed(hours: Mapping[datetime, int], last: datetime, now: datetime) -> float:
    expected, hour = 0.0, _begin(last)
    while hour < now:
        share = (min(hour + HOUR, now) - max(hour, last)) / HOUR
        expected += share * min(_weeks_before(hours, hour, last))
        hour += HOUR
    return expected


def _weeks_before(hours: Mapping[datetime, int], hour: datetime, last: datetime) -> tuple[int, int]:
    """The same hour in the two weeks before the silence: what is in the silence itself is no habit."""
    while hour > last:
        hour -= WEEK
    if hour == _begin(last):
        hour -= WEEK
    return hours.get(hour, 0), hours.get(hour - WEEK, 0)


def _days(hours: Mapping[datetime, int], last: datetime, now: datetime) -> int:
    """Whole days of the silence that brought messages in both weeks before: the habit of a feed of one file a day."""
    busy = {hour.date() for hour, count in hours.items() if count}
    day, end, found = last.date() + timedelta(days=1), now.date(), 0
    while day < end:
        before = day
        while before > last.date():
            before -= WEEK
        found += before in busy and before - WEEK in busy
        day += timedelta(days=1)
    return found


def _begin(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
