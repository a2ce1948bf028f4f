"""What a page brings along: the records it refers to, and the records that refer to it.

https://hl7.org/fhir/R4/search.html#include
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from fhir_gateway.fhir.definitions import resource_types
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.search.controls import Include
from fhir_gateway.search.criteria import UNIT, Choice, Condition, prefixed
from fhir_gateway.search.entries import Entries
from fhir_gateway.search.kinds import reference
from fhir_gateway.search.query import Query
from fhir_gateway.search.registry import Parameter, parameters

ANY, ADDRESS = "*", "url"


def references(includes: Sequence[Include], resources: Sequence[Resource]) -> tuple[str, ...]:
    """``Type/id`` of what ``_include`` asks for, in the order found, each once."""
    return tuple(
        dict.fromkeys(
            target for include in includes for resource in resources for target in _targets(include, resource)
        )
    )


def _targets(include: Include, resource: Resource) -> Iterator[str]:
    source = resource["resourceType"]
    if include.source not in (source, ANY):
        return
    for parameter in _parameters(source, include.parameter):
        for key in _keys(parameter, resource):
            id_, _, type_ = key.partition(":")[2].partition(UNIT)
            if type_ in resource_types() and type_ == (include.target or type_):
                yield f"{type_}/{id_}"


def addressed(includes: Sequence[Include], resources: Sequence[Resource], limit: int) -> tuple[Query, ...]:
    """The searches for what ``_include`` asks for by its canonical address."""
    wanted: dict[str, dict[str, None]] = {}
    for include in includes:
        for resource in resources:
            for target, address in _addresses(include, resource):
                wanted.setdefault(target, {})[address] = None
    return tuple(Query(target, (named(ADDRESS, addresses),), size=limit) for target, addresses in wanted.items())


def _addresses(include: Include, resource: Resource) -> Iterator[tuple[str, str]]:
    source = resource["resourceType"]
    for parameter in _parameters(source, include.parameter) if include.source in (source, ANY) else ():
        targets = [one for one in parameter.targets if one == (include.target or one) and has_address(one)]
        for key in _keys(parameter, resource) if targets else ():
            address = key.partition(":")[2].partition(UNIT)[0]
            yield from ((target, address) for target in targets if ":" in address)


def has_address(type_: str) -> bool:
    """Whether records of the type are also referred to by their canonical address."""
    return ADDRESS in parameters(type_)


def named(key: str, addresses: Iterable[str]) -> Condition:
    """The parameter ``key`` is one of these addresses, in any version."""
    return Condition(tuple(Choice(*prefixed(key, address + UNIT)) for address in addresses), 3)


@cache
def _parameters(source: str, code: str) -> tuple[Parameter, ...]:
    known = parameters(source).values()
    return tuple(one for one in known if one.kind == "reference" and one.searchable and code in (ANY, one.code))


def _keys(parameter: Parameter, resource: Resource) -> Iterator[str]:
    entries = Entries()
    for path in parameter.paths:
        for member, child in resource.items():
            if path.begins(member):
                for value in path.values(child):
                    reference.index(parameter.key, value, entries)
    yield from entries.keys


def reverse(includes: Sequence[Include], references: Sequence[str], limit: int) -> tuple[Query, ...]:
    """The searches that ``_revinclude`` asks for: what refers to ``references``, at most ``limit`` of a type.

    A reference is ``Type/id``, or ``Type/`` and a canonical address.
    """
    choices: dict[str, dict[Choice, None]] = {}
    for include in includes:
        for source in _sources(include):
            choices.setdefault(source, {}).update(dict.fromkeys(_choices(include, source, references)))
    return tuple(Query(source, (Condition(tuple(asked), 2),), size=limit) for source, asked in choices.items() if asked)


def _sources(include: Include) -> Sequence[str]:
    # Every look at a record leaves an AuditEvent that refers to it: these come along only when they are named.
    return sorted(resource_types() - {"AuditEvent"}) if include.source == ANY else (include.source,)


def _choices(include: Include, source: str, references: Sequence[str]) -> Iterator[Choice]:
    for parameter in _parameters(source, include.parameter):
        for each in references:
            type_, _, id_ = each.partition("/")
            if include.target in (None, type_) and (not parameter.targets or type_ in parameter.targets):
                if ":" in id_:
                    yield Choice(*prefixed(parameter.key, id_ + UNIT))
                else:
                    yield Choice(f"{parameter.key}:{id_}{UNIT}{type_}")
