"""An expression walked on a value: what each part of it gives, step by counted step.

https://hl7.org/fhirpath/N1/#path-selection
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from fhir_gateway.fhir.expression import operators
from fhir_gateway.fhir.expression.amounts import Amount
from fhir_gateway.fhir.expression.items import (
    TYPE_INFO,
    Item,
    children,
    is_exactly,
    is_of,
    lineage,
    made,
    simple,
    type_of,
)
from fhir_gateway.fhir.expression.operators import Collection, said, single, truth
from fhir_gateway.fhir.expression.syntax import (
    Binary,
    Call,
    Constant,
    Expression,
    Index,
    Literal,
    Member,
    NotFhirPath,
    Sign,
    TypeTest,
)

STEP_LIMIT = 100_000

_SYSTEMS = {"ucum": "http://unitsofmeasure.org", "sct": "http://snomed.info/sct", "loinc": "http://loinc.org"}
_ADDRESSES = {
    "vs-": "http://hl7.org/fhir/ValueSet/",
    "ext-": "http://hl7.org/fhir/StructureDefinition/",
}


class NotOffered(NotFhirPath):
    """A function that this place has nothing to answer with."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What lies outside the value: each is None where the place that asks has no such thing."""

    resolve: Callable[[Item], Item | None] | None = None
    member_of: Callable[[Item, str], bool | None] | None = None
    conforms: Callable[[Item, str], bool | None] | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What ``$this``, ``$index`` and ``$total`` are at one place of the expression."""

    this: Collection
    index: int | None = None
    total: Collection = field(default_factory=list)


@dataclass(slots=True)
class Run:
    """One evaluation. ``constants`` are ``%resource`` and the like; ``left`` is how many steps it may still take."""

    functions: Mapping[str, Callable[["Asked"], Collection]]
    constants: Mapping[str, Collection]
    reach: Reach = field(default_factory=Reach)
    left: int = STEP_LIMIT

    def evaluate(self, expression: Expression, scope: Scope) -> Collection:
        self.spend(1)
        work: Callable[[Run, Any, Scope], Collection] = _PARTS[type(expression)]
        return work(self, expression, scope)

    def spend(self, steps: int) -> None:
        """Raises NotFhirPath when the expression takes longer than it may."""
        self.left -= steps
        if self.left < 0:
            raise NotFhirPath("the expression takes too long")

    def _constant(self, expression: Constant, _: Scope) -> Collection:
        name = expression.name
        if name in self.constants:
            return self.constants[name]
        if name in _SYSTEMS:
            return [made(_SYSTEMS[name])]
        for prefix, address in _ADDRESSES.items():
            if name.startswith(prefix):
                return [made(address + name.removeprefix(prefix))]
        raise NotFhirPath(f"there is no %{name[:64]}")

    def _member(self, expression: Member, scope: Scope) -> Collection:
        if expression.name.startswith("$"):
            return _special(expression, scope)
        focus = scope.this if expression.owner is None else self.evaluate(expression.owner, scope)
        self.spend(len(focus))
        if expression.owner is None and expression.name[:1].isupper():
            return [item for item in focus if not item.is_system and expression.name in lineage(item.kind)]
        return [child for item in focus for child in children(item, expression.name)]

    def _call(self, expression: Call, scope: Scope) -> Collection:
        function = self.functions.get(expression.name)
        if function is None:
            raise NotOffered(f"{expression.name[:64]}() is not offered")
        focus = scope.this if expression.owner is None else self.evaluate(expression.owner, scope)
        self.spend(len(focus))
        return function(Asked(self, expression.name, focus, expression.arguments, scope))

    def _typed(self, expression: TypeTest, scope: Scope) -> Collection:
        return typed(expression.operator, self.evaluate(expression.left, scope), expression.type)

    def _indexed(self, expression: Index, scope: Scope) -> Collection:
        items = self.evaluate(expression.owner, scope)
        place = single(self.evaluate(expression.place, scope))
        number = simple(place) if place else None
        if place is not None and (not isinstance(number, int) or isinstance(number, bool)):
            raise NotFhirPath("an index is a whole number")
        return items[number : number + 1] if number is not None and number >= 0 else []

    def _binary(self, expression: Binary, scope: Scope) -> Collection:
        sign = expression.operator
        left = self.evaluate(expression.left, scope)
        right = self.evaluate(expression.right, scope)
        self.spend(len(left) + len(right))
        return _BINARY[sign](left, right)


_PARTS: dict[type, Callable[[Run, Any, Scope], Collection]] = {
    Literal: lambda run, literal, scope: [] if literal.value is None else [made(literal.value)],
    Constant: Run._constant,
    Member: Run._member,
    Call: Run._call,
    Index: Run._indexed,
    Sign: lambda run, sign, scope: _signed(sign.sign, run.evaluate(sign.operand, scope)),
    TypeTest: Run._typed,
    Binary: Run._binary,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A function's call: what it is called on, and its arguments, not yet evaluated."""

    run: Run
    name: str
    focus: Collection
    arguments: tuple[Expression, ...]
    scope: Scope

    def takes(self, least: int, most: int | None = None) -> "Asked":
        """Raises NotFhirPath unless there are so many arguments."""
        if not least <= len(self.arguments) <= (least if most is None else most):
            raise NotFhirPath(f"{self.name}() has another number of arguments")
        return self

    def values(self, place: int) -> Collection:
        """What an argument gives where the function stands, not on each item."""
        return self.run.evaluate(self.arguments[place], self.scope)

    def on(self, item: Item, index: int, place: int = 0) -> Collection:
        """What an argument gives on one item."""
        return self.run.evaluate(self.arguments[place], Scope([item], index, self.scope.total))

    def kept(self) -> Iterator[tuple[Item, bool | None]]:
        """Each item with what the criteria say of it; without criteria true."""
        self.takes(0, 1)
        for index, item in enumerate(self.focus):
            yield item, truth(self.on(item, index)) if self.arguments else True


