"""Amounts in cells: exact, with their comparator; what could be read in two ways stays text.

https://hl7.org/fhir/R4/datatypes.html#Quantity
"""

import csv
import re
from decimal import Decimal
from importlib.resources import files

from adapters.contract import Resource

UCUM = "http://unitsofmeasure.org"
_AMOUNT = re.compile(r"(<=|>=|<|>|≤|≥)?\s*([+-]?\d+)(?:([.,])(\d+))?")
_GROUPED = re.compile(r"(<=|>=|<|>|≤|≥)?\s*([+-]?\d{1,3}(?:\.\d{3})+)(?:,(\d+))?")
_SIGNS = {"≤": "<=", "≥": ">="}


def _units() -> dict[str, str]:
    text = files("adapters.tabular").joinpath("codes/units.csv").read_text(encoding="utf-8")
    return {row["unit"]: row["ucum"] for row in csv.DictReader(text.splitlines())}


UNITS = _units()


def amount(text: str, comma: bool) -> tuple[str, Decimal] | None:
    """Comparator and number; ``comma`` says that the hospital's file names it the decimal sign.

    Without that ``5,4`` is 5.4, but ``1,234`` could be thousands and is not read.
    """
    grouped = _GROUPED.fullmatch(text) if comma else None
    if grouped:
        sign, whole, rest = grouped[1] or "", grouped[2].replace(".", ""), grouped[3] or ""
        return _SIGNS.get(sign, sign), _decimal(whole, rest)
    found = _AMOUNT.fullmatch(text)
    if found is None:
        return None
    sign, whole, point, rest = found[1] or "", found[2], found[3] or "", found[4] or ""
    if point == "," and not comma and len(rest) == 3 and whole.lstrip("+-") != "0":
        return None
    return _SIGNS.get(sign, sign), _decimal(whole, rest)


def _decimal(whole: str, rest: str) -> Decimal:
    minus = "-" if whole.startswith("-") else ""
    digits = whole.lstrip("+-").lstrip("0") or "0"
    return Decimal(f"{minus}{digits}.{rest}" if rest else f"{minus}{digits}")


def quantity(found: tuple[str, Decimal], unit: str) -> Resource:
    """The number with the unit as written and, where the table has it, its UCUM code."""
    comparator, value = found
    made: Resource = {"value": value, "comparator": comparator, "unit": unit}
    code = UNITS.get(unit)
    return {**made, "system": UCUM, "code": code} if code else made
