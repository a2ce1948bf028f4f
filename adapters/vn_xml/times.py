"""Times of the national XML (yyyyMMddHHmm, local) as FHIR dates, as precise as the source and no more.

https://hl7.org/fhir/R4/datatypes.html#dateTime
"""

from datetime import date, datetime, timedelta
from functools import lru_cache

REMEMBERED = 4096  # an episode repeats few distinct times many times over


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _day(text: str) -> str:
    """yyyyMMdd as yyyy-MM-dd, yyyy-MM or yyyy; unknown month and day are 00. Empty when it is no date."""
    year, month, day = text[:4], text[4:6], text[6:8]
    try:
        date(int(year), int((month.strip("0") and month) or 1), int((day.strip("0") and day) or 1))
    except ValueError:
        return ""
    if month in ("", "00"):
        return year
    return f"{year}-{month}" if day in ("", "00") else f"{year}-{month}-{day}"


@lru_cache(maxsize=REMEMBERED)
def date_of(text: str) -> str:
    """The date part as a FHIR date; empty when the text is no date."""
    return _day(text[:8]) if _digits(text) and len(text) in (4, 6, 8, 12, 14) else ""


@lru_cache(maxsize=REMEMBERED)
def time_of(text: str, offset: str) -> str:
    """A FHIR dateTime with the hospital's offset, or a date when the source gives no hours; empty when neither."""
    day = date_of(text)
    if len(text) < 12 or len(day) < 10:
        return day
    if text[8:12] == "2400":  # how some systems write the end of a day, which FHIR calls the start of the next
        return f"{date.fromisoformat(day) + timedelta(days=1)}T00:00:00{offset}"
    clock = f"{text[8:10]}:{text[10:12]}:{text[12:14] or '00'}"
    try:
        datetime.fromisoformat(f"{day}T{clock}")
    except ValueError:
        return ""
    return f"{day}T{clock}{offset}"


def instant_of(text: str, offset: str) -> str:
    """A FHIR instant; empty unless the source gives the minute."""
    time = time_of(text, offset)
    return time if "T" in time else ""


def birth_of(text: str, offset: str) -> tuple[str, str]:
    """Birth date as precise as known, and birth time; hour 0000 means that the time is unknown."""
    day = date_of(text)
    known = len(text) >= 12 and text[8:12] != "0000"
    time = time_of(text, offset) if known and len(day) == 10 else ""
    return day, time


def days_between(earlier: str, later: str) -> int | None:
    """Whole days between two source dates; None when either is not a full date."""
    first, second = date_of(earlier), date_of(later)
    if len(first) < 10 or len(second) < 10:
        return None
    return (date.fromisoformat(second) - date.fromisoformat(first)).days
