"""The operators: alike, before, and, plus; each gives nothing where one side has nothing.

https://hl7.org/fhirpath/N1/#operations
"""

from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from fhir_gateway.fhir.expression import amounts, moments
from fhir_gateway.fhir.expression.amounts import Amount
from fhir_gateway.fhir.expression.items import Item, lineage, made, simple, text
from fhir_gateway.fhir.expression.moments import Moment
from fhir_gateway.fhir.expression.syntax import NotFhirPath

Collection = list[Item]


def single(items: Sequence[Item]) -> Item | None:
    """The one item; None when there is none. NotFhirPath when there are several."""
    if len(items) > 1:
        raise NotFhirPath("one value is expected, several are there")
    return items[0] if items else None


def truth(items: Sequence[Item]) -> bool | None:
    """What a collection says where true or false is expected: a single value of another type is true."""
    item = single(items)
    if item is None:
        return None
    value = simple(item)
    return value if isinstance(value, bool) else True


def said(value: bool | None) -> Collection:
    return [] if value is None else [made(value)]


def equal(one: Item, other: Item) -> bool | None:
    """None where it cannot be said: moments of unlike precision, amounts without a scale for both."""
    left, right = simple(one), simple(other)
    if isinstance(left, Moment) or isinstance(right, Moment):
        return _equal_moments(left, right)
    if isinstance(left, Amount) and isinstance(right, Amount):
        if isinstance(one.value, dict) and isinstance(other.value, dict):
            return bool(one.value == other.value)
        order = amounts.compare(left, right)
        return None if order is None else order == 0
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    return bool(left == right)


def _equal_moments(left: Any, right: Any) -> bool | None:
    if not (isinstance(left, Moment) and isinstance(right, Moment)):
        return False
    if (left.kind == "Time") != (right.kind == "Time"):
        return False
    order = moments.compare(left, right)
    return None if order is None else order == 0


def equals(left: Collection, right: Collection) -> bool | None:
    if not left or not right:
        return None
    if len(left) != len(right):
        return False
    found = [equal(one, other) for one, other in zip(left, right, strict=True)]
    return False if False in found else None if None in found else True


def equivalent(left: Collection, right: Collection) -> bool:
    """Alike in substance: in any order, without regard to case, white space and precision."""
    if len(left) != len(right):
        return False
    rest = list(right)
    for one in left:
        place = next((n for n, other in enumerate(rest) if _is_like(one, other)), None)
        if place is None:
            return False
        del rest[place]
    return True


def _is_like(one: Item, other: Item) -> bool:
    left, right = simple(one), simple(other)
    if isinstance(left, Moment) or isinstance(right, Moment):
        return equal(one, other) is True
    if isinstance(left, Amount) and isinstance(right, Amount):
        return _like_amounts(left, right)
    return _like(left, right)


def _like_amounts(left: Amount, right: Amount) -> bool:
    order = amounts.compare(left, right)
    if order is None:
        same = {"mo": "month", "a": "year"}
        return _like(left.value, right.value) and same.get(left.unit, left.unit) == same.get(right.unit, right.unit)
    return order == 0


def _like(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, str) and isinstance(right, str):
        return " ".join(left.split()).casefold() == " ".join(right.split()).casefold()
    if isinstance(left, int | Decimal) and isinstance(right, int | Decimal):
        step = Decimal(1).scaleb(-min(_places(left), _places(right)))
        return Decimal(left).quantize(step, ROUND_HALF_UP) == Decimal(right).quantize(step, ROUND_HALF_UP)
    if isinstance(left, dict) and isinstance(right, dict):
        names = (left.keys() | right.keys()) - {"id"}
        return all(name in left and name in right and _like(left[name], right[name]) for name in names)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(any(_like(a, b) for b in right) for a in left)
    return bool(left == right)


def _places(value: int | Decimal) -> int:
    exponent = Decimal(value).as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def order(left: Item, right: Item) -> int | None:
    """-1, 0 or 1; None where it cannot be said. NotFhirPath for types that have no order among them."""
    one, other = simple(left), simple(right)
    if one is None or other is None:
        return None
    if isinstance(one, Moment) and isinstance(other, Moment) and (one.kind == "Time") == (other.kind == "Time"):
        return moments.compare(one, other)
    if isinstance(one, Amount) and isinstance(other, Amount):
        return amounts.compare(one, other)
    if _are_numbers(one, other) or (isinstance(one, str) and isinstance(other, str)):
        return int((one > other) - (one < other))
    raise NotFhirPath("values of these types have no order")


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, int | Decimal) and not isinstance(value, bool) for value in values)


