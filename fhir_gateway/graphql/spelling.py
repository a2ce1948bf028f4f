"""A question as FHIR's own examples write it, brought to the words of this schema.

https://hl7.org/fhir/R4/graphql.html
"""

from typing import Any, cast

from graphql import (
    ArgumentNode,
    BooleanValueNode,
    EnumValueNode,
    FieldNode,
    FloatValueNode,
    InlineFragmentNode,
    IntValueNode,
    NamedTypeNode,
    NameNode,
    SelectionSetNode,
    StringValueNode,
    Visitor,
)

from fhir_gateway.fhir.definitions import resource_types

_COMMON = frozenset({"id", "language", "resourceType", "implicitRules", "meta", "__typename"})


class Words(Visitor):
    """FHIR's own examples write ``type: Patient`` and ``_reference: subject``; the schema has no enums, but texts."""

    def enter_enum_value(self, node: EnumValueNode, *_: Any) -> StringValueNode:
        return StringValueNode(value=node.value, loc=node.loc)

    def enter_field(self, node: FieldNode, *_: Any) -> FieldNode | None:
        """``PatientList(active: true)`` searches by a text; ``resource(type: Patient) {active}`` is about Patients."""
        if node.name.value.endswith(("List", "Connection")) and node.arguments:
            return cast(FieldNode, _with(node, arguments=tuple(map(_as_text, node.arguments))))
        if node.name.value == "resource" and node.arguments and node.selection_set:
            return _of_its_type(node)
        return None


def _with(node: Any, **changes: Any) -> Any:
    return type(node)(**{name: changes.get(name, getattr(node, name)) for name in (*node.keys, "loc")})


def _as_text(argument: ArgumentNode) -> ArgumentNode:
    value = argument.value
    if argument.name.value.startswith("_") or not isinstance(value, BooleanValueNode | IntValueNode | FloatValueNode):
        return argument
    text = str(value.value).lower() if isinstance(value, BooleanValueNode) else value.value
    return cast(ArgumentNode, _with(argument, value=StringValueNode(value=text, loc=value.loc)))


def _of_its_type(node: FieldNode) -> FieldNode | None:
    """The fields that only the named type has, asked of it."""
    named = next((one.value for one in node.arguments or () if one.name.value == "type"), None)
    kind = getattr(named, "value", None)
    if kind not in resource_types() or node.selection_set is None:
        return None
    every = node.selection_set.selections
    own = tuple(one for one in every if isinstance(one, FieldNode) and one.name.value not in _COMMON)
    if not own:
        return None
    asked = NamedTypeNode(name=NameNode(value=kind, loc=node.loc), loc=node.loc)
    fields = SelectionSetNode(selections=own, loc=node.loc)
    part = InlineFragmentNode(type_condition=asked, directives=(), selection_set=fields, loc=node.loc)
    rest = tuple(one for one in every if not any(one is each for each in own))
    return cast(FieldNode, _with(node, selection_set=SelectionSetNode(selections=(*rest, part), loc=node.loc)))
