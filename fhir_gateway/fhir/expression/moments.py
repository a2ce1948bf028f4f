"""Dates and times as precise as they were written: compared as far as both go, moved by calendar units.

https://hl7.org/fhirpath/N1/#datetime-equality, https://hl7.org/fhirpath/N1/#datetime-arithmetic
"""

import re
from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal

_TIME = r"(?P<hour>\d\d)(?::(?P<minute>\d\d)(?::(?P<second>\d\d(?:\.\d+)?))?)?"
_TEXT = re.compile(
    r"(?:(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d))?)?)?"
    rf"(?P<mark>T)?(?:{_TIME})?(?P<zone>Z|[+-]\d\d:\d\d)?"
)
_PARTS = ("year", "month", "day", "hour", "minute", "second")
_LARGEST = {"month": 12, "day": 31, "hour": 24, "minute": 59, "second": 60}
_STEPS = {"week": 7 * 86_400, "day": 86_400, "hour": 3600, "minute": 60}


@dataclass(frozen=True, slots=True)
class Moment:
    """``kind`` is Date, DateTime or Time; ``parts`` begin with the year, of a Time with the hour; zone in minutes."""

    kind: str
    parts: tuple[Decimal, ...]
    zone: int | None = None

    @property
    def is_timed(self) -> bool:
        return self.kind == "Time" or len(self.parts) > 3

    def __str__(self) -> str:
        if self.kind == "Time":
            return _clock(self.parts)
        date = "-".join(f"{part:0{2 if place else 4}f}" for place, part in enumerate(self.parts[:3]))
        mark = f"T{_clock(self.parts[3:])}" if len(self.parts) > 3 else ""
        return f"{date}{mark}{_zone(self.zone)}"


def _clock(parts: tuple[Decimal, ...]) -> str:
    whole = [f"{part:02f}" for part in parts[:2]]
    seconds = [f"{part:f}".zfill(2 if "." not in f"{part:f}" else len(f"{part % 1:f}") + 1) for part in parts[2:]]
    return ":".join([*whole, *seconds])


def _zone(zone: int | None) -> str:
    if zone is None:
        return ""
    return f"{'-' if zone < 0 else '+'}{abs(zone) // 60:02d}:{abs(zone) % 60:02d}" if zone else "Z"


def moment(text: str, kind: str) -> Moment | None:
    """What a text says as a Date, DateTime or Time; None when it does not."""
    match = _TEXT.fullmatch(text)
    if match is None or (kind == "Time") != (match["year"] is None) or (kind == "Date" and match["mark"]):
        return None
    if match["zone"] and (kind == "Time" or match["hour"] is None):
        return None
    if match["hour"] and not match["mark"] and kind != "Time":
        return None
    named = [(name, Decimal(match[name])) for name in _PARTS if match[name] is not None]
    if any(part > _LARGEST.get(name, 9999) or (name in ("month", "day") and not part) for name, part in named):
        return None
    return Moment(kind, tuple(part for _, part in named), _minutes(match["zone"])) if named else None


def _minutes(zone: str | None) -> int | None:
    if zone is None or zone == "Z":
        return 0 if zone else None
    return int(f"{zone[0]}1") * (int(zone[1:3]) * 60 + int(zone[4:6]))


def compare(one: Moment, other: Moment) -> int | None:
    """-1, 0 or 1; None where they are of unlike precision and alike as far as both go, or only one has a zone."""
    if (one.kind == "Time") != (other.kind == "Time"):
        return None
    if one.is_timed and other.is_timed and one.kind != "Time":
        if (one.zone is None) != (other.zone is None):
            return None
        one, other = _shifted(one), _shifted(other)
    for left, right in zip(one.parts, other.parts, strict=False):
        if left != right:
            return -1 if left < right else 1
    return 0 if len(one.parts) == len(other.parts) else None


def _shifted(one: Moment) -> Moment:
    """The same moment in UTC."""
    if not one.zone:
        return one
    moved = _moved(one, timedelta(minutes=-one.zone))
    return replace(moved, zone=0)


def added(one: Moment, amount: Decimal, unit: str) -> Moment | None:
    """The moment so many calendar units later, as precise as it was; None when that is no date."""
    try:
        if unit in ("year", "month"):
            return _months_later(one, int(amount) * (12 if unit == "year" else 1))
        if unit in _STEPS:
            return _moved(one, timedelta(seconds=int(amount) * _STEPS[unit]))
        seconds = amount / 1000 if unit == "millisecond" else amount
        return _moved(one, timedelta(milliseconds=int(seconds * 1000)))
    except (ValueError, OverflowError):
        return None


def _months_later(one: Moment, months: int) -> Moment:
    if one.kind == "Time":
        raise ValueError("a time of day has no months")
    total = int(one.parts[0]) * 12 + (int(one.parts[1]) - 1 if len(one.parts) > 1 else 0) + months
    year, month = divmod(total, 12)
    if not 1 <= year <= 9999:
        raise ValueError("beyond the calendar")
    parts = [Decimal(year), Decimal(month + 1), *one.parts[2:]][: len(one.parts)]
    if len(parts) > 2:
        parts[2] = min(parts[2], Decimal(monthrange(year, month + 1)[1]))
    return replace(one, parts=tuple(parts))


def _moved(one: Moment, by: timedelta) -> Moment:
    """Moved by a duration; a time of day goes round the clock."""
    lead = (Decimal(2000), Decimal(1), Decimal(1)) if one.kind == "Time" else ()
    parts = (*lead, *one.parts)
    filled = (*parts, *(Decimal(1), Decimal(1), Decimal(0), Decimal(0), Decimal(0))[len(parts) - 1 :])
    fraction = filled[5] % 1
    year, month, day, hour, minute, whole = (int(part) for part in filled[:6])
    end = datetime(year, month, day, hour, minute, whole, int(fraction * 1_000_000)) + by
    second = Decimal(end.second) + (Decimal(end.microsecond) / 1_000_000).quantize(filled[5], ROUND_DOWN)
    moved = (*map(Decimal, (end.year, end.month, end.day, end.hour, end.minute)), second)
    return replace(one, parts=moved[len(lead) : len(parts)])
