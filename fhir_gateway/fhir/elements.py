"""What each JSON member of a resource is: its datatype, or the class of its own elements.

https://hl7.org/fhir/R4/json.html#choice
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from fhir_gateway.fhir.definitions import types

_UNTYPED = ("Element", "BackboneElement")
_UNKNOWN: Mapping[str, str] = {}


def members(kind: str) -> Mapping[str, str]:
    """JSON member to kind, choices spelled out: ``{"valueQuantity": "Quantity", "_birthDate": "Element"}``."""
    return _members(kind) if kind in types() else _UNKNOWN


@cache
def _members(kind: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, facts in types()[kind]["elements"].items():
        if "content" in facts:
            found[name] = facts["content"]
        elif name.endswith("[x]"):
            found |= {choice(name, code): code for code in facts["types"]}
        else:
            found[name] = f"{kind}.{name}" if facts["types"][0] in _UNTYPED else facts["types"][0]
    return found | {f"_{name}": "Element" for name, child in found.items() if is_primitive(child)}


def choice(name: str, code: str) -> str:
    """The member that carries one type of a choice: ``value[x]`` and ``dateTime`` give ``valueDateTime``."""
    return f"{name[:-3]}{code[0].upper()}{code[1:]}"


def is_primitive(kind: str) -> bool:
    return kind[0].islower()


def kind_of(kind: str, value: Any) -> str:
    """The class to read ``value`` by: a resource says its own."""
    if kind == "Resource" and isinstance(value, dict):
        return str(value.get("resourceType"))
    return kind


def children(kind: str, element: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """(path below the element, kind, value) of each known member, lists opened: ``name[0]``."""
    known = members(kind)
    for name, value in element.items():
        child = known.get(name)
        if child is None:
            continue
        if isinstance(value, list):
            for position, item in enumerate(value):
                yield f"{name}[{position}]", kind_of(child, item), item
        else:
            yield name, kind_of(child, value), value


# Where an element stands: what it lies in, its member, its position in a list. Spelt out only where there is a fault.
Place = tuple["Place | None", str, int | None]
Node = tuple[Place, str, dict[str, Any]]


def spelt(place: Place) -> str:
    """The place as FHIRPath: ``Patient.name[0]``."""
    outer, name, position = place
    own = name if position is None else f"{name}[{position}]"
    return own if outer is None else f"{spelt(outer)}.{own}"


def nodes(place: Place, kind: str, element: dict[str, Any]) -> list[Node]:
    """(place, kind, element) of an element and all objects below it; a resource inside is listed, not entered."""
    found: list[Node] = []
    _walk(place, kind, element, found)
    return found


def _walk(place: Place, kind: str, element: dict[str, Any], found: list[Node]) -> None:
    found.append((place, kind, element))
    known = _objects(kind)
    for name, value in element.items():
        if type(value) is dict:
            if name in known:
                _walk((place, name, None), known[name], value, found)
        elif type(value) is list and name in known:
            for position, item in enumerate(value):
                if type(item) is dict:
                    _walk((place, name, position), known[name], item, found)


@cache
def _objects(kind: str) -> Mapping[str, str]:
    """The members that are objects; none for a resource inside, which is not entered."""
    return {name: child for name, child in members(kind).items() if not is_primitive(child)}
