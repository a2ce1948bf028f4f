"""FHIR's directives on the result: ``@flatten`` lifts children up, ``@first`` takes one, ``@slice`` names each apart.

https://hl7.org/fhir/R4/graphql.html#list-manipulation

What is lifted up or named apart becomes lists; ``@singleton`` says that there is one value.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import FieldNode, FragmentDefinitionNode, FragmentSpreadNode, InlineFragmentNode, SelectionSetNode

from fhir_gateway.problem import BadRequest

Fragments = Mapping[str, FragmentDefinitionNode]
Place = tuple[str | int, ...]
Suffixes = Mapping[Place, Sequence[str]]
"""What ``@slice`` calls the items of the list at a place of the result."""


@dataclass(frozen=True, slots=True)
class _Shape:
    fragments: Fragments
    suffixes: Suffixes


def shaped(
    found: Any, selections: Iterable[SelectionSetNode], fragments: Fragments, suffixes: Suffixes | None = None
) -> Any:
    """The result with the directives of its question carried out."""
    return _value(_Shape(fragments, suffixes or {}), found, list(selections), ())


def _value(shape: _Shape, found: Any, selections: list[SelectionSetNode], place: Place) -> Any:
    if isinstance(found, list):
        return [_value(shape, item, selections, (*place, at)) for at, item in enumerate(found)]
    if not isinstance(found, dict):
        return found
    fields = _fields(shape, selections)
    result: dict[str, Any] = {}
    for name, value in found.items():
        nodes = fields.get(name, [])
        inner = [node.selection_set for node in nodes if node.selection_set]
        there = (*place, name)
        items = _put(result, name, _value(shape, value, inner, there), (nodes, shape.suffixes.get(there)))
        if items:
            _unlist(result, items, _fields(shape, inner))
    return result


def _fields(shape: _Shape, selections: Iterable[SelectionSetNode]) -> dict[str, list[FieldNode]]:
    fields: dict[str, list[FieldNode]] = {}
    for one in selections:
        _collect(one, shape.fragments, fields)
    return fields


def _collect(selections: SelectionSetNode, fragments: Fragments, fields: dict[str, list[FieldNode]]) -> None:
    for node in selections.selections:
        if isinstance(node, FieldNode):
            fields.setdefault((node.alias or node.name).value, []).append(node)
        elif isinstance(node, FragmentSpreadNode):
            _collect(fragments[node.name.value].selection_set, fragments, fields)
        elif isinstance(node, InlineFragmentNode):
            _collect(node.selection_set, fragments, fields)


def _directives(nodes: Iterable[FieldNode]) -> set[str]:
    return {one.name.value for node in nodes for one in node.directives or ()}


def _put(
    result: dict[str, Any], name: str, value: Any, how: tuple[list[FieldNode], Sequence[str] | None]
) -> dict[str, str]:
    """Gives the names under which children were lifted up, with those they have in the question."""
    directives, suffixes = _directives(how[0]), how[1]
    items = value if isinstance(value, list) else [value]
    if "first" in directives and isinstance(value, list):
        value, items = value[:1], items[:1]
    endings = [f".{suffix}" for suffix in suffixes] if suffixes is not None else [""] * len(items)
    if "flatten" in directives:
        return _lifted(result, zip(items, endings, strict=False))
    if suffixes is not None:
        for item, ending in zip(items, endings, strict=False):
            result.setdefault(name + ending, []).append(item)
        if "singleton" in directives:
            _unlist(result, {name + ending: name for ending in endings}, {name: how[0]})
        return {}
    result[name] = value
    if "singleton" in directives and isinstance(value, list):
        _unlist(result, {name: name}, {name: how[0]})
    return {}


def _lifted(result: dict[str, Any], items: Iterable[tuple[Any, str]]) -> dict[str, str]:
    lifted: dict[str, str] = {}
    for item, ending in items:
        for inner, found in item.items() if isinstance(item, dict) else ():
            lifted[inner + ending] = inner
            values = found if isinstance(found, list) else [found]
            result.setdefault(inner + ending, []).extend(value for value in values if value is not None)
    return lifted


def _unlist(result: dict[str, Any], names: Mapping[str, str], fields: Mapping[str, list[FieldNode]]) -> None:
    """What is called a singleton is one value, or none."""
    for name, asked in names.items():
        if "singleton" not in _directives(fields.get(asked, ())) or not isinstance(result.get(name), list):
            continue
        values = [value for value in result[name] if value is not None]
        if len(values) > 1:
            raise BadRequest("@singleton is on a list of several", name)
        result[name] = values[0] if values else None
