"""TQ1, and the older TQ fields, to Timing: how often, from when to when, how urgent.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-tq1-to-servicerequest.html
"""

import re
from datetime import datetime, timedelta

from adapters.contract import Resource
from adapters.hl7v2.codes import TERMINOLOGY, code, table
from adapters.hl7v2.datatypes import coding_system, of_row, period
from adapters.hl7v2.numbers import UCUM, number, positive, unit_of
from adapters.hl7v2.read import Segment, Value
from adapters.hl7v2.scene import Scene
from adapters.hl7v2.times import clock

_TABLE = f"{TERMINOLOGY}v2-0335"
_WHOLE_DAY = len("2026-11-02")
_WHEN = frozenset({"HS", "AC", "ACM", "ACD", "ACV", "PC", "PCM", "PCD", "PCV"})
_EVERY = re.compile(r"Q(\d{1,3})([SMHDWJL])", re.ASCII)
_LENGTH = re.compile(r"([SMHDWL])(\d{1,4})", re.ASCII)
_UNITS = {"S": "s", "M": "min", "H": "h", "D": "d", "W": "wk", "J": "wk", "L": "mo"}
_WORDS = {"MIN": "min", "HR": "h", "D": "d", "DAY": "d", "WK": "wk", "MO": "mo", "A": "a", "ANN": "a", "YR": "a"}
_DAILY = {"QD": (1, 1), "BID": (2, 1), "TID": (3, 1), "QID": (4, 1), "QOD": (1, 2)}


def timing(scene: Scene, tq1: Segment, at: str) -> Resource:
    """The Timing of one TQ1; empty when it says no more than a time or a priority."""
    pattern = _pattern(scene, tq1.value(3), 1, at)
    span = period(scene, (tq1.value(7), 1), (tq1.value(8), 1), f"{at}.repeat.boundsPeriod")
    bounds = (
        _bounded(tq1.value(6), span, at) if any(span.values()) else _bounds(tq1.value(6), f"{at}.repeat.boundsDuration")
    )
    hours = [moment for value in tq1.values(4) if (moment := _hour(value, f"{at}.repeat.timeOfDay"))]
    count = positive(tq1.peek(14))
    if count:
        tq1.take(14, f"{at}.repeat.count")
    # A time of day excludes "every six hours" and "before breakfast" (tim-9, tim-10): the hours say more.
    rhythm = {} if hours else pattern.get("repeat") or _rhythm(tq1.value(3), f"{at}.repeat")
    pattern.pop("repeat", None)
    repeat = {**bounds, "count": count, **_duration(tq1.value(13), f"{at}.repeat.duration"), **rhythm}
    return {**pattern, "repeat": {**repeat, "timeOfDay": hours}}


def old_timing(scene: Scene, value: Value, at: str) -> Resource:
    """A TQ of the messages before 2.5: interval, length, start and end in one field."""
    pattern = _pattern(scene, value, 2, at)
    span = period(scene, (value, 4), (value, 5), f"{at}.repeat.boundsPeriod")
    bounds = {"boundsPeriod": span} if any(span.values()) else _lasting(value, f"{at}.repeat.boundsDuration")
    rhythm = pattern.pop("repeat", {})
    return {**pattern, "repeat": {**bounds, **rhythm}}


def _lasting(value: Value, target: str) -> Resource:
    """TQ.3: ``D4`` is four days. A number of times (``X3``) and "until" are no length: they stay unmapped."""
    found = _LENGTH.fullmatch(value.peek(3).upper())
    if not found or not int(found[2]):
        return {}
    value.took(3, target)
    scale = _UNITS[found[1]]
    return {"boundsDuration": {"value": int(found[2]), "unit": scale, "system": UCUM, "code": scale}}


def old_priority(value: Value, target: str) -> str:
    """TQ.6, how urgent it is."""
    said = code("priority", value.peek(6).upper())
    if said:
        value.took(6, target)
    return said


def priority(tq1: Segment, target: str) -> str:
    said = code("priority", tq1.peek(9).upper())
    if said:
        tq1.value(9).take_all(target)
    return said


def quantity(value: Value, at: str) -> Resource | None:
    """A CQ: number and unit."""
    read = number(value.peek()) if value.peek() else None
    if read is None:
        return None
    value.took(1, f"{at}.value")
    title = value.take(2, f"{at}.unit", 2)
    scale = unit_of(value.take(2, f"{at}.unit"))
    if "system" in scale:
        value.took(2, f"{at}.system", 3)
    return {"value": read.value, **scale, **({"unit": title} if title else {})}


