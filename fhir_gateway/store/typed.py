"""Search keys as they lie in the database: behind the type of their record, so that one short index holds those of all.

https://www.mongodb.com/docs/manual/core/indexes/index-types/index-multikey/multikey-index-bounds/

An interval of keys is then the first field of its index, where every server reads it from end to end, and a type of its
own is in no statement.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from fhir_gateway.search.criteria import Choice, Circle, Composite, Condition, Near, Together
from fhir_gateway.search.pending import Question


def typed(type_: str, key: str) -> str:
    """The key of a record of the type."""
    return f"{type_}/{key}"


def untyped(key: str) -> str:
    return key.partition("/")[2]


def with_type(type_: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Search fields of a record of the type, as ``search.extract`` gives them, with its keys as they lie."""
    if "keys" not in fields:
        return {**fields}
    start = typed(type_, "")
    return {**fields, "keys": [start + key for key in fields["keys"]]}


def without_type(document: dict[str, Any]) -> dict[str, Any]:
    """The record with its keys as ``search.extract`` gave them."""
    return {**document, "keys": [*map(untyped, document.get("keys", ()))]}


def asked_of(type_: str, criterion: Question) -> Question:
    """The criterion, asked of keys as they lie."""
    match criterion:
        case Condition():
            return _condition(type_, criterion)
        case Composite():
            narrow = tuple(_condition(type_, one) for one in criterion.narrow)
            return replace(criterion, narrow=narrow, choices=tuple(_together(type_, one) for one in criterion.choices))
        case Near():
            return replace(criterion, circles=tuple(_circle(type_, one) for one in criterion.circles))
    return criterion


def _condition(type_: str, condition: Condition) -> Condition:
    return replace(condition, choices=_choices(type_, condition.choices))


def _choices(type_: str, choices: Iterable[Choice]) -> tuple[Choice, ...]:
    return tuple(one.behind(typed(type_, "")) for one in choices)


def _together(type_: str, choice: Together) -> Together:
    """What one element holds lies apart from the keys of the record, and without a type."""
    return choice if choice.key else replace(choice, parts=_choices(type_, choice.parts))


def _circle(type_: str, circle: Circle) -> Circle:
    return replace(circle, start=typed(type_, circle.start), stop=typed(type_, circle.stop))
