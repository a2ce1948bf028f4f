"""All there is about one patient or one encounter, page by page, with the people and places that it names.

https://hl7.org/fhir/R4/patient-operation-everything.html

Every page can be read alone: it brings along what its own records refer to, so one hospital may come with several.
"""

import asyncio
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from fhir_gateway.fhir.definitions import resource_types
from fhir_gateway.problem import BadRequest, Forbidden, Gone, NotFound
from fhir_gateway.records.care_dates import Care, within
from fhir_gateway.records.desk import Author, Desk
from fhir_gateway.records.journal import Touched, Visit, record
from fhir_gateway.search import cursor
from fhir_gateway.search.criteria import UNIT, Choice, Compartment, Condition, Criterion, Moment, Updated
from fhir_gateway.search.query import Query
from fhir_gateway.search.registry import compartment, compartment_types
from fhir_gateway.security.access import may
from fhir_gateway.security.sight import Reader
from fhir_gateway.store.port import About, Version

INTERACTION = "$everything"
AT_ONCE = 8
TRAIL = "AuditEvent"
SUPPORTING = ("Device", "Endpoint", "HealthcareService", "Location", "Medication", "Organization", "Practitioner",
              "PractitionerRole", "Substance")  # fmt: skip
"""What records refer to and no compartment holds."""


def _links(types: Iterable[str]) -> re.Pattern[bytes]:
    """Finds links to records of the types in a stored text."""
    return re.compile(rb'"reference":"((?:%s)/[A-Za-z0-9.-]{1,64})["/]' % "|".join(types).encode("ascii"))


_NAMED = _links(SUPPORTING)
_NAMED_OF_A_VISIT = _links((*SUPPORTING, "Patient"))
_HOPS = 2


@dataclass(frozen=True, slots=True)
class Wish:
    """``types`` empty means all; ``position`` is the cursor of an earlier page."""

    types: tuple[str, ...] = ()
    since: datetime | None = None
    size: int | None = None
    position: str = ""
    care: Care | None = None

    def asked(self, reference: str) -> tuple[tuple[str, str], ...]:
        """What makes this record's pages one search."""
        since = self.since.isoformat() if self.since else ""
        days = (("start", self.care.start), ("end", self.care.end)) if self.care else ()
        return ((INTERACTION, reference), ("_type", ",".join(self.types)), ("_since", since), *days)


@dataclass(frozen=True, slots=True)
class Portion:
    """One page; ``following`` is empty on the last."""

    matches: tuple[Version, ...]
    included: tuple[Version, ...]
    following: str = ""


@dataclass(frozen=True, slots=True)
class _Walk:
    """The way through the types of a compartment."""

    desk: Desk
    visit: Visit
    focal: Version
    since: datetime | None
    care: Care | None = None


async def everything(desk: Desk, visit: Visit, reference: str, wish: Wish) -> Portion:
    """One page of all about ``Type/id``. Raises NotFound for what the caller may not see, Gone for a deleted one."""
    focal = await visible(desk, visit, reference)
    query = Query(focal.type, used=wish.asked(reference))
    after = cursor.resume(query, wish.position, desk.cursor_secret).after if wish.position else ()
    # The record itself comes first, wherever the alphabet has its type.
    start = str(after[0]) if after and after[0] != reference else ""
    size = min(desk.page_size if wish.size is None else max(wish.size, 1), desk.page_limit)
    own = [focal] if not after and _is_wanted(focal, wish) else []
    walk = _Walk(desk, visit, focal, wish.since, wish.care)
    found = [*own, *await _found(walk, _types(focal.type, wish), start, size + 1 - len(own))]
    matches, more = found[:size], len(found) > size
    named = _NAMED if focal.type == "Patient" else _NAMED_OF_A_VISIT
    included = await supporting(desk, visit, matches, wish.types, named)
    await record(desk, visit, INTERACTION, Touched((reference,), _query(wish)))
    following = cursor.issue(query, (matches[-1].reference,), desk.cursor_secret) if more else ""
    return Portion(tuple(matches), tuple(included), following)


async def visible(desk: Desk, visit: Visit, reference: str, interaction: str = INTERACTION) -> Version:
    """The newest version of what an operation is about, as far as the caller may see it."""
    type_ = reference.partition("/")[0]
    access = may(visit.caller, interaction, type_)
    version = await desk.store.current(reference)
    if version is None or not Author(access.reader).sees(version):
        raise NotFound("there is no such resource", f"{type_}.id")
    if version.deleted:
        raise Gone("the resource was deleted", f"{type_}.id")
    return version


