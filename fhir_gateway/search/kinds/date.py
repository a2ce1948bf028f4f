"""Date search: every date is an interval as wide as its precision, and comparisons are between intervals.

https://hl7.org/fhir/R4/search.html#date

A time without zone is Vietnamese time. Spans hold microseconds since the year 1, from ``lo`` (included) to ``hi``
(excluded). Keys are ``parameter:lo``; an interval longer than a day has a second one for ``hi``, so that one interval
of keys answers each comparison.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from fhir_gateway.problem import BadRequest
from fhir_gateway.search.criteria import END, Choice, whole
from fhir_gateway.search.entries import Entries
from fhir_gateway.search.escape import plain
from fhir_gateway.search.kinds.prefix import Comparison, split_prefix
from fhir_gateway.search.registry import Parameter

MODIFIERS: frozenset[str] = frozenset()

LOCAL_ZONE = timezone(timedelta(hours=7))

SECOND, DAY = 1_000_000, 86_400_000_000
FIRST, LAST = 0, 10**18 - 1
"""Edges of an interval that is open."""

COMPARISONS = {
    "eq": Comparison("lo gte lo, hi lte hi"),
    "ne": Comparison("lo lt lo", "hi gt hi"),
    "gt": Comparison("hi gt hi"),
    "ge": Comparison("hi gt hi", "lo gte lo"),
    "lt": Comparison("lo lt lo"),
    "le": Comparison("lo lt lo", "hi lte hi"),
    "sa": Comparison("lo gte hi"),
    "eb": Comparison("hi lte lo"),
    "ap": Comparison("lo lt hi, hi gt lo"),
}
"""Edge of the record's interval, operator, edge of the request's."""

ON_THE_SECOND = COMPARISONS | {
    "eq": Comparison("lo gte lo, hi lte hi", "lo eq lo, hi lte end"),
    "ne": Comparison("lo lt lo", "lo gt lo", "hi gt end"),
    "gt": Comparison("lo gt lo", "hi gt end"),
    "le": Comparison("lo lt lo", "hi lte hi", "lo eq lo, hi lte end"),
}
"""Of a request for ``08:30:00.000``, as clients write that have no other way to write ``08:30:00``. R4's form of a
value ends with the second; so a record of that second, written to the second, is this time and not a longer one."""

_WHOLE_SECOND = re.compile(r"\.0+(?!\d)")
_YEAR_ONE = datetime(1, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SHAPE = re.compile(
    r"^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d)?)?)?)?$", re.ASCII
)


@lru_cache(maxsize=4096)
def interval(text: str) -> tuple[int, int]:
    """Microseconds since the year 1 in UTC: start, and end (excluded). Raises ValueError."""
    match = _SHAPE.match(text)
    if match is None:
        raise ValueError("not a FHIR date")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    if hour is None:
        return _of_days(int(year), int(month or 0), int(day or 0))
    moment = datetime(int(year), int(month), int(day), int(hour), int(minute), min(int(second or 0), 59))
    start = _micros(moment.replace(tzinfo=_zone(zone))) + int(((fraction or "") + "000000")[:6])
    return start, start + _width(second, fraction)


def _width(second: str | None, fraction: str | None) -> int:
    if second is None:
        return 60_000_000
    digits = fraction or ""
    # Clients pad: .500000 and .500 are one millisecond, which either finds in the other.
    return int(10 ** max(0, 6 - max(len(digits[:3]), len(digits.rstrip("0")))))


def _zone(text: str | None) -> timezone:
    if text is None or text == "Z":
        return LOCAL_ZONE if text is None else UTC
    minutes = int(text[1:3]) * 60 + int(text[4:6])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _of_days(year: int, month: int, day: int) -> tuple[int, int]:
    start = _micros(datetime(year, month or 1, day or 1, tzinfo=LOCAL_ZONE))
    if day:
        return start, start + DAY
    year, month = (year + 1, 1) if not month or month == 12 else (year, month + 1)
    return start, LAST if year > 9999 else _micros(datetime(year, month, 1, tzinfo=LOCAL_ZONE))


def _micros(moment: datetime) -> int:
    return max(FIRST, (moment - _YEAR_ONE) // _MICROSECOND)


def index(key: str, value: Any, entries: Entries) -> None:
    """A date, a Period, or each event of a Timing. What is no date (a placeholder) has no entry."""
    if type(value) is str:
        _index_between(key, value, value, entries)
    elif type(value) is dict:
        if "start" in value or "end" in value:
            _index_between(key, value.get("start"), value.get("end"), entries)
        for event in value.get("event", ()):
            index(key, event, entries)
        if bounds := value.get("repeat", {}).get("boundsPeriod"):
            index(key, bounds, entries)


def _index_between(key: str, start: str | None, end: str | None, entries: Entries) -> None:
    try:
        lo = interval(start)[0] if start else FIRST
        hi = interval(end)[1] if end else LAST
    except ValueError:
        return
    entries.span(key, {"lo": lo, "hi": hi})
    entries.keys[f"{key}:{lo:018d}"] = None
    if hi - lo > DAY:
        entries.keys[f"{key}:{hi:018d}"] = None


def parse(parameter: Parameter, text: str, modifier: str) -> Choice:
    """Any prefix; ``ap`` widens by a tenth of the distance to now, and at least by the date's own precision."""
    prefix, wanted = split_prefix(plain(text))
    lo, hi = requested(wanted, parameter.code)
    if prefix == "ap":
        lo, hi = _widened(lo, hi)
    start, stop = _keys(parameter.key, prefix, lo, hi)
    if prefix != "ap" and _WHOLE_SECOND.search(wanted):
        return Choice(start, stop, span=ON_THE_SECOND[prefix].span(parameter.key, lo, hi, lo + SECOND))
    return Choice(start, stop, span=COMPARISONS[prefix].span(parameter.key, lo, hi))


def requested(text: str, code: str) -> tuple[int, int]:
    """The interval of a date in a request. A ``+`` that came as a space is one."""
    try:
        return interval(text.replace(" ", "+"))
    except ValueError:
        raise BadRequest(f"'{code}' needs a date: yyyy, yyyy-mm, yyyy-mm-dd or yyyy-mm-ddThh:mm:ss+07:00") from None


def _widened(lo: int, hi: int) -> tuple[int, int]:
    now = _micros(datetime.now(UTC))
    gap = max(abs(now - lo) // 10, hi - lo)
    return max(FIRST, lo - gap), min(LAST, hi + gap)


def _keys(key: str, prefix: str, lo: int, hi: int) -> tuple[str, str]:
    first, last = whole(key)
    if prefix in ("eq", "gt", "ge", "sa"):
        first = f"{key}:{lo if prefix == 'eq' else max(FIRST, lo - DAY):018d}"
    if prefix in ("eq", "lt", "le", "eb", "ap"):
        last = f"{key}:{hi:018d}{END}"
    return first, last


def rank(parameter: Parameter, modifier: str) -> int:
    return 5
