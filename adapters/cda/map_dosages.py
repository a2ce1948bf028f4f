"""How a medicine is taken: dose, rate, route, and when; intervals and events of the day as FHIR's Timing.

https://hl7.org/fhir/R4/dosage.html
"""

import re
from decimal import Decimal
from typing import Any

from adapters.cda.chart import Spot
from adapters.cda.datatypes import concept, known_concept, period, start, system_uri, words
from adapters.cda.facts import PART, follows, instructions, related, set_aside
from adapters.cda.node import NOTHING, Node
from adapters.cda.quantities import number, quantity, range_, ratio
from adapters.cda.tables import translated
from adapters.contract import Resource

ASKED = frozenset({"INT", "RQO", "PRP", "PRMS", "ARQ"})

_SIGNATURE = ("2.16.840.1.113883.10.20.22.4.147", "76662-6")
_PERIODS = frozenset({"s", "min", "h", "d", "wk", "mo", "a"})
_MINUTES = {"min": Decimal(1), "h": Decimal(60), "d": Decimal(1440), "s": Decimal(1) / 60}
_MEALS = frozenset({"C", "CM", "CD", "CV"})


def when(statement: Node) -> Node:
    """The effective time that says when, not how often."""
    times = statement.all("effectiveTime")
    return next((node for node in times if not node.first("period") and not node.first("event")), NOTHING)


def dosages(statement: Node, spot: Spot, timed: bool) -> list[Resource]:
    """One dosage with all that the statement says; ``timed`` where its dates belong to the dosage."""
    found = {
        "text": _signature(statement, spot),
        **instruction(statement, spot),
        "timing": _timing(statement, spot.at("timing"), timed),
        **_as_needed(statement, spot),
        **_way(statement, spot),
        "doseAndRate": _dose(statement, spot.at("doseAndRate[0]")),
        "maxDosePerPeriod": ratio(statement.first("maxDoseQuantity"), spot.at("maxDosePerPeriod")),
    }
    kept = {name: value for name, value in found.items() if value}
    return [kept] if kept else []


def given(statement: Node, spot: Spot) -> Resource:
    """The dosage of one administration, which has no timing and one dose."""
    amount = quantity(statement.first("doseQuantity"), spot.at("dose"))
    rate = statement.first("rateQuantity")
    speed = quantity(rate, spot.at("rateQuantity")) if rate.get("value") else {}
    found = {
        "text": _signature(statement, spot),
        **_way(statement, spot),
        "dose": amount,
        "rateQuantity": speed,
    }
    # mad-1: a dosage says how much.
    return {name: value for name, value in found.items() if value} if amount or speed else {}


def _way(statement: Node, spot: Spot) -> Resource:
    return {
        "site": concept(statement.first("approachSiteCode"), spot.at("site")),
        "route": concept(statement.first("routeCode"), spot.at("route")),
    }


def _as_needed(statement: Node, spot: Spot) -> dict[str, Any]:
    """A precondition makes it as needed; what makes it needed, such as pain, where that is coded."""
    criterion = statement.first("precondition", "criterion")
    reason = known_concept(criterion.first("value"), spot.at("asNeededCodeableConcept"))
    if not reason:
        text = words(criterion.first("text"), spot.at("asNeededCodeableConcept.text"))
        reason = {"text": text} if text else {}
    if reason:
        return {"asNeededCodeableConcept": reason}
    return {"asNeededBoolean": True} if statement.first("precondition") else {}


def _signature(statement: Node, spot: Spot) -> str:
    """The doctor's own words on how to take it."""
    root, code = _SIGNATURE
    for node in related(statement, "substanceAdministration"):
        if follows(node, root) or node.first("code").get("code") == code:
            set_aside(node, spot, PART)
            return words(node.first("text"), spot.at("text"))
    return ""


def instruction(statement: Node, spot: Spot) -> dict[str, Any]:
    """What the patient is told, in words and as codes."""
    told = next(iter(instructions(statement)), NOTHING)
    text = words(told.first("text"), spot.at("patientInstruction"))
    code = known_concept(told.first("code"), spot.at("additionalInstruction[0]"))
    set_aside(told, spot, PART)
    said = {"patientInstruction": text or code.get("text", ""), "additionalInstruction": [code] if code else []}
    return {name: value for name, value in said.items() if value}


