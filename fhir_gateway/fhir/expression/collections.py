"""Functions about collections: which items there are, how many, which of them, one after the other.

https://hl7.org/fhirpath/N1/#functions
"""

from collections.abc import Callable

from fhir_gateway.fhir.expression.evaluation import Asked, Scope, typed
from fhir_gateway.fhir.expression.items import Item, all_children, is_exactly, made, simple
from fhir_gateway.fhir.expression.operators import Collection, distinct, equal, said, single, truth
from fhir_gateway.fhir.expression.syntax import NotFhirPath, type_name

Function = Callable[[Asked], Collection]


def _exists(asked: Asked) -> Collection:
    return [made(any(kept is True for _, kept in asked.kept()))]


def _all(asked: Asked) -> Collection:
    asked.takes(1)
    return [made(all(kept is True for _, kept in asked.kept()))]


def _where(asked: Asked) -> Collection:
    asked.takes(1)
    return [item for item, kept in asked.kept() if kept is True]


def _select(asked: Asked) -> Collection:
    asked.takes(1)
    return [found for index, item in enumerate(asked.focus) for found in asked.on(item, index)]


def _repeat(asked: Asked) -> Collection:
    """The projection again on what it gave, until there is nothing new."""
    asked.takes(1)
    found: Collection = []
    waiting = asked.focus
    while waiting:
        asked.run.spend(len(waiting) * (len(found) + 1))
        given = [one for index, item in enumerate(waiting) for one in asked.on(item, index)]
        waiting = [one for one in distinct(given) if not any(equal(one, other) is True for other in found)]
        found += waiting
    return found


def _each(expected: bool, every: bool) -> Function:
    """allTrue, anyTrue, allFalse, anyFalse."""

    def function(asked: Asked) -> Collection:
        values = [truth([item]) is expected for item in asked.takes(0).focus]
        return [made(all(values) if every else any(values))]

    return function


def _within(one: Collection, other: Collection) -> Collection:
    return [made(all(any(equal(item, each) is True for each in other) for item in one))]


def _combined(asked: Asked, *, alike: bool) -> Collection:
    found = [*asked.focus, *asked.takes(1).values(0)]
    return distinct(found) if alike else found


def _intersect(asked: Asked) -> Collection:
    other = asked.takes(1).values(0)
    asked.run.spend(len(asked.focus) * len(other))
    return distinct([item for item in asked.focus if any(equal(item, one) is True for one in other)])


def _exclude(asked: Asked) -> Collection:
    other = asked.takes(1).values(0)
    asked.run.spend(len(asked.focus) * len(other))
    return [item for item in asked.focus if not any(equal(item, one) is True for one in other)]


def _number(asked: Asked) -> int:
    item = single(asked.takes(1).values(0))
    value = simple(item) if item else None
    if not isinstance(value, int) or isinstance(value, bool):
        raise NotFhirPath(f"{asked.name}() takes a whole number")
    return max(value, 0)


def _single(asked: Asked) -> Collection:
    asked.takes(0)
    single(asked.focus)
    return asked.focus


def _iif(asked: Asked) -> Collection:
    asked.takes(2, 3)
    single(asked.focus)
    scope = Scope(asked.focus, asked.scope.index, asked.scope.total)
    if truth(asked.run.evaluate(asked.arguments[0], scope)) is True:
        return asked.run.evaluate(asked.arguments[1], scope)
    return asked.run.evaluate(asked.arguments[2], scope) if len(asked.arguments) > 2 else []


def _aggregate(asked: Asked) -> Collection:
    total = asked.takes(1, 2).values(1) if len(asked.arguments) > 1 else []
    for index, item in enumerate(asked.focus):
        total = asked.run.evaluate(asked.arguments[0], Scope([item], index, total))
    return total


def _of_type(asked: Asked) -> Collection:
    name = type_name(asked.takes(1).arguments[0])
    is_exactly(made(""), name)
    return [item for item in asked.focus if is_exactly(item, name)]


def _typed(asked: Asked) -> Collection:
    return typed(asked.name, asked.focus, type_name(asked.takes(1).arguments[0]))


def _children(asked: Asked) -> Collection:
    asked.takes(0)
    return [child for item in asked.focus for child in all_children(item)]


def _descendants(asked: Asked) -> Collection:
    found: Collection = []
    waiting = _children(asked)
    while waiting:
        asked.run.spend(len(waiting))
        found += waiting
        waiting = [child for item in waiting for child in all_children(item)]
    return found


def _not(asked: Asked) -> Collection:
    found = truth(asked.takes(0).focus)
    return said(None if found is None else not found)


def _plain(work: Callable[[Collection], Collection]) -> Function:
    """A function without arguments."""
    return lambda asked: work(asked.takes(0).focus)


def _are_distinct(items: list[Item]) -> Collection:
    return [made(len(distinct(items)) == len(items))]


FUNCTIONS: dict[str, Function] = {
    "empty": _plain(lambda items: [made(not items)]),
    "exists": _exists,
    "all": _all,
    "allTrue": _each(True, every=True),
    "anyTrue": _each(True, every=False),
    "allFalse": _each(False, every=True),
    "anyFalse": _each(False, every=False),
    "subsetOf": lambda asked: _within(asked.focus, asked.takes(1).values(0)),
    "supersetOf": lambda asked: _within(asked.takes(1).values(0), asked.focus),
    "count": _plain(lambda items: [made(len(items))]),
    "distinct": _plain(distinct),
    "isDistinct": _plain(_are_distinct),
    "where": _where,
    "select": _select,
    "repeat": _repeat,
    "ofType": _of_type,
    "is": _typed,
    "as": _typed,
    "single": _single,
    "first": _plain(lambda items: items[:1]),
    "last": _plain(lambda items: items[-1:]),
    "tail": _plain(lambda items: items[1:]),
    "skip": lambda asked: asked.focus[_number(asked) :],
    "take": lambda asked: asked.focus[: _number(asked)],
    "intersect": _intersect,
    "exclude": _exclude,
    "union": lambda asked: _combined(asked, alike=True),
    "combine": lambda asked: _combined(asked, alike=False),
    "iif": _iif,
    "aggregate": _aggregate,
    "children": _children,
    "descendants": _descendants,
    "not": _not,
    "trace": lambda asked: asked.takes(1, 2).focus,
}