def known_types(names: Iterable[str]) -> tuple[str, ...]:
    """The types of ``_type``; BadRequest for one that R4 does not have."""
    found = tuple(sorted(set(names)))
    for name in found:
        if name not in resource_types():
            raise BadRequest("'_type' needs resource types of R4, separated by commas", "_type")
    return found


def _query(wish: Wish) -> str:
    return "&".join(f"{name}={value}" for name, value in wish.asked("")[1:] if value)


def _is_wanted(version: Version, wish: Wish) -> bool:
    if wish.types and version.type not in wish.types:
        return False
    return wish.since is None or version.updated >= wish.since


def _types(focal: str, wish: Wish) -> list[str]:
    """In alphabetical order. The audit trail is no part of a record, unless somebody who may see it asks for it."""
    wanted = set(wish.types) or (resource_types() - {TRAIL})
    return [name for name in compartment_types(focal) if name in wanted and name != focal]


def _compartment(focal: Version, name: str) -> Criterion:
    """Records of a type that are about the focal one: the index knows it of patients."""
    if focal.type == "Patient":
        return Compartment((focal.id,))
    keys = sorted(compartment(name, focal.type))
    return Condition(tuple(Choice(f"{key}:{focal.id}{UNIT}{focal.type}") for key in keys), 2)


async def _found(walk: _Walk, names: Sequence[str], start: str, size: int) -> list[Version]:
    """The records after ``start`` (``Type/id``), by type and id."""
    readers = {name: reader for name in names for reader in [_reader(walk.visit, name)] if reader != FORBIDDEN}
    if walk.focal.type == "Patient" and TRAIL not in readers and walk.care is None:
        return await walk.desk.store.about(About(walk.focal.id, readers, size, start, walk.since))
    return await _by_type(walk, readers, start, size)


async def _by_type(walk: _Walk, readers: Mapping[str, Reader], start: str, size: int) -> list[Version]:
    """Where each type is asked for by keys of its own."""
    first = start.partition("/")[0]
    left = [name for name in readers if name >= first]
    found: list[Version] = []
    # The type that the page before broke off in will often fill this one too.
    now, left = (left[:1], left[1:]) if start else (left[:AT_ONCE], left[AT_ONCE:])
    while now and len(found) < size:
        queries = [_of_type(walk, name, start if name == first else "", size - len(found)) for name in now]
        for versions in await asyncio.gather(*(walk.desk.store.find(one, readers[one.type]) for one in queries)):
            found += versions
        now, left = left[:AT_ONCE], left[AT_ONCE:]
    return found[:size]


def _of_type(walk: _Walk, name: str, after: str, size: int) -> Query:
    since = (Updated((Moment(start=walk.since),)),) if walk.since else ()
    criteria = (_compartment(walk.focal, name), *since, *within(name, walk.care))
    return Query(name, criteria, size=size, after=(after,) if after else ())


async def supporting(
    desk: Desk,
    visit: Visit,
    matches: Sequence[Version],
    types: Container[str] = (),
    named: re.Pattern[bytes] = _NAMED,
) -> list[Version]:
    """What the page refers to, and what that refers to; a link to what the caller may not see is left alone."""
    seen = {version.reference for version in matches}
    found: list[Version] = []
    around = list(matches)
    for _ in range(_HOPS):
        links = dict.fromkeys(name.decode("ascii") for version in around for name in named.findall(version.body))
        wanted = [name for name in links if name not in seen and (not types or name.split("/")[0] in types)]
        seen.update(wanted)
        there = await desk.store.currents(wanted) if wanted else {}
        around = [there[name] for name in wanted if name in there and sees(visit, there[name])]
        found += around
    return found


def sees(visit: Visit, version: Version) -> bool:
    """Whether the caller may see a record that another one led to."""
    reader = _reader(visit, version.type)
    return reader is not FORBIDDEN and not version.deleted and Author(reader).sees(version)


FORBIDDEN = ""
"""In place of a reader: no party has an empty name."""


def _reader(visit: Visit, name: str) -> Reader:
    try:
        return may(visit.caller, "search-type", name).reader
    except Forbidden:
        return FORBIDDEN
