"""Finding records: one page, what it brings along, how many there are in all, where the next page begins.

https://hl7.org/fhir/R4/search.html
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.problem import TooCostly
from fhir_gateway.records.desk import Author, Desk
from fhir_gateway.records.journal import Touched, Visit, patients, record
from fhir_gateway.search import cursor, include
from fhir_gateway.search.extract import index
from fhir_gateway.search.query import Query, parse
from fhir_gateway.security.access import may
from fhir_gateway.store.port import Version

INTERACTION = "search-type"
CURSOR = "_cursor"
NAMED_PATIENTS = 5

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Page:
    """``total`` is None when it was not wanted; ``following`` is the cursor of the next page, empty on the last."""

    query: Query
    matches: tuple[Version, ...]
    included: tuple[Version, ...]
    total: int | None
    following: str = ""


async def search(desk: Desk, visit: Visit, type_: str, pairs: Pairs, lenient: bool = False) -> Page:
    """One page of what the caller may see. Raises BadRequest for what is not understood, unless ``lenient``."""
    access = may(visit.caller, INTERACTION, type_)
    query = _query(desk, type_, pairs, lenient)
    matches, more = await _matches(desk, query, access.reader)
    total = await _total(desk, query, access.reader, len(matches), more)
    included = await _included(desk, visit, query, matches)
    await record(desk, visit, INTERACTION, _touched(type_, pairs, (*matches, *included)))
    return Page(query, tuple(matches), tuple(included), total, _following(desk, query, matches) if more else "")


def _touched(type_: str, pairs: Pairs, shown: Sequence[Version]) -> Touched:
    """The search as asked, and the patients it showed where they are few: each name is paid for on every search."""
    about = patients(shown)
    return Touched(about if len(about) <= NAMED_PATIENTS else (), f"{type_}?{urlencode(pairs)}")


def _query(desk: Desk, type_: str, pairs: Pairs, lenient: bool) -> Query:
    query = parse(type_, pairs, lenient=lenient, page_size=desk.page_size, page_limit=desk.page_limit)
    position = next((value for name, value in pairs if name == CURSOR), None)
    return query if position is None else cursor.resume(query, position, desk.cursor_secret)


async def _matches(desk: Desk, query: Query, reader: str | None) -> tuple[list[Version], bool]:
    """The page, and whether another follows: one record more than the page is asked for to know."""
    if query.count_only:
        return [], False
    found = await desk.store.find(replace(query, size=query.size + 1), reader)
    return found[: query.size], len(found) > query.size


async def _total(desk: Desk, query: Query, reader: str | None, found: int, more: bool) -> int | None:
    """Counted by the database only where the page does not tell it already."""
    if query.total == "none" and not query.count_only:
        return None
    if query.count_only or query.after or more:
        return await desk.store.count(query, reader)
    return found


async def _included(desk: Desk, visit: Visit, query: Query, matches: Sequence[Version]) -> list[Version]:
    found: dict[str, Version] = {}
    if query.includes:
        found |= await _referred(desk, visit, query, matches)
    if query.revincludes:
        found |= await _referring(desk, visit, query, matches)
    for version in matches:
        found.pop(version.reference, None)
    if len(found) > desk.include_limit:
        raise TooCostly(f"a page may bring along {desk.include_limit} records; ask for fewer with _count", "_include")
    return list(found.values())


async def _referred(desk: Desk, visit: Visit, query: Query, matches: Sequence[Version]) -> dict[str, Version]:
    """What ``_include`` asks for. A link to what the caller may not see is left alone, as one that leads nowhere."""
    wanted = include.references(query, [decode_resource(version.body) for version in matches])
    there = await desk.store.currents(wanted[: desk.include_limit + 1]) if wanted else {}
    readers = {type_: may(visit.caller, INTERACTION, type_).reader for type_ in {v.type for v in there.values()}}
    return {
        reference: there[reference]
        for reference in wanted
        if reference in there and not there[reference].deleted
        if Author(readers[there[reference].type]).sees(there[reference])
    }


async def _referring(desk: Desk, visit: Visit, query: Query, matches: Sequence[Version]) -> dict[str, Version]:
    found: dict[str, Version] = {}
    for reverse in include.reverse(query, [version.reference for version in matches], desk.include_limit + 1):
        reader = may(visit.caller, INTERACTION, reverse.type).reader
        found |= {version.reference: version for version in await desk.store.find(reverse, reader)}
    return found


def _following(desk: Desk, query: Query, matches: Sequence[Version]) -> str:
    last = matches[-1]
    fields = index(decode_resource(last.body)) if cursor.needs_index(query) else {}
    return cursor.issue(query, cursor.position(query, last.reference, last.updated, fields), desk.cursor_secret)
