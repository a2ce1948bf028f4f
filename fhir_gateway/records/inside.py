"""A search that looks inside records too: the contained resources that it finds, and which records they lie in.

https://hl7.org/fhir/R4/search.html#contained

An index finds what contains a resource of the type that meets each condition; of the few that are left each contained
resource is read, for one must meet them all. The answer is put together here, so there may not be many.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fhir_gateway.fhir.codec import decode_resource, encode
from fhir_gateway.fhir.definitions import resource_types
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import NotSupported, TooCostly
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.position import position
from fhir_gateway.search import containing, cursor
from fhir_gateway.search.controls import Inside
from fhir_gateway.search.criteria import Choice, Condition, Criterion
from fhir_gateway.search.extract import index_inside, ways_inside
from fhir_gateway.search.query import Query
from fhir_gateway.search.registry import parameters
from fhir_gateway.security.access import readers
from fhir_gateway.security.sight import Reader
from fhir_gateway.store.filter import conditions, falls
from fhir_gateway.store.meeting import meets, readable
from fhir_gateway.store.port import Version
from fhir_gateway.store.typed import with_type

INTERACTION = "search-type"
AT_ONCE = 16

Part = tuple[Query, Reader]


@dataclass(frozen=True, slots=True)
class Found:
    """All matches, in order. ``shown`` are the records that they are or lie in; ``parts`` are the searches made.

    A contained resource is a version of its own, with an id as its address has it: ``23#m1``.
    """

    matches: tuple[Version, ...]
    shown: Mapping[str, Version]
    parts: tuple[Part, ...]

    def page(self, query: Query, size: int) -> list[Version]:
        """At most ``size`` of them nearest to the query's position, in order."""
        beyond = [one for one in self.matches if not query.after or _is_beyond(query, position(query, one))]
        return beyond[-size:] if query.backwards else beyond[:size]

    def total(self, query: Query) -> int | None:
        return None if query.total == "none" and not query.count_only else len(self.matches)

    def holders(self, versions: Sequence[Version]) -> list[Version]:
        return [self.shown[version.reference.partition("#")[0]] for version in versions]


async def look_inside(desk: Desk, visit: Visit, part: Part, wanted: Inside) -> Found:
    """All that a settled query of one type finds. Raises TooCostly for more than ``desk.chain_limit`` records."""
    query, reader = replace(part[0], after=(), backwards=False), part[1]
    tests = [stage["$match"] for stage in conditions(query, None)]
    if not all(map(readable, tests)):
        raise NotSupported("contained resources are not searched by distance", "_contained")
    if cursor.needs_index(query) and not wanted.alone:
        raise NotSupported("containers are sorted by _id or _lastUpdated; _containedType=contained by any", "_sort")
    parts = [(query, reader)] if wanted.outside else []
    matches = await _all(desk, query, reader) if parts else []
    shown = {version.reference: version for version in matches}
    for holding in await _holding(desk, visit, query):
        parts.append(holding)
        for version in await _all(desk, *holding):
            found = [one for one in _contained(query.type, version) if all(meets(one[1], test) for test in tests)]
            matches += [_alone(version, one) for one, _ in found] if wanted.alone else [version] * bool(found)
            shown[version.reference] = version
        _must_be_few(desk, shown)
    return Found(tuple(_in_order(query, matches)), shown, tuple(parts))


async def _all(desk: Desk, query: Query, reader: Reader) -> list[Version]:
    found = await desk.store.find(replace(query, size=desk.chain_limit + 1, sorts=(), nearest=()), reader)
    _must_be_few(desk, found)
    return found


def _must_be_few(desk: Desk, found: Sequence[Version] | Mapping[str, Version]) -> None:
    if len(found) > desk.chain_limit:
        text = f"a search with '_contained' looks into at most {desk.chain_limit} records; add a condition"
        raise TooCostly(text, "_contained")


async def _holding(desk: Desk, visit: Visit, query: Query) -> list[Part]:
    """The searches for the records that may contain what the query asks for, each of one type that has such."""
    # The trail is searched only where it is named.
    allowed = readers(visit.caller, INTERACTION, sorted(resource_types() - {"AuditEvent"}))
    found: list[Part] = []
    types = list(allowed)
    for at in range(0, len(types), AT_ONCE):
        group = types[at : at + AT_ONCE]
        ways = await asyncio.gather(*(_ways(desk, query.type, type_, allowed[type_]) for type_ in group))
        found += [
            (Query(type_, _narrowed(query, way)), allowed[type_]) for type_, way in zip(group, ways, strict=True) if way
        ]
    return found


async def _ways(desk: Desk, inner: str, type_: str, reader: Reader) -> list[str]:
    """The ways that lead to contained resources of type ``inner`` in some record of the type."""
    if not await _any(desk, type_, containing.anywhere(inner), reader):
        return []
    links = {one.key: None for one in parameters(type_).values() if one.kind == "reference" and one.searchable}
    ways = [containing.NO_WAY, *links]
    there = await asyncio.gather(*(_any(desk, type_, containing.held(way, inner), reader) for way in ways))
    return [way for way, is_there in zip(ways, there, strict=True) if is_there]


async def _any(desk: Desk, type_: str, mark: Choice, reader: Reader) -> bool:
    return bool(await desk.store.references(Query(type_, (Condition((mark,), 3),), size=1), reader))


def _narrowed(query: Query, ways: Sequence[str]) -> tuple[Criterion, ...]:
    """What a record must meet to contain a match: all that an index tells of it."""
    starts = [containing.prefix(way, query.type) for way in ways]
    held = Condition(tuple(containing.held(way, query.type) for way in ways), 4)
    asked = [one for one in query.criteria if isinstance(one, Condition) and not one.absent]
    moved = [replace(one, choices=tuple(c for start in starts for c in containing.within(one, start))) for one in asked]
    return tuple(moved) or (held,)


def _contained(type_: str, version: Version) -> Iterator[tuple[Resource, dict[str, Any]]]:
    """Each contained resource of the type, and what a search sees of it."""
    found = containing.contained(decode_resource(version.body))
    for name, fields in index_inside(found).items():
        one = found[name]
        if one["resourceType"] == type_:
            own = {"_id": f"{type_}/{one['id']}", "type": type_, "id": one["id"], "updated": version.updated}
            yield one, {**with_type(type_, fields), **own, "deleted": False}


def holds(version: Version, way: str, type_: str, criterion: Criterion) -> bool:
    """Whether a way leads from the record to a contained resource of the type that meets the criterion alone."""
    resource = decode_resource(version.body)
    ways = ways_inside(resource, containing.contained(resource))
    tests = [stage["$match"] for stage in conditions(Query(type_, (criterion,)), None)]
    reached = (seen for one, seen in _contained(type_, version) if way in ways.get(f"#{one['id']}", ()))
    return any(all(meets(seen, test) for test in tests) for seen in reached)


def _alone(version: Version, one: Resource) -> Version:
    return replace(version, id=f"{version.id}#{one['id']}", body=encode(one))


def _in_order(query: Query, matches: Sequence[Version]) -> list[Version]:
    placed = [(position(query, one), one) for one in {one.reference: one for one in matches}.values()]
    for at, sort in reversed([*enumerate(query.order)]):
        placed.sort(key=lambda one: one[0][at], reverse=sort.descending)
    return [one for _, one in placed]


def _is_beyond(query: Query, place: Sequence[Any]) -> bool:
    """Whether a position lies behind that of the query, in the direction it goes."""
    for value, edge, sort in zip(place, query.after, query.order, strict=True):
        if value != edge:
            return bool((value < edge) == falls(query, sort))
    return False
