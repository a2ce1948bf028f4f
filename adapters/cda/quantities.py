"""Amounts: exact decimals with the text they came in, units by UCUM where a table or the sender has it.

https://hl7.org/fhir/R4/datatypes.html#quantity
"""

import re
from decimal import Decimal
from typing import Any

from adapters.cda.chart import Spot
from adapters.cda.node import Node
from adapters.cda.tables import UNITS
from adapters.contract import Resource

UCUM = "http://unitsofmeasure.org"

_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})\Z")
_TIMES = frozenset({"a", "mo", "wk", "d", "h", "min"})
_COMMA = re.compile(r"([+-]?[0-9]{1,18}),([0-9]{1,18})\Z")
_PLAUSIBLE_UCUM = re.compile(r"[A-Za-z0-9%/*.^'\"\[\]{}()_+-]{1,40}\Z")


def number(text: str) -> Decimal | None:
    """The exact decimal, so that ``7.20`` stays ``7.20``; a single comma is read as the decimal sign.

    FHIR has no leading zeros, plus sign or bare point (``.5``), so these go; ``1,234`` could be thousands and is not
    read.
    """
    comma = _COMMA.match(text)
    if comma and (len(comma[2]) != 3 or comma[1].lstrip("+-") == "0"):
        text = f"{comma[1]}.{comma[2]}"
    return Decimal(text) if _NUMBER.match(text) else None


def quantity(node: Node, spot: Spot) -> Resource:
    """A value with its unit; empty when there is no readable number, which then stays unmapped."""
    value = number(node.get("value"))
    if value is None:
        if node.get("value"):
            spot.chart.notice(f"{node.place}/@value", "not an unambiguous number")
        return {}
    spot.attribute(node, "value", "value")
    return {"value": value, **unit(node, spot)}


def age_of(node: Node, spot: Spot) -> Resource:
    """An Age; a number without a unit of time is none (age-1), and stays unmapped."""
    seen = quantity(node, spot.silent())
    return quantity(node, spot) if seen.get("code") in _TIMES and seen["value"] > 0 else {}


def unit(node: Node, spot: Spot) -> Resource:
    """The unit as written, and its UCUM code; CDA promises UCUM, hospitals do not always keep it."""
    written = node.get("unit")
    if not written:
        return {}
    if written == "1":
        # A bare number: UCUM has a code for it, but no reader wants to see it as a unit.
        spot.attribute(node, "unit", "value")
        return {"system": UCUM, "code": "1"}
    spot.attribute(node, "unit", "unit")
    code = UNITS.get(written) or (written if _PLAUSIBLE_UCUM.match(written) else "")
    return {"unit": written, "system": UCUM, "code": code} if code else {"unit": written}


def interval(node: Node, spot: Spot, name: str) -> dict[str, Any]:
    """An IVL_PQ as ``<name>Range``, or ``<name>Quantity`` with a comparator when one bound is open."""
    low, high = node.first("low"), node.first("high")
    given = {bound: number(end.get("value")) for bound, end in (("low", low), ("high", high))}
    if given["low"] is not None and given["high"] is not None:
        return {f"{name}Range": range_(node, spot.at(f"{name}Range"))}
    end, closed, open_ = (low, ">=", ">") if given["low"] is not None else (high, "<=", "<")
    amount = quantity(end, spot.at(f"{name}Quantity")) if end else {}
    if not amount:
        return {}
    exclusive = spot.attribute(end, "inclusive", f"{name}Quantity.comparator") == "false"
    return {f"{name}Quantity": {"comparator": open_ if exclusive else closed, **amount}}


def range_(node: Node, spot: Spot) -> Resource:
    """Low and high; bounds in the wrong order are not a range and stay unmapped."""
    low, high = node.first("low"), node.first("high")
    least, most = number(low.get("value")), number(high.get("value"))
    if least is not None and most is not None and least > most:
        spot.chart.notice(node.place, "the range ends below its start")
        return {}
    found = {"low": quantity(low, spot.at("low")), "high": quantity(high, spot.at("high"))}
    return {bound: amount for bound, amount in found.items() if amount}


def ratio(node: Node, spot: Spot) -> Resource:
    """Both amounts; half a ratio says nothing, so its fields stay unmapped."""
    top, bottom = node.first("numerator"), node.first("denominator")
    if number(top.get("value")) is None or number(bottom.get("value")) is None:
        return {}
    return {"numerator": quantity(top, spot.at("numerator")), "denominator": quantity(bottom, spot.at("denominator"))}
