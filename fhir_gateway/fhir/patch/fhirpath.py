"""FHIRPath Patch: a Parameters resource of add, insert, delete, replace and move, done in order or not at all.

https://hl7.org/fhir/R4/fhirpatch.html
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from fhir_gateway.fhir.definitions import types
from fhir_gateway.fhir.elements import members
from fhir_gateway.fhir.patch import path as paths
from fhir_gateway.fhir.patch.path import Path
from fhir_gateway.fhir.patch.slots import Content, Node, contents, opened, repeats, spelled, store
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import BadRequest, TooLarge, Unprocessable

OPERATION_LIMIT = 100

_PARTS = {
    "add": ("name", "value"),
    "insert": ("index", "value"),
    "delete": (),
    "replace": ("value",),
    "move": ("source", "destination"),
}


@dataclass(frozen=True, slots=True)
class Operation:
    """``parts`` are the parameters by name; ``where`` is the place of the operation in the patch."""

    type: str
    path: Path
    parts: Mapping[str, dict[str, Any]]
    where: str

    def at(self, name: str) -> str:
        return f"{self.where}.part('{name}')"


def read(parameters: Resource) -> Callable[[Resource], Resource]:
    """What the patch does to a resource. BadRequest when the Parameters are no FHIRPath Patch."""
    if parameters.get("resourceType") != "Parameters":
        raise BadRequest("a FHIRPath Patch is a Parameters resource", "resourceType")
    listed = parameters.get("parameter", [])
    if not isinstance(listed, list):
        raise BadRequest("parameter must be a list", "Parameters.parameter")
    if len(listed) > OPERATION_LIMIT:
        raise TooLarge(f"a FHIRPath Patch may have {OPERATION_LIMIT} operations", "Parameters.parameter")
    operations = [_operation(one, f"Parameters.parameter[{place}]") for place, one in enumerate(listed)]
    return lambda resource: _patched(resource, operations)


def _operation(parameter: Any, where: str) -> Operation:
    if not isinstance(parameter, dict) or parameter.get("name") != "operation":
        raise BadRequest("a parameter of a FHIRPath Patch is an operation", f"{where}.name")
    listed = parameter.get("part")
    parts = {str(part.get("name")): part for part in listed or [] if isinstance(part, dict)}
    type_ = _text(parts, "type", where)
    if type_ not in _PARTS:
        raise BadRequest(f"type is one of {', '.join(_PARTS)}", f"{where}.part('type')")
    for name in _PARTS[type_]:
        if name not in parts:
            raise BadRequest(f"{type_} needs {name}", f"{where}.part('{name}')")
    return Operation(type_, paths.parse(_text(parts, "path", where), f"{where}.part('path')"), parts, where)


def _text(parts: Mapping[str, dict[str, Any]], name: str, where: str) -> str:
    part = parts.get(name, {})
    value = part.get("valueString", part.get("valueCode"))
    if not isinstance(value, str) or not value:
        raise BadRequest(f"the operation has no {name}", f"{where}.part('{name}')")
    return value


def _number(operation: Operation, name: str) -> int:
    part = operation.parts[name]
    value = part.get("valueInteger", part.get("valueUnsignedInt", part.get("valuePositiveInt")))
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadRequest(f"{name} is a whole number from 0", operation.at(name))
    return value


def _patched(resource: Resource, operations: list[Operation]) -> Resource:
    patched = deepcopy(resource)
    for operation in operations:
        _ACTS[operation.type](patched, operation)
    return patched


def _add(resource: Resource, operation: Operation) -> None:
    found = paths.find(resource, operation.path, operation.at("path")) or _begun(resource, operation)
    owner = opened(_only(found, operation))
    _attach(owner, _text(operation.parts, "name", operation.where), operation.parts["value"], operation.at("name"))


def _begun(resource: Resource, operation: Operation) -> list[Node]:
    """A new last item of a list, where the path names the one after the last: the first addition to it makes it."""
    *before, item = operation.path
    if item.name != "[]" or not before or before[-1].argument is not None:
        return []
    owner, name = _list(resource, replace(operation, path=tuple(before)))
    there = contents(owner.element, name)
    if int(item.argument or 0) != len(there) or members(owner.class_)[name] not in types():
        return []
    store(owner, name, [*there, Content({})])
    return paths.find(resource, operation.path, operation.at("path"))


def _attach(owner: Node, name: str, part: Mapping[str, Any], where: str) -> None:
    """Append a value to an element's list, or give it a single child that it has not yet."""
    member, content = _new(owner, name, part, where)
    there = contents(owner.element, member)
    if any(owner.element.keys() & {other, f"_{other}"} for other in spelled(owner.class_, name)) and not repeats(
        owner.class_, member
    ):
        raise Unprocessable("the element is there already; use replace", where)
    store(owner, member, [*there, content])


