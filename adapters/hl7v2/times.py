"""Dates and times of HL7 v2 as FHIR writes them: partial ones stay partial, local ones get the hospital's offset.

https://hl7.org/fhir/R4/datatypes.html#dateTime
"""

import re
from datetime import date, datetime
from functools import lru_cache

_TIME = re.compile(
    r"(?P<year>\d{4})(?P<month>\d\d)?(?P<day>\d\d)?(?P<hour>\d\d)?(?P<minute>\d\d)?(?P<second>\d\d)?"
    r"(?P<fraction>\.\d{1,6})?(?P<zone>[+-]\d{4})?",
    re.ASCII,
)
_CLOCK = re.compile(r"(\d\d)(\d\d)(\d\d)?(\.\d+)?(?:[+-]\d{4})?", re.ASCII)


@lru_cache(maxsize=4096)
def date_time(text: str, offset: str) -> str | None:
    """A dateTime, as precise as the source; None when it is none. An hour without minutes is left at the day."""
    found = _TIME.fullmatch(text)
    day = _day(found) if found else None
    if found is None or day is None or found["minute"] is None or len(day) < 10:
        return day
    hour, minute, second = found["hour"], found["minute"], found["second"] or "00"
    if int(hour) > 23 or int(minute) > 59 or int(second) > 59:
        return None
    return f"{day}T{hour}:{minute}:{second}{found['fraction'] or ''}{_zone(found['zone'], offset)}"


def day(text: str) -> str | None:
    """The date alone, as precise as the source: a birth date of 19610000 is 1961."""
    found = _TIME.fullmatch(text)
    return _day(found) if found else None


def instant(text: str, offset: str) -> str | None:
    """A time exact to the second at least, or None."""
    value = date_time(text, offset)
    return value if value and "T" in value else None


def in_order(start: str, end: str) -> bool:
    """Whether a period may run from one to the other, as far as both are precise."""
    if "T" in start and "T" in end:
        return datetime.fromisoformat(start) <= datetime.fromisoformat(end)
    shorter = min(len(start), len(end), 10)
    return start[:shorter] <= end[:shorter]


def clock(text: str) -> str | None:
    """A time of day; FHIR keeps no zone with it."""
    found = _CLOCK.fullmatch(text)
    if not found or int(found[1]) > 23 or int(found[2]) > 59 or int(found[3] or 0) > 59:
        return None
    return f"{found[1]}:{found[2]}:{found[3] or '00'}{found[4] or ''}"


def _day(found: re.Match[str]) -> str | None:
    year, month, number = found["year"], found["month"] or "00", found["day"] or "00"
    if year == "0000":
        return None
    if month == "00":
        return year if number == "00" else None
    if int(month) > 12:
        return None
    if number == "00":
        return f"{year}-{month}"
    try:
        return date(int(year), int(month), int(number)).isoformat()
    except ValueError:
        return None


def _zone(zone: str | None, offset: str) -> str:
    if zone is None:
        return offset
    hours, minutes = int(zone[1:3]), int(zone[3:])
    return f"{zone[:3]}:{zone[3:]}" if hours <= 14 and minutes <= 59 else offset
