"""The whole schema for tools that ask for it: answered by parts that are written once, however often they stand in it.

https://spec.graphql.org/October2021/#sec-Introspection

The schema of R4 is 31 MB of JSON, most of it the search parameters of each list in each type. Executed field by field
that took 9 s; a search's parameters are the same object wherever it stands, so its text is made once: 0.7 s.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any, cast
from zlib import compress, decompress

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SchemaMetaFieldDef,
    SelectionSetNode,
    TypeMetaFieldDef,
    get_argument_values,
    get_operation_ast,
    get_variable_values,
    is_leaf_type,
    is_list_type,
    print_ast,
)
from graphql.execution.values import VariableValues

from fhir_gateway.fhir.codec import encode
from fhir_gateway.problem import BadRequest

Fragments = Mapping[str, FragmentDefinitionNode]
KEPT = 4
TYPE_NAME = "__typename"
_ROOT: dict[str, Any] = {"__schema": SchemaMetaFieldDef, "__type": TypeMetaFieldDef}


_answers: OrderedDict[tuple[Any, ...], bytes] = OrderedDict()


def asks_of_the_schema(operation: OperationDefinitionNode, fragments: Fragments) -> bool:
    """Whether it asks of nothing else."""
    names = {node.name.value for node in _flat(operation.selection_set, fragments)}
    return bool(names & _ROOT.keys()) and names <= {*_ROOT, TYPE_NAME}


def answer(schema: GraphQLSchema, document: DocumentNode, name: str | None, variables: dict[str, Any]) -> bytes:
    """The answer to such a question as JSON. What was asked lately is kept: tools ask the same again and again."""
    key = (id(schema), print_ast(document), name, encode(variables))
    if key not in _answers:
        _answers[key] = compress(b'{"data":' + _told(schema, document, name, variables) + b"}", 1)
        while len(_answers) > KEPT:
            _answers.popitem(last=False)
    return decompress(_answers[key])


def _told(schema: GraphQLSchema, document: DocumentNode, name: str | None, variables: dict[str, Any]) -> bytes:
    operation = get_operation_ast(document, name)
    assert operation is not None
    given = get_variable_values(schema, operation.variable_definitions or (), variables)
    if isinstance(given, list):
        raise BadRequest(given[0].message, "variables")
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    writer = _Writer(schema, fragments, given)
    parts = []
    for key, nodes in writer.fields([operation.selection_set]).items():
        asked = nodes[0].name.value
        query = schema.query_type
        text = encode(query.name if query else "") if asked == TYPE_NAME else writer.field(None, _ROOT[asked], nodes)
        parts.append(encode(key) + b":" + text)
    return b"{" + b",".join(parts) + b"}"


def _flat(selections: SelectionSetNode, fragments: Fragments) -> Iterator[FieldNode]:
    for node in selections.selections:
        if isinstance(node, FieldNode):
            yield node
        elif isinstance(node, FragmentSpreadNode):
            yield from _flat(fragments[node.name.value].selection_set, fragments)
        elif isinstance(node, InlineFragmentNode):
            yield from _flat(node.selection_set, fragments)


class _Writer:
    """One answer on its way. ``_kept`` holds what was written, by thing and by what is asked of it."""

    def __init__(self, schema: GraphQLSchema, fragments: Fragments, variables: VariableValues) -> None:
        self._info = SimpleNamespace(schema=schema)
        self._fragments, self._variables = fragments, variables
        self._kept: dict[tuple[Any, ...], bytes] = {}
        self._held: list[Any] = []
        self._fields: dict[tuple[int, ...], dict[str, list[FieldNode]]] = {}

    def fields(self, selections: list[SelectionSetNode]) -> dict[str, list[FieldNode]]:
        key = tuple(map(id, selections))
        if key not in self._fields:
            found: dict[str, list[FieldNode]] = {}
            for node in (node for one in selections for node in _flat(one, self._fragments)):
                if node.directives:
                    raise BadRequest("a question about the schema takes no directives", "query")
                found.setdefault((node.alias or node.name).value, []).append(node)
            self._fields[key] = found
        return self._fields[key]

    def field(self, source: Any, definition: Any, nodes: list[FieldNode]) -> bytes:
        arguments = get_argument_values(definition, nodes[0], self._variables)
        value = definition.resolve(source, self._info, **arguments)
        return self._complete(value, definition.type, nodes)

    def _complete(self, value: Any, kind: Any, nodes: list[FieldNode]) -> bytes:
        if isinstance(kind, GraphQLNonNull):
            kind = kind.of_type
        if value is None:
            return b"null"
        if is_list_type(kind):
            return b"[" + b",".join(self._complete(one, kind.of_type, nodes) for one in value) + b"]"
        if is_leaf_type(kind):
            return encode(kind.serialize(value))
        return self._object(value, cast(GraphQLObjectType, kind), nodes)

    def _object(self, value: Any, kind: GraphQLObjectType, nodes: list[FieldNode]) -> bytes:
        selections = [node.selection_set for node in nodes if node.selection_set]
        # Fields, arguments and values come as pairs of their name and themselves.
        same = (value[0], id(value[1])) if isinstance(value, tuple) else (id(value),)
        key = (*same, *map(id, selections))
        if key not in self._kept:
            parts = (
                encode(name) + b":" + self._member(value, kind, asked)
                for name, asked in self.fields(selections).items()
            )
            self._kept[key] = b"{" + b",".join(parts) + b"}"
            # Held, so that nothing else gets the same identity meanwhile.
            self._held.append(value)
        return self._kept[key]

    def _member(self, value: Any, kind: GraphQLObjectType, asked: list[FieldNode]) -> bytes:
        name = asked[0].name.value
        return encode(kind.name) if name == TYPE_NAME else self.field(value, kind.fields[name], asked)
