"""Whether one version of a record meets a search: the search's own stages, read here instead of in the database.

https://hl7.org/fhir/R4/search.html

The database can only be asked about current versions; a notification is about the version that was written. So the
``$match`` stages that ``store.filter`` makes of a query are applied to the one record, and a query that makes anything
else (a chain, a list) is refused when it is subscribed to.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import NotSupported
from fhir_gateway.search.extract import index
from fhir_gateway.search.query import Query
from fhir_gateway.store.filter import stages
from fhir_gateway.store.port import Version

Record = Mapping[str, Any]

_ORDER = frozenset({"$sort", "$limit", "$project", "$set"})
_NOTHING = object()


def record(version: Version, resource: Resource | None = None) -> Record:
    """The version as a search sees it. Decodes the text unless the ``resource`` is at hand."""
    found = index(resource if resource is not None else decode_resource(version.body))
    own = {"_id": version.reference, "type": version.type, "id": version.id, "updated": version.updated}
    return {**found, **own, "deleted": False, "readers": list(version.readers)}


def watchable(query: Query) -> Query:
    """The query itself. Raises NotSupported for one that a single record cannot answer."""
    try:
        conditions = _conditions(query, None)
    except (KeyError, TypeError):
        # A kind of criterion that has no stages of its own: it is answered by other searches first.
        conditions = None
    if conditions is None or not all(map(_readable, conditions)) or query.includes or query.revincludes:
        raise NotSupported("a subscription's search must be about the record itself: no chain, no include", "criteria")
    return query


def matches(query: Query, found: Record, reader: str | None = None) -> bool:
    """Whether the record is one that the search would find for ``reader``."""
    return all(_meets(found, condition) for condition in _conditions(query, reader) or ())


@lru_cache(maxsize=4096)
def _conditions(query: Query, reader: str | None) -> tuple[Mapping[str, Any], ...] | None:
    found = []
    for stage in stages(query, reader):
        if "$match" in stage:
            found.append(stage["$match"])
        elif not stage.keys() <= _ORDER:
            return None
    return tuple(found)


def _readable(condition: Mapping[str, Any]) -> bool:
    """Whether everything in the condition is understood here."""
    for name, wanted in condition.items():
        if name in _BRANCHES:
            if not all(map(_readable, wanted)):
                return False
        elif name.startswith("$") or (isinstance(wanted, Mapping) and not wanted.keys() <= _OPERATORS.keys()):
            return False
    return True


def _meets(found: Record, condition: Mapping[str, Any]) -> bool:
    return all(_BRANCHES[name](found, wanted) if name in _BRANCHES else _field(found, name, wanted)
               for name, wanted in condition.items())  # fmt: skip


_BRANCHES: dict[str, Callable[[Record, Any], bool]] = {
    "$or": lambda found, wanted: any(_meets(found, one) for one in wanted),
    "$and": lambda found, wanted: all(_meets(found, one) for one in wanted),
    "$nor": lambda found, wanted: not any(_meets(found, one) for one in wanted),
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
    return any(isinstance(one, Mapping) and _meets(one, wanted) for one in _each(value))


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
