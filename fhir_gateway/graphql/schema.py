"""The GraphQL schema of R4: one type for each class of the definitions, one search for each resource type.

https://hl7.org/fhir/R4/graphql.html
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

from graphql import (
    DirectiveLocation,
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLDirective,
    GraphQLField,
    GraphQLFloat,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    specified_directives,
)

from fhir_gateway.fhir.definitions import resource_types, types
from fhir_gateway.fhir.elements import choice, is_primitive, members
from fhir_gateway.graphql import resolve
from fhir_gateway.search.registry import parameters

_OWN = {"boolean": GraphQLBoolean, "string": GraphQLString, "integer": GraphQLInt}
_TEXTS = GraphQLArgument(GraphQLList(GraphQLString))
_NUMBER = GraphQLArgument(GraphQLInt)
SHAPES = (
    *(GraphQLDirective(name, [DirectiveLocation.FIELD]) for name in ("flatten", "first", "singleton")),
    GraphQLDirective("slice", [DirectiveLocation.FIELD], {"path": GraphQLArgument(GraphQLNonNull(GraphQLString))}),
)


@cache
def schema(root: str = "") -> GraphQLSchema:
    """The schema of the whole server; with a resource type, that of one record, whose elements are the root."""
    query = _object(root) if root else GraphQLObjectType("Query", lambda: dict(_root()))
    every = [_object(name) for name in sorted(resource_types())]
    return GraphQLSchema(query, types=every, directives=[*specified_directives, *SHAPES])


def argument_name(code: str) -> str:
    """A search parameter as GraphQL spells it."""
    return code.replace("-", "_")


def _root() -> Iterator[tuple[str, GraphQLField]]:
    for name in sorted(resource_types()):
        by_id = {"id": GraphQLArgument(GraphQLNonNull(GraphQLString))}
        yield name, GraphQLField(_object(name), by_id, resolve=resolve.reading(name))
        yield f"{name}List", _list(name, reverse=False)
        yield f"{name}Connection", _connection(name)


@cache
def _scalar(kind: str) -> GraphQLScalarType:
    return _OWN.get(kind) or GraphQLScalarType(kind, serialize=_as_it_is)


def _as_it_is(value: Any) -> Any:
    return value


@cache
def _resource() -> GraphQLInterfaceType:
    """What all resources have."""

    def fields() -> dict[str, GraphQLField]:
        common = {name: GraphQLField(_scalar(kind)) for name, kind in (("id", "id"), ("language", "code"))}
        common |= {"resourceType": GraphQLField(_scalar("code")), "implicitRules": GraphQLField(_scalar("uri"))}
        return {**common, "meta": GraphQLField(_object("Meta"))}

    return GraphQLInterfaceType("Resource", fields, resolve_type=lambda value, *_: value["resourceType"])


@cache
def _object(kind: str) -> GraphQLObjectType:
    """A class of elements; ``Patient.contact`` is called ``Patient_contact``."""
    is_resource = types()[kind]["kind"] == "resource"
    return GraphQLObjectType(
        kind.replace(".", "_"),
        lambda: dict(_fields(kind)),
        interfaces=lambda: [_resource()] if is_resource else [],
    )


def _fields(kind: str) -> Iterator[tuple[str, GraphQLField]]:
    known = members(kind)
    for name, facts in types()[kind]["elements"].items():
        many = facts.get("max", "1") != "1"
        names = [choice(name, code) for code in facts["types"]] if name.endswith("[x]") else [name]
        for member in names:
            yield member, _field(known[member], many=many, is_id=member == "id")
            if f"_{member}" in known:
                yield f"_{member}", _field("Element", many=many)
    if kind == "Reference":
        wanted = {"type": GraphQLArgument(GraphQLString), "optional": GraphQLArgument(GraphQLBoolean)}
        yield "resource", GraphQLField(_resource(), wanted, resolve=resolve.referred)
    if types()[kind]["kind"] == "resource":
        yield "resourceType", GraphQLField(_scalar("code"))
        for source in _referring(kind):
            yield f"{source}List", _list(source, reverse=True)


def _field(kind: str, *, many: bool, is_id: bool = False) -> GraphQLField:
    if kind == "Resource":
        return GraphQLField(GraphQLList(_resource()) if many else _resource())
    if is_primitive(kind):
        scalar = _scalar("id" if is_id else kind)
        return GraphQLField(GraphQLList(scalar) if many else scalar)
    if not many:
        return GraphQLField(_object(kind))
    return GraphQLField(GraphQLList(_object(kind)), _filters(kind), resolve=resolve.listed)


@cache
def _filters(kind: str) -> dict[str, GraphQLArgument]:
    """A list of elements is narrowed by its members of a primitive type, by FHIRPath, and by place."""
    own = {
        name: GraphQLArgument(_scalar(child))
        for name, child in members(kind).items()
        if is_primitive(child) and name != "id" and not name.startswith("_")
    }
    return {**own, "fhirpath": GraphQLArgument(GraphQLString), "_offset": _NUMBER, "_count": _NUMBER}


@cache
def _referring(kind: str) -> tuple[str, ...]:
    """The types that have a parameter for references to this one."""
    return tuple(
        name
        for name in sorted(resource_types())
        if any(kind in one.targets for one in parameters(name).values() if one.kind == "reference")
    )


@cache
def _list(name: str, *, reverse: bool) -> GraphQLField:
    back = {"_reference": GraphQLArgument(GraphQLNonNull(GraphQLString))} if reverse else {}
    return GraphQLField(GraphQLList(_object(name)), {**_searched(name), **back}, resolve=resolve.searching(name))


@cache
def _searched(name: str) -> dict[str, GraphQLArgument]:
    codes = [code for code, one in parameters(name).items() if one.searchable]
    controls = {"_count": _NUMBER, "_sort": GraphQLArgument(GraphQLString), "_cursor": GraphQLArgument(GraphQLString)}
    return {**{argument_name(code): _TEXTS for code in codes}, **controls}


@cache
def _connection(name: str) -> GraphQLField:
    """A page of a search with its count, its place and the cursors of others."""
    edge = GraphQLObjectType(
        f"{name}Edge",
        lambda: {
            "mode": GraphQLField(_scalar("code")),
            "score": GraphQLField(GraphQLFloat),
            "resource": GraphQLField(_object(name)),
        },
    )
    facts = {name: GraphQLField(GraphQLInt) for name in ("count", "offset", "pagesize")}
    cursors = {name: GraphQLField(_scalar("id")) for name in ("first", "previous", "next", "last")}
    page = GraphQLObjectType(f"{name}Connection", {**facts, **cursors, "edges": GraphQLField(GraphQLList(edge))})
    return GraphQLField(page, _searched(name), resolve=resolve.paging(name))
