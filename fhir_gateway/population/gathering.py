"""The records of an export, page by page: each page says where the next begins, so that any page can be the first.

https://hl7.org/fhir/uv/bulkdata/STU2/export.html#bulk-data-kick-off-request

An export is a list of legs, each the way through some records in an order that writing does not change: by time and
reference, by reference, or by patient. What changed while a leg was walked is met on the last legs, in the version it
had at the moment of the order. A clock that is set back behind that moment hides such a change: the record may then
come in both versions.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.population.order import Order
from fhir_gateway.problem import NotFound, NotSupported
from fhir_gateway.records.condition import pairs
from fhir_gateway.records.desk import Settle
from fhir_gateway.records.journal import patients
from fhir_gateway.search.extract import index
from fhir_gateway.search.query import Query, parse
from fhir_gateway.store.port import Records, Stretch, Version
from fhir_gateway.subscriptions.matching import matches, record, watchable

PAGE = 500
PAGE_BYTES = 4 * 2**20
DELETED = "deleted"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PATIENT = "Patient/"

Place = list[Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Versions for the files they go to. ``place`` is where the leg goes on behind this page.

    ``unless_there`` asks the writer to leave out records that their file holds already.
    """

    versions: tuple[tuple[str, Version], ...]
    place: Place
    unless_there: bool = False


