"""Finding records: one page, what it brings along, how many there are in all, where the next page begins.

https://hl7.org/fhir/R4/search.html
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import urlencode

from fhir_gateway.records.along import brought_along
from fhir_gateway.records.cost import explained, must_be_affordable
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.ground import TYPES, Ground, Pair
from fhir_gateway.records.inside import Found, look_inside
from fhir_gateway.records.journal import Touched, Visit, patients, record
from fhir_gateway.records.position import Position, position
from fhir_gateway.records.settle import settle
from fhir_gateway.search import cursor
from fhir_gateway.search.query import Query, Sizes, parse
from fhir_gateway.search.registry import parameters
from fhir_gateway.security.sight import Reader
from fhir_gateway.store.port import Version

INTERACTION = "search-type"
NAMED_PATIENTS = 5
AT_ONCE = 16
ESTIMATED = 10_000
"""As many are counted for an estimate that no sample tells; what is more is said to be as many."""

Pairs = Sequence[Pair]


@dataclass(frozen=True, slots=True)
class Page:
    """``total`` is None when it was not wanted. ``following`` and ``preceding`` are the cursors of the pages around.

    ``explanation`` is the text of an OperationOutcome where one was asked for.
    """

    query: Query
    matches: tuple[Version, ...]
    included: tuple[Version, ...]
    total: int | None
    following: str = ""
    preceding: str = ""
    path: str = ""
    explanation: bytes = b""


@dataclass(frozen=True, slots=True)
class _Question:
    """One search: a query for each type, each with the reader that the caller is there, all of one order."""

    parts: tuple[tuple[Query, Reader], ...]

    @property
    def query(self) -> Query:
        """What is the same in all parts."""
        return self.parts[0][0]


async def search(desk: Desk, visit: Visit, type_: str, pairs: Pairs, lenient: bool = False) -> Page:
    """One page of what the caller may see. Raises BadRequest for what is not understood, unless ``lenient``."""
    return await search_on(desk, visit, Ground(type_), pairs, lenient)


async def search_on(desk: Desk, visit: Visit, ground: Ground, pairs: Pairs, lenient: bool = False) -> Page:
    """As ``search``, on any ground: several types, the whole system, a compartment."""
    question = await _question(desk, visit, ground, (pairs, lenient))
    query = question.query
    inside = await look_inside(desk, visit, question.parts[0], query.inside) if query.inside else None
    matches, more = await _matches(desk, question, inside)
    total = await _total(desk, question, len(matches), more) if inside is None else inside.total(query)
    included = await brought_along(desk, visit, query, matches)
    explanation = await explained(desk, inside.parts if inside else question.parts) if query.explain else b""
    shown = inside.holders(matches) if inside else matches
    await record(desk, visit, ground.interaction, _touched(ground.path, pairs, (*shown, *included)))
    before, after = _around(desk, replace(query, counted=total), matches, more)
    return Page(query, tuple(matches), tuple(included), total, after, before, ground.path, explanation)


def _touched(path: str, pairs: Pairs, shown: Sequence[Version]) -> Touched:
    """The search as asked, and the patients it showed where they are few: each name is paid for on every search."""
    about = patients(shown)
    return Touched(about if len(about) <= NAMED_PATIENTS else (), f"{path}?{urlencode(pairs)}")


async def _question(desk: Desk, visit: Visit, ground: Ground, asked: tuple[Pairs, bool]) -> _Question:
    readers = ground.types(visit, asked[0])
    pairs, lenient = _own_addresses(desk, next(iter(readers)), asked[0]), asked[1]
    parts: list[tuple[Query, Reader]] = []
    for query in _parsed(desk, ground, list(readers), pairs, lenient):
        criteria = (*ground.criteria(query.type), *query.criteria)
        settled = await settle(desk, visit, replace(_placed(desk, query, pairs), criteria=criteria))
        await must_be_affordable(desk, settled, readers[query.type])
        parts.append((settled, readers[query.type]))
    return _Question(tuple(parts))


def _own_addresses(desk: Desk, type_: str, pairs: Pairs) -> Pairs:
    """A reference to a record of this server may be written as its whole address."""
    here = f"{desk.base_url}/"
    if not any(here in value for _, value in pairs):
        return pairs
    links = {one.code for one in parameters(type_).values() if one.kind == "reference"}
    return [(name, value.replace(here, "") if name.partition(":")[0] in links else value) for name, value in pairs]


def _parsed(desk: Desk, ground: Ground, types: Sequence[str], pairs: Pairs, lenient: bool) -> list[Query]:
    """A query for each type. Where only some types know a parameter, lenient search leaves it out for all."""
    rest = pairs if ground.type else [pair for pair in pairs if pair[0] != TYPES]
    alone = bool(ground.type) and not ground.owner
    read = partial(parse, deep=alone, sizes=Sizes(desk.page_size, desk.page_limit))
    queries = [read(type_, rest, lenient=lenient) for type_ in types]
    kept = [pair for pair in rest if pair[0] == cursor.CURSOR or all(pair in query.used for query in queries)]
    if len(kept) < len(rest) and len(types) > 1:
        queries = [read(type_, kept) for type_ in types]
    used = tuple(pair for pair in pairs if pair[0] != cursor.CURSOR and (pair in kept or pair not in rest))
    return [replace(query, used=used, path=ground.path) for query in queries]


def _placed(desk: Desk, query: Query, pairs: Pairs) -> Query:
    told = next((value for name, value in pairs if name == cursor.CURSOR), None)
    return query if told is None else cursor.resume(query, told, desk.cursor_secret)


async def _matches(desk: Desk, question: _Question, inside: Found | None) -> tuple[list[Version], bool]:
    """The page, and whether more lies beyond it: one record more than the page is asked for to know.

    ``inside`` has them all already, where contained resources are among them.
    """
    query = question.query
    if query.count_only:
        return [], False
    size = query.size + 1
    found = inside.page(query, size) if inside else await _found(desk, question, size)
    more = len(found) > query.size
    return (found[-query.size :] if query.backwards else found[: query.size]), more


async def _found(desk: Desk, question: _Question, size: int) -> list[Version]:
    """At most ``size`` records nearest to the position, in order."""
    if len(question.parts) == 1:
        query, reader = question.parts[0]
        return await desk.store.find(replace(query, size=size), reader)
    found: list[tuple[Position, Version]] = []
    for at in range(0, len(question.parts), AT_ONCE):
        if _is_full(question.query, found, size):
            break
        parts = question.parts[at : at + AT_ONCE]
        pages = await asyncio.gather(*(desk.store.find(replace(one, size=size), reader) for one, reader in parts))
        found += [(position(parts[0][0], version), version) for page in pages for version in page]
    for at, sort in reversed([*enumerate(question.query.order)]):
        found.sort(key=lambda one: one[0][at], reverse=sort.descending)
    kept = found[-size:] if question.query.backwards else found[:size]
    return [version for _, version in kept]


def _is_full(query: Query, found: Sequence[object], size: int) -> bool:
    """Types follow each other in the order of the id: a full page needs no further ones."""
    return len(query.order) == 1 and len(found) >= size and not query.backwards and not query.order[0].descending


async def _total(desk: Desk, question: _Question, found: int, more: bool) -> int | None:
    """Counted by the database only where neither this page nor one before it tells it already."""
    query = question.query
    if query.total == "none" and not query.count_only:
        return None
    if not (query.count_only or query.after or more):
        return found
    if query.counted is not None:
        return query.counted
    if query.total == "estimate":
        counts = [desk.store.estimate(one, reader, ESTIMATED) for one, reader in question.parts]
    else:
        counts = [desk.store.count(one, reader) for one, reader in question.parts]
    return sum(await asyncio.gather(*counts))


def _around(desk: Desk, query: Query, matches: Sequence[Version], more: bool) -> tuple[str, str]:
    """The cursors of the page before and the page after; empty where there is none."""
    if not matches:
        return "", ""
    came_from = bool(query.after)
    before, after = (more, came_from) if query.backwards else (came_from, more)
    return _cursor(desk, query, matches[0], True) if before else "", _cursor(desk, query, matches[-1]) if after else ""


def _cursor(desk: Desk, query: Query, version: Version, backwards: bool = False) -> str:
    return cursor.issue(query, position(query, version), desk.cursor_secret, backwards)
