"""Quantity search: ``number|system|code``, ``number|system``, ``number||unit`` or the number alone.

https://hl7.org/fhir/R4/search.html#quantity

Keys as for numbers, where a request names no unit. A value in a UCUM unit has a second key on the scale of its base
units, so that 5 mg is found by 0.005 g. Other units are an exact check, compared as they are written.
"""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from fhir_gateway.problem import BadRequest
from fhir_gateway.search import ucum
from fhir_gateway.search.criteria import UNIT, Choice
from fhir_gateway.search.entries import Entries
from fhir_gateway.search.escape import plain, split
from fhir_gateway.search.kinds.number import COMPARISONS, around, keys, number_of, sortable
from fhir_gateway.search.kinds.prefix import split_prefix
from fhir_gateway.search.registry import Parameter

MODIFIERS: frozenset[str] = frozenset()

_CURRENCIES = "urn:iso:std:iso:4217"


def index(key: str, value: Any, entries: Entries) -> None:
    """A Quantity and its kin, Money, or a Range."""
    if type(value) is not dict:
        return
    if "low" in value or "high" in value:
        low, high = value.get("low", {}), value.get("high", {})
        _add(key, (low.get("value"), high.get("value")), low or high, entries)
    elif value.get("value") is not None:
        _add(key, (value["value"], value["value"]), value, entries)


def _add(key: str, edges: tuple[Any, Any], unit: dict[str, Any], entries: Entries) -> None:
    lo = float("-inf") if edges[0] is None else float(edges[0])
    hi = float("inf") if edges[1] is None else float(edges[1])
    units = [unit[name] for name in ("code", "unit", "currency") if name in unit]
    system = _CURRENCIES if "currency" in unit else unit.get("system", "")
    entries.span(key, {"lo": lo, "hi": hi, "unit": list(dict.fromkeys(units)), "system": system})
    entries.add(key, sortable(lo))
    entries.add(key, sortable(hi))
    scale = ucum.unit(unit.get("code", "")) if system == ucum.SYSTEM else None
    if scale is not None:
        _add_canonical(key, edges, scale, entries)


def _add_canonical(key: str, edges: tuple[Any, Any], scale: ucum.Unit, entries: Entries) -> None:
    # Where a span has no edge, and where its number is beyond all measure, there is nothing to convert.
    low, high = (None if edge is None or abs(Decimal(edge).adjusted()) > 300 else Fraction(edge) for edge in edges)
    lo = float("-inf") if low is None else scale.canonical(low)
    hi = float("inf") if high is None else scale.canonical(high)
    entries.span(f"{key}~", {"lo": lo, "hi": hi, "unit": scale.base})
    entries.add(f"{key}~", scale.base, sortable(lo))
    entries.add(f"{key}~", scale.base, sortable(hi))


def parse(parameter: Parameter, text: str, modifier: str) -> Choice:
    number, *unit_asked = [plain(part) for part in split(text, "|")]
    system, unit = _unit(unit_asked, parameter.code)
    prefix, wanted = split_prefix(number)
    asked = around(prefix, number_of(wanted, parameter.code))
    scale = ucum.unit(unit) if unit and system == ucum.SYSTEM else None
    if scale is not None:
        return _canonical(f"{parameter.key}~", prefix, asked, scale)
    lo, hi = float(asked[0]), float(asked[1])
    start, stop = keys(f"{parameter.key}:", prefix, lo, hi)
    span = COMPARISONS[prefix].span(parameter.key, lo, hi)
    return Choice(start, stop, span=replace(span, unit=unit, system=system))


def _unit(asked: list[str], code: str) -> tuple[str | None, str | None]:
    """System and code; each may be left open."""
    if len(asked) > 2:
        raise BadRequest(f"'{code}' needs number, number|system|code or number||unit")
    system, unit = [*asked, "", ""][:2]
    return system or None, unit or None


def _canonical(key: str, prefix: str, asked: tuple[Decimal, Decimal], scale: ucum.Unit) -> Choice:
    lo, hi = (scale.canonical(Fraction(edge)) for edge in asked)
    start, stop = keys(f"{key}:{scale.base}{UNIT}", prefix, lo, hi)
    return Choice(start, stop, span=replace(COMPARISONS[prefix].span(key, lo, hi), unit=scale.base))


def rank(parameter: Parameter, modifier: str) -> int:
    return 6
