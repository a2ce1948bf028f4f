"""The paths of FHIRPath Patch: where in the resource, not what value; conditions inside are full FHIRPath.

https://hl7.org/fhir/R4/fhirpatch.html#concept
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from fhir_gateway.fhir import fhirpath
from fhir_gateway.fhir.elements import choice
from fhir_gateway.fhir.patch.slots import Node, children, root, spelled
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import BadRequest, TooLarge, Unprocessable

LENGTH_LIMIT = 2000
# The library takes about 0.1 ms for each.
ITEM_LIMIT = 500

_STEP = re.compile(r"\s*(?:(?P<dot>\.)\s*)?(?:`(?P<quoted>[^`]+)`|(?P<name>[A-Za-z_]\w*))\s*")
_INDEX = re.compile(r"\[\s*([0-9]{1,6})\s*\]\s*")
_STRINGS = re.compile(r"'(?:[^'\\]|\\.)*'|`[^`]*`")


@dataclass(frozen=True, slots=True)
class Step:
    """A child's ``name``, or a function with its ``argument``, or an ``[index]`` (as function ``[]``)."""

    name: str
    argument: str | None = None


Path = tuple[Step, ...]


def parse(text: str, where: str) -> Path:
    """The steps of a path. BadRequest when it is none, or uses a function that gives no place in the resource."""
    if len(text) > LENGTH_LIMIT:
        raise BadRequest(f"a path may have {LENGTH_LIMIT} characters", where)
    steps: list[Step] = []
    position = 0
    while position < len(text):
        position = _next(text, position, steps, where)
    if not steps:
        raise BadRequest("the path is empty", where)
    return tuple(steps)


def _next(text: str, position: int, steps: list[Step], where: str) -> int:
    if steps and (index := _INDEX.match(text, position)):
        steps.append(Step("[]", index[1]))
        return index.end()
    found = _STEP.match(text, position)
    if found is None or bool(found["dot"]) != bool(steps):
        raise BadRequest(f"not a path at character {position + 1}", where)
    name = found["quoted"] or found["name"]
    if text[found.end() : found.end() + 1] != "(":
        steps.append(Step(name))
        return found.end()
    if name not in _FUNCTIONS:
        offered = ", ".join(name for name in _FUNCTIONS if name.isalpha())
        raise BadRequest(f"a path may use the functions {offered}", where)
    end = _closing(text, found.end(), where)
    steps.append(Step(name, text[found.end() + 1 : end - 1].strip()))
    return end + len(text[end:]) - len(text[end:].lstrip())


def _closing(text: str, start: int, where: str) -> int:
    """Behind the bracket that closes the one at ``start``; brackets in strings do not count."""
    masked = _STRINGS.sub(lambda string: "_" * len(string[0]), text[start:])
    depth = 0
    for place, letter in enumerate(masked):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return start + place + 1
    raise BadRequest("a bracket is not closed", where)


def find(resource: Resource, path: Path, where: str) -> list[Node]:
    """All elements that the path leads to. Unprocessable when R4 has no such element."""
    nodes = [root(resource)]
    steps = path[1:] if path[0] in (Step(resource["resourceType"]), Step("Resource"), Step("DomainResource")) else path
    for step in steps:
        nodes = _walked(nodes, step, where)
    return nodes


def _walked(nodes: list[Node], step: Step, where: str) -> list[Node]:
    if step.argument is not None:
        return _FUNCTIONS[step.name](nodes, step.argument, where)
    for node in nodes:
        if not spelled(node.class_, step.name):
            raise Unprocessable(f"{node.class_} has no element {step.name[:64]}", where)
    return [child for node in nodes for child in children(node, step.name)]


def _where(nodes: list[Node], argument: str, where: str) -> list[Node]:
    if len(nodes) > ITEM_LIMIT:
        raise TooLarge(f"where() looks at no more than {ITEM_LIMIT} elements", where)
    return [node for node in nodes if fhirpath.holds(node.content.value, node.kind, argument, where)]


def _extension(nodes: list[Node], argument: str, where: str) -> list[Node]:
    url = _unquoted(argument, where)
    found = [child for node in nodes for child in children(node, "extension")]
    return [node for node in found if node.element.get("url") == url]


def _unquoted(argument: str, where: str) -> str:
    if not _STRINGS.fullmatch(argument) or "\\" in argument:
        raise BadRequest("extension() takes a string", where)
    return argument[1:-1]


def _of_type(nodes: list[Node], argument: str, _: str) -> list[Node]:
    code = argument.removeprefix("FHIR.").strip("`")
    return [node for node in nodes if node.kind == code or node.member.endswith(choice("[x]", code or "x"))]


def _number(argument: str, where: str) -> int:
    if not argument.isascii() or not argument.isdecimal() or len(argument) > 6:
        raise BadRequest("the function takes a whole number", where)
    return int(argument)


def _item(nodes: list[Node], argument: str, _: str) -> list[Node]:
    return nodes[int(argument) : int(argument) + 1]


def _single(nodes: list[Node], _: str, where: str) -> list[Node]:
    if len(nodes) > 1:
        raise Unprocessable("single() meets several elements", where)
    return nodes


_FUNCTIONS: dict[str, Callable[[list[Node], str, str], list[Node]]] = {
    "[]": _item,
    "where": _where,
    "first": lambda nodes, _, __: nodes[:1],
    "last": lambda nodes, _, __: nodes[-1:],
    "tail": lambda nodes, _, __: nodes[1:],
    "single": _single,
    "skip": lambda nodes, argument, where: nodes[_number(argument, where) :],
    "take": lambda nodes, argument, where: nodes[: _number(argument, where)],
    "ofType": _of_type,
    "as": _of_type,
    "extension": _extension,
}
