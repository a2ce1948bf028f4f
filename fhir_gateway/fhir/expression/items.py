"""The values an expression walks over: each with its type, a primitive together with its other half.

https://hl7.org/fhir/R4/fhirpath.html#types
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from fhir_gateway.fhir.definitions import resource_types, types
from fhir_gateway.fhir.elements import choice, is_primitive, kind_of, members
from fhir_gateway.fhir.expression.amounts import Amount
from fhir_gateway.fhir.expression.moments import Moment, moment
from fhir_gateway.fhir.expression.syntax import NotFhirPath

SYSTEM_TYPES = frozenset(
    {"Boolean", "String", "Integer", "Decimal", "Date", "DateTime", "Time", "Quantity", "Any", "SimpleTypeInfo"}
)
_PARENTS = {
    **dict.fromkeys(("code", "id", "markdown"), "string"),
    **dict.fromkeys(("url", "canonical", "uuid", "oid"), "uri"),
    **dict.fromkeys(("unsignedInt", "positiveInt"), "integer"),
    **dict.fromkeys(("Age", "Count", "Distance", "Duration", "MoneyQuantity", "SimpleQuantity"), "Quantity"),
    **dict.fromkeys(("Bundle", "Binary", "Parameters"), "Resource"),
    **dict.fromkeys(("Timing", "Dosage", "ElementDefinition"), "BackboneElement"),
    "BackboneElement": "Element",
    "DomainResource": "Resource",
}
_WHOLE = frozenset({"integer", "unsignedInt", "positiveInt"})
_MOMENTS = {"date": "Date", "dateTime": "DateTime", "instant": "DateTime", "time": "Time"}
_PRIMITIVES = frozenset(
    {"boolean", "string", "uri", "integer", "decimal", "date", "dateTime", "instant", "time", "base64Binary", "xhtml"}
)


TYPE_INFO = "TypeInfo"


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """``kind`` is a class of R4, or ``System.`` and a type of FHIRPath; ``half`` what stands beside a primitive."""

    value: Any
    kind: str
    half: Any = None

    @property
    def is_system(self) -> bool:
        return self.kind.startswith("System.")


def made(value: bool | int | Decimal | str | Moment | Amount) -> Item:
    """A value that an expression states or works out."""
    return Item(value, f"System.{_name(value)}")


def _name(value: Any) -> str:
    if isinstance(value, Moment):
        return value.kind
    names = {bool: "Boolean", int: "Integer", str: "String", Amount: "Quantity"}
    return names.get(type(value), "Decimal")


def children(item: Item, name: str) -> list[Item]:
    """The child elements of that name; ``value`` finds whichever type the choice has."""
    if item.is_system:
        return []
    if item.kind == TYPE_INFO:
        return [made(item.value[name])] if name in item.value else []
    element = item.value if isinstance(item.value, dict) else item.half
    if not isinstance(element, dict):
        return []
    kind = item.kind if isinstance(item.value, dict) else "Element"
    return [child for member, code in _spelled(kind, name) for child in _of_member(element, member, code)]


@cache
def _spelled(kind: str, name: str) -> tuple[tuple[str, str], ...]:
    """(JSON member, kind) for an element's name; none when the class has no such element."""
    if kind not in types():
        return ()
    known = members(kind)
    if name in known and not name.startswith("_"):
        return ((name, known[name]),)
    facts = types()[kind]["elements"].get(f"{name}[x]")
    return tuple((choice(f"{name}[x]", code), code) for code in facts["types"]) if facts else ()


def _of_member(element: dict[str, Any], member: str, kind: str) -> Iterator[Item]:
    values, halves = _listed(element.get(member)), _listed(element.get(f"_{member}"))
    for place in range(max(len(values), len(halves))):
        value = values[place] if place < len(values) else None
        half = halves[place] if place < len(halves) else None
        if value is not None or half is not None:
            yield Item(value, kind_of(kind, value), half)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def all_children(item: Item) -> Iterator[Item]:
    kind = item.kind if isinstance(item.value, dict) else "Element"
    for name in types()[kind]["elements"] if kind in types() and not item.is_system else ():
        yield from children(item, name.removesuffix("[x]"))


def simple(item: Item) -> Any:
    """The value by FHIRPath's own types: bool, int, Decimal, str, Moment, Amount; the object where there is none.

    None for a primitive that has only its other half.
    """
    value = item.value
    if item.is_system or isinstance(value, bool) or value is None:
        return value
    if item.kind in _MOMENTS:
        return moment(str(value), _MOMENTS[item.kind]) or value
    if item.kind == "decimal":
        return Decimal(str(value))
    if isinstance(value, dict) and "Quantity" in lineage(item.kind) and "value" in value:
        return _amount(value)
    return value


def _amount(quantity: dict[str, Any]) -> Amount:
    coded = quantity.get("code") if quantity.get("system") == "http://unitsofmeasure.org" else None
    return Amount(Decimal(str(quantity["value"])), str(coded or quantity.get("unit") or "1"))


def text(item: Item) -> str | None:
    """The text by which FHIRPath knows a simple value; None for an object."""
    value = simple(item)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return None if value is None or isinstance(value, dict | list) else str(value)


@cache
def lineage(kind: str) -> tuple[str, ...]:
    """The class and all it descends from, as far as expressions may ask."""
    found, one = [kind], kind
    while one:
        one = _PARENTS.get(one) or _unlisted_parent(one)
        found += [one] if one else []
    return tuple(found)


def _unlisted_parent(kind: str) -> str:
    if kind in ("Resource", "Element"):
        return ""
    if "." in kind:
        return "BackboneElement"
    return "DomainResource" if kind in resource_types() else "Element"


def is_of(item: Item, name: str) -> bool:
    """Whether the item is of the type or of one below it: ``System.String``, ``FHIR.code``, ``Patient``."""
    space, own = _named(name)
    if item.is_system:
        return space != "FHIR" and item.kind.removeprefix("System.") == own
    return space != "System" and own in lineage(item.kind)


def is_exactly(item: Item, name: str) -> bool:
    """The same, but a ``code`` is no ``string`` here: a primitive is of its own type alone."""
    if not item.is_system and is_primitive(item.kind):
        space, own = _named(name)
        return space != "System" and own == item.kind
    return is_of(item, name)


def _named(name: str) -> tuple[str, str]:
    space, _, own = name.rpartition(".")
    known = own in SYSTEM_TYPES or own in types() or own in _PARENTS or own in _PRIMITIVES
    known = known or own in ("Element", "Resource", "BackboneElement", "DomainResource")
    if space not in ("", "System", "FHIR") or not known:
        raise NotFhirPath(f"{name[:64]} is no type")
    return space, own


def type_of(item: Item) -> dict[str, str]:
    """What ``type()`` says: the namespace and the name."""
    if item.is_system:
        return {"namespace": "System", "name": item.kind.removeprefix("System.")}
    return {"namespace": "FHIR", "name": "BackboneElement" if "." in item.kind else item.kind}