@dataclass(frozen=True, slots=True)
class Leg:
    """One way: ``kind`` is a key of ``WAYS``."""

    kind: str
    type: str = ""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a way needs: where records are, what was asked, and who is a member of the Group, in order.

    ``settle`` answers what a filter asks of other records.
    """

    records: Records
    order: Order
    members: tuple[str, ...] = ()
    settle: Settle | None = None


Pages = AsyncGenerator[Page, None]
Way = Callable[[Ground, str, Place | None], Pages]


def legs(order: Order) -> list[Leg]:
    """All ways of an order, the same list every time."""
    filtered = {name for name, _ in order.filters}
    ways = [Leg("filtered", name) for name in order.types if name in filtered]
    plain = [name for name in order.types if name not in filtered]
    if order.group:
        ways += [Leg("members")] if plain else []
    else:
        ways += [Leg("whole", name) for name in plain]
        ways += [Leg("deleted", name) for name in order.types if order.since is not None]
    return ways + [Leg("changed", name) for name in (*plain, *(name for name in order.types if name in filtered))]


async def ground(records: Records, order: Order) -> Ground:
    """Raises NotFound when the Group is no longer there."""
    if not order.group:
        return Ground(records, order)
    reference, _, number = order.group.rpartition("/_history/")
    version = await records.version(reference, int(number))
    if version is None or version.deleted:
        raise NotFound("the Group is not there", "Group.id")
    return Ground(records, order, members(version))


def members(group: Version) -> tuple[str, ...]:
    """The ids of the patients in a Group that are not marked as inactive."""
    listed = decode_resource(group.body).get("member", [])
    named = (str(one.get("entity", {}).get("reference", "")) for one in listed if one.get("inactive") is not True)
    return tuple(sorted({name.removeprefix(_PATIENT).partition("/")[0] for name in named if name.startswith(_PATIENT)}))


def _whole(ground: Ground, type_: str, place: Place | None) -> Pages:
    return _walked(ground.records, _stretch(ground.order, type_, place), type_)


def _deleted(ground: Ground, type_: str, place: Place | None) -> Pages:
    stretch = replace(_stretch(ground.order, type_, place), deleted=True, of_patients=False)
    return _walked(ground.records, stretch, DELETED)


async def _changed(ground: Ground, type_: str, place: Place | None) -> Pages:
    """What was written after the moment of the order, in the version it had then."""
    order, now = ground.order, datetime.now(UTC)
    stretch = replace(_stretch(order, type_, place), since=order.moment, until=now, deleted=None, of_patients=False)
    queries = [await _settled(ground, parse(type_, pairs(query))) for query in order.queries(type_)]
    async for page in _walked(ground.records, stretch, type_):
        olds = [await _as_of(ground, new) for _, new in page.versions]
        before = [(type_, old) for old in olds if old and (not queries or any(_meets(old, query) for query in queries))]
        yield Page(tuple(before), page.place, unless_there=True)


def _meets(version: Version, query: Query) -> bool:
    """Whether a version that is not the current one is what a filter asks for; of what one record cannot tell, not."""
    with suppress(NotSupported):
        return matches(watchable(query), record(version))
    return False


async def _as_of(ground: Ground, new: Version) -> Version | None:
    order, number, version = ground.order, new.number, new
    while version.updated > order.moment:
        number -= 1
        older = await ground.records.version(new.reference, number) if number else None
        if older is None:
            return None
        version = older
    wanted = not version.deleted and (order.since is None or version.updated > order.since)
    return version if wanted and _belongs(ground, version) else None


def _stretch(order: Order, type_: str, place: Place | None) -> Stretch:
    after = (_EPOCH + timedelta(milliseconds=place[0]), place[1]) if place else None
    since = _EPOCH if order.since is None else order.since
    return Stretch(type_, order.moment, since, after, reader=order.reader, of_patients=order.patients)


async def _walked(records: Records, stretch: Stretch, file: str) -> Pages:
    found: list[tuple[str, Version]] = []
    size = 0
    async with aclosing(records.walk(stretch)) as versions:
        async for version in versions:
            found.append((file, version))
            size += len(version.body)
            if len(found) == PAGE or size > PAGE_BYTES:
                yield Page(tuple(found), _behind(version))
                found, size = [], 0
    if found:
        yield Page(tuple(found), _behind(found[-1][1]))


def _behind(version: Version) -> Place:
    return [(version.updated - _EPOCH) // timedelta(milliseconds=1), version.reference]


async def _filtered(ground: Ground, type_: str, place: Place | None) -> Pages:
    """Several filters of a type are read side by side by reference: what several of them find is taken once."""
    order, last = ground.order, place[0] if place else ""
    queries = [await _settled(ground, parse(type_, pairs(query))) for query in order.queries(type_)]
    while last is not None:
        found: dict[str, Version] = {}
        ends = []
        for query in queries:
            asked = replace(query, size=PAGE, total="none", after=(last,) if last else ())
            part = await ground.records.find(asked, order.reader)
            found |= {version.reference: version for version in part}
            ends += [part[-1].reference] if len(part) == PAGE else []
        last = min(ends) if ends else None
        taken = [found[name] for name in sorted(found) if last is None or name <= last]
        kept = (version for version in taken if _in_time(order, version) and _belongs(ground, version))
        yield Page(tuple((type_, version) for version in kept), [last or max(found, default="")])


async def _settled(ground: Ground, query: Query) -> Query:
    return await ground.settle(query) if query.pending and ground.settle else query


def _in_time(order: Order, version: Version) -> bool:
    return version.updated <= order.moment and (order.since is None or version.updated > order.since)


def _belongs(ground: Ground, version: Version) -> bool:
    if ground.order.group:
        return not set(ground.members).isdisjoint(_compartments(version))
    return not ground.order.patients or bool(_compartments(version))


def _compartments(version: Version) -> list[str]:
    """The ids of the patients in whose compartments it is; decoded only where it names a patient."""
    return list(index(decode_resource(version.body))["patients"]) if patients([version]) else []


async def _members(ground: Ground, _: str, place: Place | None) -> Pages:
    """One member's compartment after the other; a record of several members comes with the first of them."""
    number, after = place if place else (0, "")
    for at in range(number, len(ground.members)):
        async for page in _member(ground, at, after):
            yield page
        after = ""


async def _member(ground: Ground, number: int, after: str) -> Pages:
    patient = ground.members[number]
    found: list[tuple[str, Version]] = []
    async with aclosing(ground.records.of_patient(patient, ground.order.reader)) as versions:
        async for version in versions:
            position = f"{version.type} {version.id}"
            if position > after and _is_due(ground, version, patient):
                found.append((version.type, version))
            if len(found) == PAGE:
                yield Page(tuple(found), [number, position])
                found = []
    yield Page(tuple(found), [number + 1, ""])


def _is_due(ground: Ground, version: Version, patient: str) -> bool:
    order = ground.order
    if version.type not in order.types or order.queries(version.type) or not _in_time(order, version):
        return False
    named = {name.removeprefix(_PATIENT) for name in patients([version])}
    if len(named.intersection(ground.members)) < 2:
        return True
    return min(set(_compartments(version)).intersection(ground.members)) == patient


WAYS: dict[str, Way] = {
    "whole": _whole,
    "filtered": _filtered,
    "members": _members,
    "deleted": _deleted,
    "changed": _changed,
}
