"""Dates of exports by the format the hospital's file names; what a spreadsheet made of a date is refused.

https://hl7.org/fhir/R4/datatypes.html#dateTime
"""

import re
from datetime import datetime
from functools import cache

_PARTS = (("yyyy", "year", r"\d{4}"), ("MM", "month", r"\d{2}"), ("dd", "day", r"\d{2}"), ("HH", "hour", r"\d{2}"),
          ("mm", "minute", r"\d{2}"), ("ss", "second", r"\d{2}"), ("M", "month", r"\d{1,2}"), ("d", "day", r"\d{1,2}"),
          ("H", "hour", r"\d{1,2}"))  # fmt: skip
_TOKEN = re.compile("|".join(token for token, _, _ in _PARTS) + "|.", re.DOTALL)
_TYPES = {token: (name, pattern) for token, name, pattern in _PARTS}
STANDARD = ("yyyy-MM-dd[THH:mm[:ss]]", "yyyy-MM-dd[ HH:mm[:ss]]", "yyyyMMdd[HHmm[ss]]", "yyyy-MM", "yyyy")
_SERIAL = re.compile(r"\d{5}(?:[.,]\d+)?")
_ZONED = re.compile(r"(.*\d\d:\d\d(?::\d\d)?)(?:\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
SERIAL = "looks like a serial number of a spreadsheet, not a date: export the column as text, such as dd/MM/yyyy"


def is_serial(text: str) -> bool:
    """Whether a spreadsheet wrote the days since 1900 instead of a date."""
    return _SERIAL.fullmatch(text) is not None


def moment(text: str, formats: tuple[str, ...], offset: str) -> str | None:
    """A FHIR dateTime as precise as the text, in the hospital's offset unless it names one; None when unreadable."""
    zoned = _ZONED.fullmatch(text)
    if zoned:
        text, offset = zoned[1], zoned[2]
    for form in (*formats, *STANDARD):
        found = _pattern(form).fullmatch(text)
        if found and (made := _made({n: v for n, v in found.groupdict().items() if v}, offset)):
            return made
    return None


def day(text: str, formats: tuple[str, ...]) -> str | None:
    """A FHIR date; a time of day that comes with it is left out."""
    found = moment(text, formats, "")
    return found[:10] if found else None


def _made(parts: dict[str, str], offset: str) -> str | None:
    numbers = {name: int(value) for name, value in parts.items()}
    try:
        whole = datetime(**{"month": 1, "day": 1, **numbers})  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    if not 1800 <= whole.year <= 2200:
        return None
    if "hour" in parts:
        return f"{whole:%Y-%m-%dT%H:%M:%S}{offset}"
    return f"{whole:%Y-%m-%d}" if "day" in parts else f"{whole:%Y-%m}" if "month" in parts else f"{whole:%Y}"


@cache
def _pattern(form: str) -> re.Pattern[str]:
    """``dd/MM/yyyy[ HH:mm]`` as an expression: square brackets hold what may be missing."""
    signs = {"[": "(?:", "]": ")?"}
    made, used = [], set()
    for token in _TOKEN.findall(form):
        name, pattern = _TYPES.get(token, ("", ""))
        if name and name not in used:
            used.add(name)
            made.append(f"(?P<{name}>{pattern})")
        else:
            made.append(signs.get(token, re.escape(token)))
    return re.compile("".join(made))
