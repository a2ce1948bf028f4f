"""What a page of a search brings along, in rounds: what was brought along may itself refer to more.

https://hl7.org/fhir/R4/search.html#include

A link to what the caller may not see is left alone, as one that leads nowhere.
"""

from collections.abc import Sequence

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.problem import Forbidden, TooCostly
from fhir_gateway.records.desk import Author, Desk
from fhir_gateway.records.journal import Visit
from fhir_gateway.search import include
from fhir_gateway.search.controls import Include
from fhir_gateway.search.include import ANY
from fhir_gateway.search.query import Query
from fhir_gateway.security.access import may
from fhir_gateway.security.sight import Reader
from fhir_gateway.store.port import Version

INTERACTION = "search-type"
ROUNDS = 20

Found = dict[str, Version]


async def brought_along(desk: Desk, visit: Visit, query: Query, matches: Sequence[Version]) -> list[Version]:
    """Each record once, and none of the page itself. Raises TooCostly beyond what a page may bring along."""
    found: Found = {}
    page = {version.reference for version in matches}
    fresh, includes, revincludes = list(matches), query.includes, query.revincludes
    for _ in range(ROUNDS):
        if not fresh or not (includes or revincludes):
            break
        new = await _referred(desk, visit, includes, fresh) | await _referring(desk, visit, revincludes, fresh)
        fresh = [version for name, version in new.items() if name not in found and name not in page]
        found |= {version.reference: version for version in fresh}
        if len(found) > desk.include_limit:
            text = f"a page may bring along {desk.include_limit} records; ask for fewer with _count"
            raise TooCostly(text, "_include")
        includes, revincludes = (tuple(one for one in asked if one.iterate) for asked in (includes, revincludes))
    return list(found.values())


async def _referred(desk: Desk, visit: Visit, includes: Sequence[Include], fresh: Sequence[Version]) -> Found:
    resources = [decode_resource(version.body) for version in fresh] if includes else []
    wanted = include.references(includes, resources)
    there = await desk.store.currents(wanted[: desk.include_limit + 1]) if wanted else {}
    wild = {target for target in {version.type for version in there.values()} if _is_wild(includes, target)}
    readers = _readers(visit, {version.type for version in there.values()}, wild)
    found = {
        reference: there[reference]
        for reference in wanted
        if reference in there and there[reference].type in readers and not there[reference].deleted
        if Author(readers[there[reference].type]).sees(there[reference])
    }
    queries = include.addressed(includes, resources, desk.include_limit + 1)
    return found | await _pages(desk, visit, queries, {query.type for query in queries})


def _is_wild(includes: Sequence[Include], target: str) -> bool:
    """Whether the type was met, not asked for: then a caller who may not search it gets the rest."""
    return not any(one.target == target for one in includes)


async def _referring(desk: Desk, visit: Visit, includes: Sequence[Include], fresh: Sequence[Version]) -> Found:
    if not includes:
        return {}
    names = [name for version in fresh for name in _names(version)]
    queries = include.reverse(includes, names, desk.include_limit + 1)
    named = {one.source for one in includes if one.source != ANY}
    return await _pages(desk, visit, queries, {query.type for query in queries} - named)


def _names(version: Version) -> list[str]:
    """What others may call the record: by its id, and by its canonical address where it has one."""
    address = decode_resource(version.body).get("url", "") if include.has_address(version.type) else ""
    return [version.reference, *([f"{version.type}/{address}"] if address else [])]


async def _pages(desk: Desk, visit: Visit, queries: Sequence[Query], wild: set[str]) -> Found:
    readers = _readers(visit, {query.type for query in queries}, wild)
    found: Found = {}
    for query in queries:
        if query.type in readers:
            page = await desk.store.find(query, readers[query.type])
            found |= {version.reference: version for version in page}
    return found


def _readers(visit: Visit, types: set[str], wild: set[str]) -> dict[str, Reader]:
    """Who the caller is to each type. Raises Forbidden for a type that was asked for, and leaves out others."""
    readers: dict[str, Reader] = {}
    for type_ in sorted(types):
        try:
            readers[type_] = may(visit.caller, INTERACTION, type_).reader
        except Forbidden:
            if type_ not in wild:
                raise
    return readers
