"""Whether one record that is at hand meets a condition of a search: read here instead of in the database.

https://www.mongodb.com/docs/manual/reference/operator/query/
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Record = Mapping[str, Any]

_NOTHING = object()


def readable(condition: Mapping[str, Any]) -> bool:
    """Whether everything in the condition is understood here."""
    for name, wanted in condition.items():
        if name in _BRANCHES:
            if not all(map(readable, wanted)):
                return False
        elif name.startswith("$") or (isinstance(wanted, Mapping) and not wanted.keys() <= _OPERATORS.keys()):
            return False
    return True


def meets(found: Record, condition: Mapping[str, Any]) -> bool:
    """Whether the record is one that a ``$match`` of the condition lets through."""
    return all(_BRANCHES[name](found, wanted) if name in _BRANCHES else _field(found, name, wanted)
               for name, wanted in condition.items())  # fmt: skip


_BRANCHES: dict[str, Callable[[Record, Any], bool]] = {
    "$or": lambda found, wanted: any(meets(found, one) for one in wanted),
    "$and": lambda found, wanted: all(meets(found, one) for one in wanted),
    "$nor": lambda found, wanted: not any(meets(found, one) for one in wanted),
}


def _field(found: Record, path: str, wanted: Any) -> bool:
    value = _at(found, path)
    if not isinstance(wanted, Mapping):
        return any(one == wanted for one in _each(value))
    return all(_OPERATORS[operator](value, operand) for operator, operand in wanted.items())


def _at(found: Record, path: str) -> Any:
    """The value at a dotted path; a parameter's own code may hold no dot."""
    name, _, rest = path.partition(".")
    value = found.get(name, _NOTHING)
    return _at(value, rest) if rest and isinstance(value, Mapping) else _NOTHING if rest else value


def _each(value: Any) -> Sequence[Any]:
    if value is _NOTHING:
        return ()
    return value if isinstance(value, list | tuple) else (value,)


def _compared(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """As the database compares: values of different kinds are neither more nor less; an array by any of its values."""

    def some(value: Any, operand: Any) -> bool:
        return any(_same_kind(one, operand) and test(one, operand) for one in _each(value))

    return some


def _same_kind(one: Any, other: Any) -> bool:
    return type(one) is type(other) or (isinstance(one, int | float) and isinstance(other, int | float))


def _element(value: Any, wanted: Mapping[str, Any]) -> bool:
    """One element meets all of it: as a document by its fields, as a plain value by the operators."""
    if any(name in _OPERATORS for name in wanted):
        return any(all(_OPERATORS[name]([one], operand) for name, operand in wanted.items()) for one in _each(value))
    return any(isinstance(one, Mapping) and meets(one, wanted) for one in _each(value))


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": lambda value, operand: any(one == operand for one in _each(value)),
    "$ne": lambda value, operand: not any(one == operand for one in _each(value)),
    "$in": lambda value, operand: any(one in operand for one in _each(value)),
    "$nin": lambda value, operand: not any(one in operand for one in _each(value)),
    "$gt": _compared(lambda one, other: bool(one > other)),
    "$gte": _compared(lambda one, other: bool(one >= other)),
    "$lt": _compared(lambda one, other: bool(one < other)),
    "$lte": _compared(lambda one, other: bool(one <= other)),
    "$exists": lambda value, operand: (value is not _NOTHING) == operand,
    "$not": lambda value, operand: not all(_OPERATORS[name](value, one) for name, one in operand.items()),
    "$regex": lambda value, operand: any(isinstance(one, str) and re.search(operand, one) for one in _each(value)),
    "$elemMatch": _element,
}
