"""Quantities in expressions: a value with a UCUM unit or a word of the calendar.

https://hl7.org/fhirpath/N1/#quantity, https://hl7.org/fhirpath/N1/#time-valued-quantities
"""

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from fhir_gateway.fhir import ucum

_WORDS = ("year", "month", "week", "day", "hour", "minute", "second", "millisecond")
CALENDAR = {f"{word}{ending}": word for word in _WORDS for ending in ("", "s")}
_UCUM = {"week": "wk", "day": "d", "hour": "h", "minute": "min", "second": "s", "millisecond": "ms"}
_WORD_OF = {code: word for word, code in _UCUM.items()}
_TEXT = re.compile(rf"([+-]?\d+(?:\.\d+)?)(?:\s+(?:'([^']+)'|({'|'.join(CALENDAR)})))?")


@dataclass(frozen=True, slots=True)
class Amount:
    """``unit`` is a UCUM code, or where ``is_calendar`` a word such as ``month``."""

    value: Decimal
    unit: str = "1"
    is_calendar: bool = False

    def __str__(self) -> str:
        word = self.unit if self.value == 1 or not self.is_calendar else f"{self.unit}s"
        return f"{self.value} {word}" if self.is_calendar else f"{self.value} '{self.unit}'"

    @property
    def word(self) -> str:
        """The calendar word by which a date can be moved; empty when there is none, as of months and years in UCUM."""
        return self.unit if self.is_calendar else CALENDAR.get(self.unit, _WORD_OF.get(self.unit, ""))


def amount(text: str) -> Amount | None:
    """What a text says as a quantity: ``1 day``, ``1 'mg'``, ``1``; None when it says none."""
    match = _TEXT.fullmatch(text)
    if match is None:
        return None
    if match[3]:
        return Amount(Decimal(match[1]), CALENDAR[match[3]], is_calendar=True)
    return Amount(Decimal(match[1]), match[2] or "1")


def compare(one: Amount, other: Amount) -> int | None:
    """-1, 0 or 1; None where no scale holds both, as of a month and a ``mo``."""
    if (one.unit, one.is_calendar) == (other.unit, other.is_calendar):
        return _order(Fraction(one.value), Fraction(other.value))
    left, right = _on_scale(one), _on_scale(other)
    if left is None or right is None or left[1] != right[1]:
        return None
    return _order(left[0], right[0])


def _order(left: Fraction, right: Fraction) -> int:
    return (left > right) - (left < right)


def _on_scale(one: Amount) -> tuple[Fraction, str] | None:
    if one.is_calendar and one.unit in ("year", "month"):
        return Fraction(one.value) * (12 if one.unit == "year" else 1), "calendar"
    unit = ucum.unit(_UCUM[one.unit] if one.is_calendar else one.unit)
    return (Fraction(one.value) * unit.scale + unit.offset, unit.base) if unit else None


def multiplied(one: Amount, other: Amount, *, divided: bool = False) -> Amount | None:
    """The product, or the quotient, in the product of the units; None for a quotient by nothing."""
    left, right = (f"({each.unit})" for each in (one, other))
    if divided:
        return replace(one, value=one.value / other.value, unit=f"{left}/{right}") if other.value else None
    return replace(one, value=one.value * other.value, unit=f"{left}.{right}")
