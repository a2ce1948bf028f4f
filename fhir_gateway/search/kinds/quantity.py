"""Quantity search: ``number|system|code``, ``number||unit`` or the number alone.

https://hl7.org/fhir/R4/search.html#quantity

Keys as for numbers; units are an exact check, for a unit alone selects next to nothing. Units are compared as they
are written, not converted.
"""

from dataclasses import replace
from typing import Any

from fhir_gateway.search.criteria import Choice
from fhir_gateway.search.entries import Entries
from fhir_gateway.search.escape import plain, split
from fhir_gateway.search.kinds.number import COMPARISONS, keys, requested, sortable
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


def parse(parameter: Parameter, text: str, modifier: str) -> Choice:
    number, *rest = [plain(part) for part in split(text, "|")]
    prefix, wanted = split_prefix(number)
    lo, hi = requested(prefix, wanted, parameter.code)
    start, stop = keys(parameter.key, prefix, lo, hi)
    span = COMPARISONS[prefix].span(parameter.key, lo, hi)
    system, unit = (rest[0] or None, rest[1] or None) if len(rest) > 1 else (None, None)
    return Choice(start, stop, span=replace(span, unit=unit, system=system))


def rank(parameter: Parameter, modifier: str) -> int:
    return 6
