"""Variables of a question: a text goes wherever the schema has a text, or a list of texts.

The schemas that are published for FHIR say ``ID``, ``token`` or ``date`` where this one has plain texts, and clients
declare what those say. A search parameter is a list here, and often one text there.
"""

from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLType,
    NamedTypeNode,
    NameNode,
    OperationDefinitionNode,
    VariableDefinitionNode,
    VariablesInAllowedPositionRule,
    Visitor,
    get_named_type,
    is_list_type,
    is_non_null_type,
    is_scalar_type,
    specified_rules,
    type_from_ast,
    visit,
)
from graphql.validation.rules.variables_in_allowed_position import allowed_variable_usage

_TEXTS = frozenset(
    {"ID", "string", "token", "reference", "composite", "number", "quantity", "special", "base64Binary", "canonical"}
    | {"code", "date", "dateTime", "id", "instant", "markdown", "oid", "time", "uri", "url", "uuid"}
)
_OTHERS = frozenset({"Boolean", "Int", "Float", "decimal", "positiveInt", "unsignedInt"})


class _Texts(Visitor):
    def enter_named_type(self, node: NamedTypeNode, _key: Any, parent: Any, _path: Any, above: Any) -> Any:
        if node.name.value in _TEXTS and any(isinstance(one, VariableDefinitionNode) for one in (*above, parent)):
            return NamedTypeNode(name=NameNode(value="String", loc=node.name.loc), loc=node.loc)
        return None


def as_texts(document: DocumentNode) -> DocumentNode:
    """The document with variables of any kind of text declared as texts."""
    changed: DocumentNode = visit(document, _Texts())
    return changed


class _Placed(VariablesInAllowedPositionRule):
    """GraphQL's own rule, but for texts."""

    def leave_operation_definition(self, operation: OperationDefinitionNode, *_: Any) -> None:
        schema = self.context.schema
        for usage in self.context.get_recursive_variable_usages(operation):
            declared = self.var_def_map.get(usage.node.name.value)
            has = type_from_ast(schema, declared.type) if declared else None
            if declared is None or has is None or usage.type is None or _is_text_for_text(has, usage.type):
                continue
            if not allowed_variable_usage(schema, has, declared.default_value, usage.type, usage.default_value):
                name = f"Variable '${usage.node.name.value}' of type '{has}'"
                words = f"{name} used in position expecting type '{usage.type}'."
                self.report_error(GraphQLError(words, [declared, usage.node]))


def _is_text_for_text(has: GraphQLType, wanted: GraphQLType) -> bool:
    return _is_text(has) and _is_text(wanted) and (_is_list(wanted) or not _is_list(has))


def _is_list(type_: GraphQLType) -> bool:
    return is_list_type(type_.of_type if is_non_null_type(type_) else type_)


def _is_text(type_: GraphQLType) -> bool:
    named = get_named_type(type_)
    return is_scalar_type(named) and named.name not in _OTHERS


RULES = tuple(_Placed if rule is VariablesInAllowedPositionRule else rule for rule in specified_rules)
