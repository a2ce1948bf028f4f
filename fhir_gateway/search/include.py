"""What a page brings along: the records it refers to, and the records that refer to it.

https://hl7.org/fhir/R4/search.html#include
"""

from collections.abc import Iterator, Sequence

from fhir_gateway.fhir.definitions import resource_types
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.search.controls import Include
from fhir_gateway.search.criteria import UNIT, Choice, Condition
from fhir_gateway.search.entries import Entries
from fhir_gateway.search.kinds import reference
from fhir_gateway.search.query import Query
from fhir_gateway.search.registry import Parameter, parameters


def references(query: Query, resources: Sequence[Resource]) -> tuple[str, ...]:
    """``Type/id`` of what ``_include`` asks for, in the order found, each once, without the page's own records."""
    page = {f"{resource['resourceType']}/{resource['id']}" for resource in resources}
    found = dict.fromkeys(
        target for include in query.includes for resource in resources for target in _targets(include, resource)
    )
    return tuple(target for target in found if target not in page)


def _targets(include: Include, resource: Resource) -> Iterator[str]:
    if resource["resourceType"] != include.source:
        return
    for parameter in _parameters(include):
        for key in _keys(parameter, resource):
            id_, _, type_ = key.partition(":")[2].partition(UNIT)
            if type_ in resource_types() and type_ == (include.target or type_):
                yield f"{type_}/{id_}"


def _parameters(include: Include) -> list[Parameter]:
    return [
        one
        for one in parameters(include.source).values()
        if one.kind == "reference" and one.searchable and include.parameter in ("*", one.code)
    ]


def _keys(parameter: Parameter, resource: Resource) -> Iterator[str]:
    entries = Entries()
    for path in parameter.paths:
        for member, child in resource.items():
            if path.begins(member):
                for value in path.values(child):
                    reference.index(parameter.key, value, entries)
    yield from entries.keys


def reverse(query: Query, references: Sequence[str], limit: int) -> tuple[Query, ...]:
    """The searches that ``_revinclude`` asks for: what refers to the page's records, at most ``limit`` each."""
    own = [reference for reference in references if reference.startswith(f"{query.type}/")]
    if not own:
        return ()
    return tuple(
        Query(include.source, (Condition(_choices(parameter, own), 2),), size=limit)
        for include in query.revincludes
        if include.target in (None, query.type)
        for parameter in _parameters(include)
        if not parameter.targets or query.type in parameter.targets
    )


def _choices(parameter: Parameter, references: Sequence[str]) -> tuple[Choice, ...]:
    split = (reference.split("/", 1) for reference in references)
    return tuple(Choice(f"{parameter.key}:{id_}{UNIT}{type_}") for type_, id_ in split)
