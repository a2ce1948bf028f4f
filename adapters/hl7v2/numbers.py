"""Numbers as laboratories write them: the decimals kept, comparators apart, nothing guessed.

https://hl7.org/fhir/R4/datatypes.html#Quantity
"""

import re
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache

from adapters.contract import Coding, Resource
from adapters.hl7v2.codes import table

UCUM = "http://unitsofmeasure.org"
_COMPARATORS = {"<": "<", ">": ">", "<=": "<=", ">=": ">=", "≤": "<=", "≥": ">=", "=<": "<=", "=>": ">="}
_NUMBER = re.compile(
    r"(?P<comparator><=|>=|=<|=>|[<>≤≥])?\s*(?P<sign>[+-]?)(?P<digits>\d+(?:[.,]\d*)?|[.,]\d+)", re.ASCII
)
# 1,234 may be one and a quarter or a thousand: only a comma that cannot part thousands is a decimal comma.
_THOUSANDS = re.compile(r"[1-9]\d{0,2},\d{3}", re.ASCII)
_POSITIVE = re.compile(r"0{0,9}[1-9]\d{0,8}", re.ASCII)
_RANGE = re.compile(r"\[?\s*(-?\d+(?:\.\d+)?)\s*(?:-|–|~)\s*(-?\d+(?:\.\d+)?)\s*\]?", re.ASCII)
# An annotation in braces is a UCUM unit by itself, the unity: {Ratio}, {score}.
_ANNOTATION = re.compile(r"\{[!-z|~]+\}", re.ASCII)
_LIMIT = re.compile(r"\[?\s*(<=|>=|[<>≤≥])\s*(-?\d+(?:\.\d+)?)\s*\]?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Number:
    """A number read from text; ``comma`` says that its decimal sign was a comma."""

    value: Decimal
    comparator: str = ""
    comma: bool = False


@lru_cache(maxsize=4096)
def number(text: str) -> Number | None:
    """The number, or None when the text is none or may be read in two ways."""
    found = _NUMBER.fullmatch(text.strip())
    if not found or _THOUSANDS.fullmatch(found["digits"]):
        return None
    digits = found["digits"].replace(",", ".").removesuffix(".")
    sign = "-" if found["sign"] == "-" else ""
    return Number(Decimal(sign + digits), _COMPARATORS.get(found["comparator"] or "", ""), "," in found["digits"])


def positive(text: str) -> int | None:
    """A whole number above zero that fits FHIR's 32 bits, or None."""
    return int(text) if _POSITIVE.fullmatch(text) else None


def quantity(read: Number, unit: Resource) -> Resource:
    if not read.comparator:
        return {"value": read.value, **unit}
    return {"value": read.value, "comparator": read.comparator, **unit}


def unit_of(text: str) -> Resource:
    """The unit as written, with its UCUM code where the table has one."""
    if not text:
        return {}
    row = table("units").get(text) or _folded_units().get(text.casefold())
    code = row.code if row else text if _ANNOTATION.fullmatch(text) else ""
    return {"unit": text, "system": UCUM, "code": code} if code else {"unit": text}


def reference_range(text: str, unit: Resource) -> Resource:
    """The range as text, and as low and high where it reads as numbers."""
    bounds = {side: {"value": bound, **unit} for side, bound in _bounds(text.strip())}
    return {**bounds, "text": text}


@lru_cache(maxsize=1024)
def _bounds(text: str) -> tuple[tuple[str, Decimal], ...]:
    """Low and high, or the one of them that is a limit; kept, as a laboratory has as many ranges as analytes."""
    between, limit = _RANGE.fullmatch(text), _LIMIT.fullmatch(text)
    if between and Decimal(between[1]) <= Decimal(between[2]):
        return ("low", Decimal(between[1])), ("high", Decimal(between[2]))
    if limit:
        return (("high" if limit[1] in ("<", "<=", "≤") else "low", Decimal(limit[2])),)
    return ()


@cache
def _folded_units() -> dict[str, Coding]:
    """The unit table by case-folded text, without the units that folding would confuse (mmol/L and Mmol/L)."""
    counts = Counter(source.casefold() for source in table("units"))
    return {source.casefold(): row for source, row in table("units").items() if counts[source.casefold()] == 1}
