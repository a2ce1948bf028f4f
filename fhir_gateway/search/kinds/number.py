"""Number search: as exact as it is written, ``7.2`` means 7.15 up to 7.25; with a comparison, exactly the number.

https://hl7.org/fhir/R4/search.html#number

Keys are ``parameter:sortable␟``, where sortable is the number's 64 bits put in order.
"""

import re
from decimal import Decimal
from struct import pack, unpack
from typing import Any

from fhir_gateway.problem import BadRequest
from fhir_gateway.search.criteria import END, Choice
from fhir_gateway.search.entries import Entries
from fhir_gateway.search.escape import plain
from fhir_gateway.search.kinds.prefix import Comparison, split_prefix
from fhir_gateway.search.registry import Parameter

MODIFIERS: frozenset[str] = frozenset()

COMPARISONS = {
    "eq": Comparison("lo gte lo, hi lt hi"),
    "ne": Comparison("lo lt lo", "hi gte hi"),
    "gt": Comparison("hi gt hi"),
    "ge": Comparison("hi gte hi"),
    "lt": Comparison("lo lt lo"),
    "le": Comparison("lo lte lo"),
    "sa": Comparison("lo gt hi"),
    "eb": Comparison("hi lt lo"),
    "ap": Comparison("lo lte hi, hi gte lo"),
}
"""Edge of the record's span, operator, edge of the request's; a record's number is a point, a Range has two edges."""

_NUMBER = re.compile(r"^[+-]?\d{1,40}(\.\d{0,40})?([eE][+-]?\d{1,2})?$|^[+-]?\.\d{1,40}$", re.ASCII)


def sortable(number: float) -> str:
    """Sixteen hexadecimal digits that sort as the numbers do."""
    bits: int = unpack(">Q", pack(">d", number + 0.0))[0]
    return f"{bits ^ (0xFFFFFFFFFFFFFFFF if bits >> 63 else 1 << 63):016x}"


def index(key: str, value: Any, entries: Entries) -> None:
    if not isinstance(value, dict):
        number = float(value)
        entries.span(key, {"lo": number, "hi": number})
        entries.add(key, sortable(number))


def parse(parameter: Parameter, text: str, modifier: str) -> Choice:
    prefix, wanted = split_prefix(plain(text))
    lo, hi = requested(prefix, wanted, parameter.code)
    start, stop = keys(f"{parameter.key}:", prefix, lo, hi)
    return Choice(start, stop, span=COMPARISONS[prefix].span(parameter.key, lo, hi))


def requested(prefix: str, text: str, code: str) -> tuple[float, float]:
    """The edges of what the number stands for."""
    lo, hi = around(prefix, number_of(text, code))
    return float(lo), float(hi)


def number_of(text: str, code: str) -> Decimal:
    if not _NUMBER.match(text):
        raise BadRequest(f"'{code}' needs a number, such as 5.4, ge100 or 1e-3")
    return Decimal(text)


def around(prefix: str, number: Decimal) -> tuple[Decimal, Decimal]:
    """What the number stands for: its rounding interval for ``eq`` and ``ne``, a tenth around it for ``ap``."""
    if prefix in ("eq", "ne"):
        half = Decimal((0, (5,), int(number.as_tuple().exponent) - 1))
    else:
        half = abs(number) / 10 if prefix == "ap" else Decimal(0)
    return number - half, number + half


def keys(start: str, prefix: str, lo: float, hi: float) -> tuple[str, str]:
    """The interval, among keys that begin with ``start``, that holds every match."""
    first, last = start, f"{start}{END}"
    if prefix in ("eq", "gt", "ge", "sa"):
        first = f"{start}{sortable(lo)}"
    if prefix in ("eq", "lt", "le", "eb", "ap"):
        last = f"{start}{sortable(hi)}{END}"
    return first, last


def rank(parameter: Parameter, modifier: str) -> int:
    return 6
