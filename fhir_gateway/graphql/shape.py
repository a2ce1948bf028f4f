"""FHIR's directives on the result: ``@flatten`` lifts children up, ``@first`` takes one, ``@singleton`` unlists.

https://hl7.org/fhir/R4/graphql.html#list-manipulation
"""

from collections.abc import Iterable, Mapping
from typing import Any

from graphql import FieldNode, FragmentDefinitionNode, FragmentSpreadNode, InlineFragmentNode, SelectionSetNode

from fhir_gateway.problem import BadRequest

Fragments = Mapping[str, FragmentDefinitionNode]


def shaped(found: Any, selections: Iterable[SelectionSetNode], fragments: Fragments) -> Any:
    """The result with the directives of its question carried out."""
    if isinstance(found, list):
        return [shaped(item, selections, fragments) for item in found]
    if not isinstance(found, dict):
        return found
    fields: dict[str, list[FieldNode]] = {}
    for one in selections:
        _collect(one, fragments, fields)
    result: dict[str, Any] = {}
    for name, value in found.items():
        nodes = fields.get(name, [])
        inner = shaped(value, [node.selection_set for node in nodes if node.selection_set], fragments)
        _put(result, name, inner, {one.name.value for node in nodes for one in node.directives or ()})
    return result


def _collect(selections: SelectionSetNode, fragments: Fragments, fields: dict[str, list[FieldNode]]) -> None:
    for node in selections.selections:
        if isinstance(node, FieldNode):
            fields.setdefault((node.alias or node.name).value, []).append(node)
        elif isinstance(node, FragmentSpreadNode):
            _collect(fragments[node.name.value].selection_set, fragments, fields)
        elif isinstance(node, InlineFragmentNode):
            _collect(node.selection_set, fragments, fields)


def _put(result: dict[str, Any], name: str, value: Any, directives: set[str]) -> None:
    if "first" in directives and isinstance(value, list):
        value = value[:1]
    if "flatten" in directives:
        for item in value if isinstance(value, list) else [value]:
            for inner, found in item.items() if isinstance(item, dict) else ():
                result.setdefault(inner, []).extend(found if isinstance(found, list) else [found])
        return
    if "singleton" in directives and isinstance(value, list):
        if len(value) > 1:
            raise BadRequest("@singleton is on a list of several", name)
        value = value[0] if value else None
    result[name] = value