def _plus(one: Any, other: Any) -> Any:
    if isinstance(one, Moment) and isinstance(other, Amount):
        return _later(one, other, 1)
    if isinstance(one, str) and isinstance(other, str):
        return one + other
    return _counted(one, other, lambda a, b: a + b)


def _minus(one: Any, other: Any) -> Any:
    if isinstance(one, Moment) and isinstance(other, Amount):
        return _later(one, other, -1)
    return _counted(one, other, lambda a, b: a - b)


def _later(one: Moment, by: Amount, sign: int) -> Moment | None:
    if not by.word:
        raise NotFhirPath("a date is moved by units of the calendar")
    return moments.added(one, by.value * sign, by.word)


def _counted(one: Any, other: Any, work: Callable[[Any, Any], Any]) -> Any:
    if isinstance(one, Amount) and isinstance(other, Amount) and one.unit == other.unit:
        return Amount(work(one.value, other.value), one.unit, one.is_calendar)
    if not _are_numbers(one, other):
        raise NotFhirPath("numbers are expected")
    return work(one, other)


def _times(one: Any, other: Any) -> Any:
    if isinstance(one, Amount) or isinstance(other, Amount):
        return amounts.multiplied(_measured(one), _measured(other))
    return _counted(one, other, lambda a, b: a * b)


def _over(one: Any, other: Any) -> Any:
    if isinstance(one, Amount) or isinstance(other, Amount):
        return amounts.multiplied(_measured(one), _measured(other), divided=True)
    return _counted(one, other, lambda a, b: Decimal(a) / Decimal(b) if b else None)


def _measured(value: Any) -> Amount:
    if isinstance(value, Amount):
        return value
    if not _are_numbers(value):
        raise NotFhirPath("numbers are expected")
    return Amount(Decimal(value))


def _div(one: Any, other: Any) -> Any:
    return _counted(one, other, lambda a, b: int(Decimal(a) / Decimal(b)) if b else None)


def _mod(one: Any, other: Any) -> Any:
    """The rest with the sign of the first number."""
    return _counted(one, other, lambda a, b: _rest(a, b) if b else None)


def _rest(one: int | Decimal, other: int | Decimal) -> int | Decimal:
    found = Decimal(one) % Decimal(other)
    return int(found) if isinstance(one, int) and isinstance(other, int) else found


_SUMS: dict[str, Callable[[Any, Any], Any]] = {
    "+": _plus,
    "-": _minus,
    "*": _times,
    "/": _over,
    "div": _div,
    "mod": _mod,
}


def summed(sign: str, left: Collection, right: Collection) -> Collection:
    one, other = single(left), single(right)
    if one is None or other is None or simple(one) is None or simple(other) is None:
        return []
    try:
        found = _SUMS[sign](simple(one), simple(other))
    except (InvalidOperation, OverflowError) as error:
        raise NotFhirPath("not a number") from error
    return [] if found is None else [made(found)]


def joined(left: Collection, right: Collection) -> Collection:
    """``&``: nothing counts as the empty text."""
    found = [text(one) if one else "" for one in (single(left), single(right))]
    if None in found:
        raise NotFhirPath("texts are expected")
    return [made("".join(part or "" for part in found))]


def compared(sign: str, left: Collection, right: Collection) -> Collection:
    one, other = single(left), single(right)
    found = order(one, other) if one and other else None
    if found is None:
        return []
    return [made({"<": found < 0, ">": found > 0, "<=": found <= 0, ">=": found >= 0}[sign])]


def implied(left: bool | None, right: bool | None) -> bool | None:
    if left is False or right is True:
        return True
    return right if left is True else None


def both(left: bool | None, right: bool | None) -> bool | None:
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def either(left: bool | None, right: bool | None) -> bool | None:
    if left is True or right is True:
        return True
    return None if left is None or right is None else False


def unlike(left: bool | None, right: bool | None) -> bool | None:
    return None if left is None or right is None else left != right


TRUTHS = {"and": both, "or": either, "xor": unlike, "implies": implied}


def distinct(items: Sequence[Item]) -> Collection:
    """Each value once, in the order in which they first come."""
    seen: dict[Any, list[Item]] = {}
    found: Collection = []
    for item in items:
        alike = seen.setdefault(_bucket(item), [])
        if not any(equal(item, one) is True for one in alike):
            alike.append(item)
            found.append(item)
    return found


def _bucket(item: Item) -> Any:
    """Equal items are in one bucket: by their text where they have one, but numbers and moments together."""
    value = simple(item)
    if isinstance(value, str):
        return value
    return "object" if isinstance(value, dict) and "Quantity" not in lineage(item.kind) else "other"