def says(made: Resource) -> bool:
    """Whether a Timing holds anything."""
    return any(value for name, value in made.items() if name != "repeat") or any(
        any(value.values()) if isinstance(value, dict) else value for value in made.get("repeat", {}).values()
    )


def _pattern(scene: Scene, value: Value, component: int, at: str) -> Resource:
    """The code of the rhythm with its meaning where table 0335 or the form Q6H gives one."""
    said = value.take(component, f"{at}.code")
    if not said:
        return {}
    title = value.take(component, f"{at}.code.text", 2)
    row = table("v2-0335").get(said.upper())
    named = value.take(component, f"{at}.code.coding[0].system", 3)
    every, daily = _EVERY.fullmatch(said.upper()), _DAILY.get(said.upper())
    codings = [of_row(row)] if row else []
    if named or every or (title and not row) or (row and row.code != said.upper()):
        # What was sent: a code of HL7's table, or of a list of the sender's own, whose words alone would not tell it.
        system = coding_system(scene, named) if named else _TABLE if row or every else _own(scene)
        sent = {"system": system, "code": " ".join(said.split()), "display": title}
        others = [one for one in codings if (one["system"], one["code"]) != (system, said)]
        codings = [{name: part for name, part in sent.items() if part}]
        codings = [*codings, *others] if named else [*others, *codings]
    made: Resource = {"code": {"coding": codings, "text": title or said}}
    if every and int(every[1]):
        made["repeat"] = {"frequency": 1, "period": int(every[1]), "periodUnit": _UNITS[every[2]]}
    elif daily:
        made["repeat"] = {"frequency": daily[0], "period": daily[1], "periodUnit": "d"}
    return made


def _own(scene: Scene) -> str:
    return coding_system(scene, "repeat-pattern")


def _rhythm(value: Value, at: str) -> Resource:
    """RPT.5 to 10: every how long, and how many minutes from a meal or from sleep."""
    length, scale = number(value.peek(5)) if value.peek(5) else None, _unit(value, 6)
    made: Resource = {}
    if length and length.value > 0 and scale:
        value.took(5, f"{at}.period")
        value.took(6, f"{at}.periodUnit")
        made = {"frequency": 1, "period": length.value, "periodUnit": scale}
    if value.peek(8).upper() not in _WHEN:
        return made
    made["when"] = [value.take(8, f"{at}.when[0]").upper()]
    minutes = _seconds(value, 9) // 60
    if minutes:
        value.took(9, f"{at}.offset")
        value.took(10, f"{at}.offset")
        made["offset"] = minutes
    return made


def _unit(value: Value, component: int = 2) -> str:
    said = value.peek(component)
    return said if said in _UNITS.values() else _WORDS.get(said.upper(), "")


def _bounds(value: Value, at: str) -> Resource:
    read, scale = number(value.peek()) if value.peek() else None, _unit(value)
    if read is None or not scale:
        return {}
    value.take_all(at)
    return {"boundsDuration": {"value": read.value, "unit": value.peek(2), "system": UCUM, "code": scale}}


def _bounded(value: Value, span: Resource, at: str) -> Resource:
    """A period of which one end is said, and how long it lasts (TQ1-6), has the other end too."""
    begun, ended = span.get("start"), span.get("end")
    seconds = _seconds(value)
    known = begun or ended or ""
    if (begun and ended) or not seconds or len(known) < _WHOLE_DAY:
        return {"boundsPeriod": span}
    if "T" not in known:
        # Days that are counted from a day on: the first of them is one of them.
        if seconds % 86400:
            return {"boundsPeriod": span}
        seconds -= 86400
    try:
        other = datetime.fromisoformat(known) + timedelta(seconds=seconds if begun else -seconds)
    except OverflowError:
        return {"boundsPeriod": span}
    value.take_all(f"{at}.repeat.boundsPeriod")
    reckoned = other.isoformat() if "T" in known else other.date().isoformat()
    return {"boundsPeriod": {**span, "end" if begun else "start": reckoned}}


def _seconds(value: Value, component: int = 1) -> int:
    read = number(value.peek(component)) if value.peek(component) else None
    lengths = {"s": 1, "min": 60, "h": 3600, "d": 86400, "wk": 604800}
    length = lengths.get(_unit(value, component + 1), 0)
    return int(read.value * length) if read and length and 0 < read.value < 100_000 else 0


def _duration(value: Value, at: str) -> Resource:
    read, scale = number(value.peek()) if value.peek() else None, _unit(value)
    if read is None or not scale or read.value < 0:
        return {}
    value.take_all(at)
    return {"duration": read.value, "durationUnit": scale}


def _hour(value: Value, target: str) -> str | None:
    moment = clock(value.peek())
    if moment:
        value.took(1, target)
    return moment
