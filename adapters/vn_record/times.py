"""Times of the hospital record (dd/mm/yyyy, dd/mm/yyyy HH:MM:SS.mmm) as FHIR dates, as precise as the source.

https://hl7.org/fhir/R4/datatypes.html#dateTime
"""

import re
from datetime import datetime

_TIME = re.compile(r"(?:(?:(\d{1,2})/)?(\d{1,2})/)?(\d{4})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2})(\.\d{1,3})?)?)?")


def time_of(text: str, offset: str) -> str:
    """A FHIR dateTime with the hospital's offset, or a date where no hours are given; empty when it is neither."""
    found = _TIME.fullmatch(text.strip())
    if not found:
        return ""
    day, month, year, hour, minute, second, fraction = found.groups()
    try:
        datetime(int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0))
    except ValueError:
        return ""
    date = "-".join(part.zfill(2) for part in (year, month, day) if part)
    if hour is None or day is None:
        return date
    parts = fraction if fraction and fraction.strip(".0") else ""
    return f"{date}T{hour.zfill(2)}:{minute}:{second or '00'}{parts}{offset}"


def date_of(text: str) -> str:
    """The date part as a FHIR date; empty when the text is no date."""
    return time_of(text, "").partition("T")[0]