def typed(operator: str, items: Collection, name: str) -> Collection:
    """``is`` and ``as`` on a single item."""
    item = single(items)
    if item is None:
        is_of(made(""), name)
        return []
    if operator == "is":
        return [made(is_of(item, name))]
    return [item] if is_exactly(item, name) else []


def _special(expression: Member, scope: Scope) -> Collection:
    if expression.owner is not None:
        raise NotFhirPath(f"{expression.name} begins an expression")
    if expression.name == "$this":
        return scope.this
    if expression.name == "$index" and scope.index is not None:
        return [made(scope.index)]
    if expression.name == "$total":
        return scope.total
    raise NotFhirPath(f"there is no {expression.name[:20]} here")


def _signed(sign: str, items: Collection) -> Collection:
    item = single(items)
    value = simple(item) if item else None
    if value is None:
        return []
    if isinstance(value, Amount):
        return [made(Amount(-value.value if sign == "-" else value.value, value.unit, value.is_calendar))]
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise NotFhirPath("a sign needs a number")
    return [made(-value if sign == "-" else value)]


def _union(left: Collection, right: Collection) -> Collection:
    return operators.distinct([*left, *right])


def _contains(among: Collection, sought: Collection) -> Collection:
    item = single(sought)
    return [] if item is None else [made(any(operators.equal(item, one) is True for one in among))]


Judgement = Callable[[bool | None, bool | None], bool | None]


def _judged(work: Judgement, left: Collection, right: Collection) -> Collection:
    return said(work(truth(left), truth(right)))


def _not(found: bool | None) -> bool | None:
    return None if found is None else not found


_BINARY: dict[str, Callable[[Collection, Collection], Collection]] = {
    "=": lambda left, right: said(operators.equals(left, right)),
    "!=": lambda left, right: said(_not(operators.equals(left, right))),
    "~": lambda left, right: [made(operators.equivalent(left, right))],
    "!~": lambda left, right: [made(not operators.equivalent(left, right))],
    "|": _union,
    "&": operators.joined,
    "in": lambda left, right: _contains(right, left),
    "contains": _contains,
    **{sign: partial(operators.summed, sign) for sign in ("+", "-", "*", "/", "div", "mod")},
    **{sign: partial(operators.compared, sign) for sign in ("<", ">", "<=", ">=")},
    **{sign: partial(_judged, work) for sign, work in operators.TRUTHS.items()},
}


def described(item: Item) -> Collection:
    """What ``type()`` gives: an object with a namespace and a name."""
    return [Item(type_of(item), TYPE_INFO)]
