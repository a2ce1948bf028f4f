"""Care dates: which records a range of days leaves out, because what they tell of lies wholly outside it.

https://hl7.org/fhir/R4/patient-operation-everything.html - ``start`` and ``end``

A record without a date of care stays.
"""

import re
from dataclasses import dataclass

from fhir_gateway.problem import BadRequest
from fhir_gateway.search.criteria import Condition, Criterion
from fhir_gateway.search.kinds import date
from fhir_gateway.search.registry import Parameter, parameters

#: When care was given, or else asked for; the first that a type has.
TOLD_BY = (
    "authoredon", "occurrence", "event-date", "date", "effective-time", "effective", "onset-date", "started",
    "collected", "whenhandedover", "sent", "authored", "authored-on", "datetime", "datewritten", "identified",
    "start-date", "period", "created",
)  # fmt: skip
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?", re.ASCII)
_RANK = 8


@dataclass(frozen=True, slots=True)
class Care:
    """The first and the last day, each included; empty where the range is open."""

    start: str = ""
    end: str = ""


def care(start: str | None, end: str | None) -> Care | None:
    """None where nothing is asked. Raises BadRequest for what is no date."""
    for name, text in (("start", start), ("end", end)):
        if text is not None:
            if not _DATE.fullmatch(text):
                raise BadRequest(f"'{name}' needs a date: yyyy, yyyy-mm or yyyy-mm-dd", name)
            date.requested(text, name)
    return Care(start or "", end or "") if start or end else None


def within(type_: str, asked: Care | None) -> tuple[Criterion, ...]:
    """What a record of the type has to meet; who somebody is has no date of care."""
    parameter = _told_by(type_)
    if asked is None or parameter is None or type_ == "Patient":
        return ()
    outside = [f"eb{asked.start}"] if asked.start else []
    outside += [f"sa{asked.end}"] if asked.end else []
    return (Condition(tuple(date.parse(parameter, one, "") for one in outside), _RANK, absent=True),)


def _told_by(type_: str) -> Parameter | None:
    dated = parameters(type_)
    return next((dated[code] for code in TOLD_BY if code in dated and dated[code].kind == "date"), None)
