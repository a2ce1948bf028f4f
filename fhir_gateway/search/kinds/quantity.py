"""Quantity search: ``number|system|code``, ``number|system``, ``number||unit`` or the number alone.

https://hl7.org/fhir/R4/search.html#quantity

Keys as for numbers, where a request names no unit. A value in a UCUM unit has a second key on the scale of its base
units, so that 5 mg is found by 0.005 g. Other units are an exact check, compared as they are written.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from math import inf, nextafter
from typing import Any

from fhir_gateway.fhir import ucum
from fhir_gateway.problem import BadRequest
from fhir_gateway.search.criteria import UNIT, Choice
from fhir_gateway.search.entries import Entries
from fhir_gateway.search.escape import plain, split
from fhir_gateway.search.kinds.number import COMPARISONS, around, keys, number_of, sortable
from fhir_gateway.search.kinds.prefix import split_prefix
from fhir_gateway.search.registry import Parameter

MODIFIERS: frozenset[str] = frozenset()

_CURRENCIES = "urn:iso:std:iso:4217"


@dataclass(frozen=True, slots=True)
class _Edges:
    """From ``low`` to ``high``, None where it is open; ``without`` the edges themselves."""

    low: Any
    high: Any
    without: bool = False

    def spread(self, measured: Callable[[Any], float]) -> tuple[float, float]:
        lo = -inf if self.low is None else measured(self.low)
        hi = inf if self.high is None else measured(self.high)
        if not self.without:
            return lo, hi
        return (lo if self.low is None else nextafter(lo, inf)), (hi if self.high is None else nextafter(hi, -inf))


def index(key: str, value: Any, entries: Entries) -> None:
    """A Quantity and its kin, Money, or a Range."""
    if type(value) is not dict:
        return
    if "low" in value or "high" in value:
        low, high = value.get("low", {}), value.get("high", {})
        _add(key, _Edges(low.get("value"), high.get("value")), low or high, entries)
    elif value.get("value") is not None:
        _add(key, _reach(value["value"], value.get("comparator")), value, entries)


def _reach(number: Any, comparator: str | None) -> _Edges:
    """``<0.3`` is all that is less: found by ``lt0.3``, not by ``0.3``."""
    low = None if comparator in ("<", "<=") else number
    high = None if comparator in (">", ">=") else number
    return _Edges(low, high, comparator in ("<", ">"))


def _add(key: str, edges: _Edges, unit: dict[str, Any], entries: Entries) -> None:
    lo, hi = edges.spread(float)
    units = [unit[name] for name in ("code", "unit", "currency") if name in unit]
    system = _CURRENCIES if "currency" in unit else unit.get("system", "")
    entries.span(key, {"lo": lo, "hi": hi, "unit": list(dict.fromkeys(units)), "system": system})
    entries.add(key, sortable(lo))
    entries.add(key, sortable(hi))
    scale = ucum.unit(unit.get("code", "")) if system == ucum.SYSTEM else None
    if scale is not None:
        _add_canonical(key, edges, scale, entries)


def _add_canonical(key: str, edges: _Edges, scale: ucum.Unit, entries: Entries) -> None:
    low, high = map(_exact, (edges.low, edges.high))
    lo, hi = _Edges(low, high, edges.without).spread(scale.canonical)
    entries.span(f"{key}~", {"lo": lo, "hi": hi, "unit": scale.base})
    entries.add(f"{key}~", scale.base, sortable(lo))
    entries.add(f"{key}~", scale.base, sortable(hi))


def _exact(edge: Any) -> Fraction | None:
    # Where a span has no edge, and where its number is beyond all measure, there is nothing to convert.
    return None if edge is None or abs(Decimal(edge).adjusted()) > 300 else Fraction(edge)


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