def _timing(statement: Node, spot: Spot, timed: bool) -> Resource:
    repeat = _repeat(statement, spot.at("repeat"))
    if not timed:
        return {"repeat": repeat} if repeat else {}
    node = when(statement)
    if node.first("low") or node.first("high"):
        bounds = period(node, spot.at("repeat.boundsPeriod"))
        return {"repeat": {**({"boundsPeriod": bounds} if bounds else {}), **repeat}}
    event = start(node, spot.at("event[0]"))
    return {"event": [event] if event else [], "repeat": repeat}


def _repeat(statement: Node, spot: Spot) -> dict[str, Any]:
    times = statement.all("effectiveTime")
    length = next((node.first("period") for node in times if node.first("period")), NOTHING)
    event = next((node for node in times if node.first("event")), NOTHING)
    found = {**_every(length, spot), **_at_event(event, spot)}
    count = statement.first("repeatNumber")
    if re.fullmatch(r"[1-9][0-9]{0,8}", count.get("value")) and statement.get("moodCode") in ASKED:
        found["count"] = int(spot.attribute(count, "value", "count"))
    return found


def _every(length: Node, spot: Spot) -> dict[str, Any]:
    """Every six hours is a frequency of one in a period of six hours; every four to six has a longest period."""
    least = length.first("low") or length
    amount, unit = number(least.get("value")), least.get("unit")
    if amount is None or amount <= 0 or unit not in _PERIODS:
        return {}
    spot.attribute(least, "value", "period")
    spot.attribute(least, "unit", "periodUnit")
    found: dict[str, Any] = {"frequency": 1, "period": amount, "periodUnit": unit}
    most = length.first("high")
    longest = number(most.get("value"))
    if longest is not None and longest > amount and most.get("unit") == unit:
        found["periodMax"] = longest
        spot.attribute(most, "value", "periodMax")
        spot.attribute(most, "unit", "periodUnit")
    return found


def _at_event(node: Node, spot: Spot) -> dict[str, Any]:
    """Before or after a meal or sleep, and how long before or after."""
    event = node.first("event")
    code = translated("event_timing", event.get("code"))
    if not code:
        return {}
    spot.attribute(event, "code", "when[0]")
    spot.attribute(event, "codeSystem", "when[0]")
    spot.attribute(event, "displayName", "when[0]")
    offset = node.first("offset")
    length = offset.first("low") or offset
    amount, minutes = number(length.get("value")), _MINUTES.get(length.get("unit"))
    # tim-9: an offset is from a moment before or after, never from a meal itself.
    if amount is None or amount < 0 or minutes is None or code in _MEALS:
        return {"when": [code]}
    spot.attribute(length, "value", "offset")
    spot.attribute(length, "unit", "offset")
    return {"when": [code], "offset": int(amount * minutes)}


def _dose(statement: Node, spot: Spot) -> list[Resource]:
    """Dose and rate; a bare number counts the unit of administration (tablets, puffs)."""
    found = {
        **_amount(statement.first("doseQuantity"), spot, "dose"),
        **_amount(statement.first("rateQuantity"), spot, "rate"),
    }
    form = statement.first("administrationUnitCode")
    if "unit" not in found.get("doseQuantity", {"unit": ""}) and form.get("code"):
        found["doseQuantity"] = {
            "value": found["doseQuantity"]["value"],
            **_counted(form, spot.at("doseQuantity")),
        }
    return [found] if found else []


def _counted(form: Node, spot: Spot) -> Resource:
    """The unit of administration as the unit of the dose."""
    system = system_uri(spot.chart, form.get("codeSystem"))
    unit = spot.attribute(form, "displayName", "unit")
    code = spot.attribute(form, "code", "code" if system else "unit")
    if system:
        spot.attribute(form, "codeSystem", "system")
        return {"unit": unit or code, "system": system, "code": code}
    return {"unit": unit or code}


def _amount(node: Node, spot: Spot, name: str) -> dict[str, Any]:
    if node.first("low") or node.first("high"):
        limits = range_(node, spot.at(f"{name}Range"))
        return {f"{name}Range": limits} if limits else {}
    amount = quantity(node, spot.at(f"{name}Quantity"))
    return {f"{name}Quantity": amount} if amount else {}
