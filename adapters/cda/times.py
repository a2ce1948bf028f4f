"""HL7 time stamps as FHIR dates and times, never more precise than they came.

https://hl7.org/fhir/R4/datatypes.html#dateTime
"""

import re
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache

_STAMP = re.compile(
    r"(?P<year>[0-9]{4})(?:(?P<month>[0-9][0-9])(?:(?P<day>[0-9][0-9])(?:(?P<hour>[0-9][0-9])(?:(?P<minute>[0-9][0-9])"
    r"(?:(?P<second>[0-9][0-9])(?P<fraction>\.[0-9]{1,9})?[0-9]*)?)?)?)?)?(?P<zone>Z|[+-][0-9]{4})?\Z"
)
REMEMBERED = 4096  # a document says few stamps many times over, and the next one of the day many of the same
_ISO = re.compile(r"[0-9]{4}-[0-9][0-9](?:-[0-9][0-9](?:T[0-9:.]+)?)?")
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "wk": 604800}


@lru_cache(maxsize=REMEMBERED)
def moment(stamp: str, offset: str) -> str:
    """A date, or a time with zone (``offset`` when the stamp has none); empty when the stamp is not a time.

    An hour without minutes is kept as its date: FHIR has no such time and the minutes are not ours to make up.
    """
    found = _STAMP.match(_compact(stamp))
    if not found or not _exists(found):
        return ""
    part = found.groupdict()
    if not part["minute"]:
        return "-".join(part[name] for name in ("year", "month", "day") if part[name])
    second = part["second"] or "00"
    zone = _zone(part["zone"]) or offset
    date = f"{part['year']}-{part['month']}-{part['day']}"
    return f"{date}T{part['hour']}:{part['minute']}:{second}{part['fraction'] or ''}{zone}"


def is_instant(time: str) -> bool:
    return "T" in time


def shifted(time: str, value: str, unit: str) -> str:
    """The time moved by an exact length; empty for lengths such as months that have no fixed one."""
    try:
        seconds = Decimal(value) * _SECONDS[unit]
        if is_instant(time):
            return (datetime.fromisoformat(time) + timedelta(seconds=float(seconds))).isoformat()
        if len(time) == 10 and seconds % 86400 == 0:
            return (datetime.fromisoformat(time) + timedelta(seconds=int(seconds))).date().isoformat()
    except (KeyError, InvalidOperation, OverflowError, ValueError):
        return ""
    return ""


def in_order(start: str, end: str) -> bool:
    """Whether a period may start and end so, as far as both are known."""
    if is_instant(start) and is_instant(end):
        return datetime.fromisoformat(start) <= datetime.fromisoformat(end)
    shared = min(len(start), len(end), 10)
    return start[:shared] <= end[:shared]


def _compact(stamp: str) -> str:
    found = _ISO.match(stamp)
    if not found:
        return stamp
    rest = stamp[found.end() :].replace(":", "")
    return found.group().replace("-", "").replace(":", "").replace("T", "") + rest


def _zone(zone: str | None) -> str:
    if not zone or zone == "Z":
        return "Z" if zone else ""
    return f"{zone[:3]}:{zone[3:]}"


def _exists(found: re.Match[str]) -> bool:
    """Whether the calendar has this time, with a zone that the earth has."""
    part = found.groupdict()
    zone = part["zone"] or "Z"
    if zone != "Z" and ((int(zone[1:3]) > 13 and zone[1:] != "1400") or int(zone[3:]) > 59):
        return False
    try:
        datetime(*(int(part[name] or low) for name, low in _LOWEST))  # type: ignore[arg-type]
    except ValueError:
        return False
    return True


_LOWEST = (("year", 0), ("month", 1), ("day", 1), ("hour", 0), ("minute", 0), ("second", 0))
