"""FHIRPath Patch: a Parameters resource of add, insert, delete, replace and move, done in order or not at all.

https://hl7.org/fhir/R4/fhirpatch.html
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from fhir_gateway.fhir.elements import is_primitive
from fhir_gateway.fhir.patch import path as paths
from fhir_gateway.fhir.patch.path import Path, Step
from fhir_gateway.fhir.patch.slots import Content, Node, contents, repeats, spelled, store
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
    owner = _only(paths.find(resource, operation.path, operation.at("path")), operation)
    name = _text(operation.parts, "name", operation.where)
    member, content = _new(operation, owner, name)
    there = contents(_opened(owner), member)
    if there and not repeats(owner.class_, member):
        raise Unprocessable("the element is there already; use replace", operation.at("name"))
    store(owner, member, [*there, content])


def _opened(owner: Node) -> dict[str, Any]:
    """The object that holds an element's children; a primitive gets its other half when the first child comes."""
    if isinstance(owner.content.value, dict) or isinstance(owner.content.half, dict):
        return owner.element
    raise Unprocessable("a primitive without an extension takes no children; replace it", None)


def _insert(resource: Resource, operation: Operation) -> None:
    owner, name = _list(resource, operation)
    member, content = _new(operation, owner, name)
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
    member, content = _new(operation, node.owner, _element_name(node))
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


def _new(operation: Operation, owner: Node, name: str) -> tuple[str, Content]:
    """The member that the new element gets in its owner, and its content."""
    part = operation.parts["value"]
    candidates = spelled(owner.class_, name)
    if not candidates:
        raise Unprocessable(f"{owner.class_} has no element of this name", operation.at("path"))
    suffix, content = _content(part, operation.at("value"))
    chosen = candidates if len(candidates) == 1 else [member for member in candidates if member == f"{name}{suffix}"]
    if not chosen:
        raise Unprocessable(f"{name} does not take a value of this type", operation.at("value"))
    return chosen[0], content


def _content(part: Mapping[str, Any], where: str) -> tuple[str, Content]:
    """The type as a choice spells it, and the value: a ``value[x]``, a resource, or parts of a nameless type."""
    if "part" in part:
        return "", Content(_composed(part["part"], where))
    if "resource" in part:
        return "", Content(deepcopy(part["resource"]))
    names = {name.removeprefix("_") for name in part if name.removeprefix("_").startswith("value")}
    if len(names) != 1:
        raise BadRequest("value has one value[x], a resource, or parts", where)
    (name,) = names
    return name.removeprefix("value"), Content(deepcopy(part.get(name)), deepcopy(part.get(f"_{name}")))


def _composed(parts: Any, where: str) -> dict[str, Any]:
    """An element whose type has no name, such as Patient.contact, from parts named as its children."""
    found: dict[str, Any] = {}
    for part in parts if isinstance(parts, list) else []:
        if not isinstance(part, dict) or not isinstance(part.get("name"), str):
            raise BadRequest("a part has a name", where)
        _, content = _content(part, where)
        found.setdefault(part["name"], []).append(content)
    return found


_ACTS: Mapping[str, Callable[[Resource, Operation], None]] = {
    "add": _add,
    "insert": _insert,
    "delete": _delete,
    "replace": _replace,
    "move": _move,
}
