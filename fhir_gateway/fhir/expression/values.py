"""Functions about single values: texts, numbers, what converts to what, the time now.

https://hl7.org/fhirpath/N1/#conversion, https://hl7.org/fhirpath/N1/#string-manipulation, https://hl7.org/fhirpath/N1/#math
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

from fhir_gateway.fhir import pattern
from fhir_gateway.fhir.expression.amounts import Amount, amount
from fhir_gateway.fhir.expression.evaluation import Asked
from fhir_gateway.fhir.expression.items import Item, made, simple, text
from fhir_gateway.fhir.expression.moments import Moment, moment
from fhir_gateway.fhir.expression.operators import Collection, single
from fhir_gateway.fhir.expression.syntax import NotFhirPath

Function = Callable[[Asked], Collection]

LONGEST = 2**20
_WHOLE = re.compile(r"[+-]?\d{1,18}")
_DECIMAL = re.compile(r"[+-]?\d{1,30}(?:\.\d{1,30})?")
_DOT = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\.", re.DOTALL)
_TRUTHS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1", "1.0"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0", "0.0"), False),
}


def _to_boolean(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | Decimal):
        return bool(value) if value in (0, 1) else None
    return _TRUTHS.get(value.lower()) if isinstance(value, str) else None


def _to_integer(value: Any) -> int | None:
    if isinstance(value, bool | int):
        return int(value)
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else None


def _to_decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool | int | Decimal):
        return Decimal(value)
    return Decimal(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else None


def _to_quantity(value: Any) -> Amount | None:
    if isinstance(value, Amount):
        return value
    if isinstance(value, bool | int | Decimal):
        return Amount(Decimal(value))
    return amount(value) if isinstance(value, str) else None


def _to_moment(kind: str) -> Callable[[Any], Moment | None]:
    def convert(value: Any) -> Moment | None:
        if isinstance(value, Moment):
            if value.kind == kind:
                return value
            if "Time" in (value.kind, kind):
                return None
            return Moment(kind, value.parts[:3]) if kind == "Date" else Moment(kind, value.parts, value.zone)
        return moment(value, kind) if isinstance(value, str) else None

    return convert


def _text_of(item: Item) -> str | None:
    return text(item)


_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "Boolean": _to_boolean,
    "Integer": _to_integer,
    "Decimal": _to_decimal,
    "Quantity": _to_quantity,
    "Date": _to_moment("Date"),
    "DateTime": _to_moment("DateTime"),
    "Time": _to_moment("Time"),
}


def _converted(name: str, asked: Asked) -> Any:
    item = single(asked.takes(0, 1).focus)
    if item is None:
        return None
    return _text_of(item) if name == "String" else _CONVERSIONS[name](simple(item))


def _to(name: str) -> Function:
    def function(asked: Asked) -> Collection:
        found = _converted(name, asked)
        return [] if found is None else [made(found)]

    return function


def _converts(name: str) -> Function:
    return lambda asked: [made(_converted(name, asked) is not None)] if asked.focus else []


def _subject(asked: Asked) -> str | None:
    item = single(asked.focus)
    return _string(asked, item)


def _string(asked: Asked, item: Item | None) -> str | None:
    value = simple(item) if item else None
    if value is not None and not isinstance(value, str):
        found = text(item) if item and isinstance(value, Moment) else None
        if found is None:
            raise NotFhirPath(f"{asked.name}() takes texts")
        return found
    return value


def _texts(work: Callable[..., Any], least: int, most: int | None = None) -> Function:
    """A function of a text and of texts; nothing where one of them is not there."""

    def function(asked: Asked) -> Collection:
        asked.takes(least, most)
        given = [_subject(asked), *(_string(asked, single(asked.values(n))) for n in range(len(asked.arguments)))]
        if None in given:
            return []
        found = work(*given)
        return found if isinstance(found, list) else [] if found is None else [made(found)]

    return function


def _substring(asked: Asked) -> Collection:
    asked.takes(1, 2)
    value = _subject(asked)
    numbers = [simple(item) for n in range(len(asked.arguments)) if (item := single(asked.values(n)))]
    if value is None or not numbers:
        return []
    if not all(isinstance(number, int) and not isinstance(number, bool) for number in numbers):
        raise NotFhirPath("substring() takes whole numbers")
    start = numbers[0]
    if not 0 <= start < len(value):
        return []
    return [made(value[start : start + max(numbers[1], 0)] if len(numbers) > 1 else value[start:])]


def _replace(value: str, sought: str, put: str) -> str:
    if len(value) * (len(put) + 1) > LONGEST:
        raise NotFhirPath("the text becomes too long")
    return value.replace(sought, put)


def _single_line(regex: str) -> str:
    """The expression with dots that match line ends too, which the engine has no flag for."""
    return _DOT.sub(lambda found: "[\\s\\S]" if found[0] == "." else found[0], regex)


def _join(asked: Asked) -> Collection:
    separator = _string(asked, single(asked.takes(0, 1).values(0))) if asked.arguments else ""
    parts = [_string(asked, item) for item in asked.focus]
    return [made((separator or "").join(part or "" for part in parts))] if parts else []


def _numeric(work: Callable[[Any], Any]) -> Function:
    """A function of a number."""

    def function(asked: Asked) -> Collection:
        return _worked(asked.takes(0), work)

    return function


def _worked(asked: Asked, work: Callable[[Any], Any]) -> Collection:
    item = single(asked.focus)
    value = simple(item) if item else None
    if value is None:
        return []
    if isinstance(value, bool) or not isinstance(value, int | Decimal | Amount):
        raise NotFhirPath(f"{asked.name}() takes a number")
    try:
        found = work(value)
    except (ValueError, OverflowError, ArithmeticError):
        return []
    return [] if found is None else [made(found)]


def _abs(value: Any) -> Any:
    if isinstance(value, Amount):
        return Amount(abs(value.value), value.unit, value.is_calendar)
    return abs(value)


def _real(value: float) -> Decimal:
    return Decimal(str(value))


def _argument(asked: Asked) -> Decimal:
    item = single(asked.values(0))
    value = simple(item) if item else None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise NotFhirPath(f"{asked.name}() takes a number")
    return Decimal(value)


def _power(asked: Asked) -> Collection:
    if not asked.takes(1).values(0):
        return []
    exponent = _argument(asked)

    def work(value: Any) -> Any:
        if abs(exponent) > 1000 or abs(value) > 10**9:
            return None
        if isinstance(value, int) and exponent == int(exponent) >= 0:
            return value ** int(exponent) if value.bit_length() * int(exponent) < 4096 else None
        return _real(math.pow(value, exponent))

    return _worked(asked, work)


def _round(asked: Asked) -> Collection:
    places = int(_argument(asked)) if asked.takes(0, 1).arguments else 0
    if not 0 <= places <= 28:
        raise NotFhirPath("round() takes a number of digits")
    return _worked(asked, lambda value: Decimal(value).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP))


def _log(asked: Asked) -> Collection:
    if not asked.takes(1).values(0):
        return []
    return _worked(asked, lambda value: _real(math.log(value, _argument(asked))))


def _whole(rounding: str) -> Function:
    return _numeric(lambda value: int(Decimal(value).to_integral_value(rounding)))


def _now(kind: str) -> Function:
    def function(asked: Asked) -> Collection:
        asked.takes(0)
        said = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        part = {"Date": said[:10], "Time": f"T{said[11:23]}", "DateTime": said}[kind]
        found = moment(part, kind)
        return [made(found)] if found else []

    return function


FUNCTIONS: dict[str, Function] = {
    **{f"to{name}": _to(name) for name in (*_CONVERSIONS, "String")},
    **{f"convertsTo{name}": _converts(name) for name in (*_CONVERSIONS, "String")},
    "indexOf": _texts(lambda value, sought: value.find(sought), 1),
    "lastIndexOf": _texts(lambda value, sought: value.rfind(sought), 1),
    "substring": _substring,
    "startsWith": _texts(lambda value, sought: value.startswith(sought), 1),
    "endsWith": _texts(lambda value, sought: value.endswith(sought), 1),
    "contains": _texts(lambda value, sought: sought in value, 1),
    "upper": _texts(str.upper, 0),
    "lower": _texts(str.lower, 0),
    "trim": _texts(str.strip, 0),
    "length": _texts(len, 0),
    "replace": _texts(_replace, 2),
    "matches": _texts(lambda value, regex: pattern.matches(_single_line(regex), value), 1, 2),
    "matchesFull": _texts(lambda value, regex: pattern.matches_whole(_single_line(regex), value), 1, 2),
    "toChars": _texts(lambda value: [made(letter) for letter in value], 0),
    "split": _texts(lambda value, by: [made(part) for part in (value.split(by) if by else list(value))], 1),
    "join": _join,
    "abs": _numeric(_abs),
    "ceiling": _whole(ROUND_CEILING),
    "floor": _whole(ROUND_FLOOR),
    "truncate": _numeric(int),
    "exp": _numeric(lambda value: _real(math.exp(value))),
    "ln": _numeric(lambda value: _real(math.log(value))),
    "sqrt": _numeric(lambda value: _real(math.sqrt(value))),
    "log": _log,
    "power": _power,
    "round": _round,
    "now": _now("DateTime"),
    "today": _now("Date"),
    "timeOfDay": _now("Time"),
}