def _insert(resource: Resource, operation: Operation) -> None:
    owner, name = _list(resource, operation)
    member, content = _new(owner, name, operation.parts["value"], operation.where)
    there, index = contents(owner.element, member), _number(operation, "index")
    if index > len(there):
        raise Unprocessable("the list is shorter than the index", operation.at("index"))
    there.insert(index, content)
    store(owner, member, there)


def _move(resource: Resource, operation: Operation) -> None:
    owner, name = _list(resource, operation)
    there = contents(owner.element, name)
    source, target = _number(operation, "source"), _number(operation, "destination")
    for place, part in ((source, "source"), (target, "destination")):
        if place >= len(there):
            raise Unprocessable(f"the list has no item at the {part}", operation.at(part))
    there.insert(target, there.pop(source))
    store(owner, name, there)


def _list(resource: Resource, operation: Operation) -> tuple[Node, str]:
    """Where a list is, or would be: the element before the path's last name, and that name."""
    *before, last = operation.path
    if last.argument is not None or not before:
        raise Unprocessable("the path must end with the name of a list", operation.at("path"))
    owner = _only(paths.find(resource, tuple(before), operation.at("path")), operation)
    if not spelled(owner.class_, last.name) or not repeats(owner.class_, last.name):
        raise Unprocessable("the path must end with the name of a list", operation.at("path"))
    return owner, last.name


def _delete(resource: Resource, operation: Operation) -> None:
    """What is not there is deleted already."""
    found = paths.find(resource, operation.path, operation.at("path"))
    if not found:
        return
    node = _only(found, operation)
    _exchange(node, operation, None)


def _replace(resource: Resource, operation: Operation) -> None:
    node = _only(paths.find(resource, operation.path, operation.at("path")), operation)
    if node.owner is None:
        raise Unprocessable("the resource itself is replaced by PUT", operation.at("path"))
    member, content = _new(node.owner, _element_name(node), operation.parts["value"], operation.where)
    _exchange(node, operation, None if member != node.member else content)
    if member != node.member:
        store(node.owner, member, [content])


def _exchange(node: Node, operation: Operation, content: Content | None) -> None:
    """Put ``content`` in the node's place; without it the node goes, and with it what is left empty."""
    if node.owner is None:
        raise Unprocessable("the resource itself is removed by DELETE", operation.at("path"))
    there = contents(node.owner.element, node.member)
    there[node.place : node.place + 1] = [] if content is None else [content]
    store(node.owner, node.member, there)


def _element_name(node: Node) -> str:
    """``value`` of ``valueQuantity``: a choice may change its type."""
    suffix = f"{node.kind[0].upper()}{node.kind[1:]}"
    name = node.member.removesuffix(suffix)
    assert node.owner is not None
    return name if node.member != name and node.member in spelled(node.owner.class_, name) else node.member


def _only(nodes: list[Node], operation: Operation) -> Node:
    if len(nodes) != 1:
        text = "the path leads to nothing in the resource" if not nodes else "the path leads to several elements"
        raise Unprocessable(text, operation.at("path"))
    return nodes[0]


def _new(owner: Node, name: str, part: Mapping[str, Any], where: str) -> tuple[str, Content]:
    """The member that the new element gets in its owner, and its content."""
    value = _value_member(part)
    candidates = spelled(owner.class_, name)
    if not candidates:
        raise Unprocessable(f"{owner.class_} has no element of this name", where)
    spelling = f"{name}{value.removeprefix('value')}"
    chosen = candidates[0] if len(candidates) == 1 else spelling
    if chosen not in candidates:
        raise Unprocessable("the element does not take a value of this type", where)
    if "part" in part:
        return chosen, Content(_composed(part["part"], members(owner.class_)[chosen], where))
    content = Content(deepcopy(part.get(value)), deepcopy(part.get(f"_{value}")))
    if content.is_empty:
        raise BadRequest("value has a value[x], a resource, or parts", where)
    return chosen, content


def _value_member(part: Mapping[str, Any]) -> str:
    """``valueCode`` of a parameter, or ``resource``; empty when there is neither."""
    names = (name.removeprefix("_") for name in part)
    return next((name for name in names if name.startswith("value") or name == "resource"), "")


def _composed(parts: Any, kind: str, where: str) -> dict[str, Any]:
    """An element whose type has no name, such as Patient.contact, from parts named as its children."""
    node = Node(kind, Content({}))
    for part in parts if isinstance(parts, list) else []:
        if not isinstance(part, dict) or not isinstance(part.get("name"), str):
            raise BadRequest("a part has a name", where)
        _attach(node, part["name"], part, where)
    return node.element


_ACTS: Mapping[str, Callable[[Resource, Operation], None]] = {
    "add": _add,
    "insert": _insert,
    "delete": _delete,
    "replace": _replace,
    "move": _move,
}
