"""What happened: to one record, to all of a type, to everything; newest first, a page at a time.

https://hl7.org/fhir/R4/http.html#history
"""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from fhir_gateway.problem import BadRequest
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.journal import Touched, Visit, patients, record
from fhir_gateway.records.read import visible
from fhir_gateway.search.cursor import CURSOR, signed, verified
from fhir_gateway.security.access import may
from fhir_gateway.store.port import Timeline, Version

PURPOSE = b"history cursor"
NAMED_PATIENTS = 5
COUNTED = 10_000
"""A page of a longer history has no total; ``_summary=count`` counts it to its end."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Chapter:
    """One page. ``total`` is None where counting costs much; the cursors are those of the pages around, if any."""

    versions: tuple[Version, ...]
    total: int | None
    following: str
    preceding: str = ""


async def history(desk: Desk, visit: Visit, wanted: Timeline, cursor: str | None) -> Chapter:
    """A page of what the caller may see. Raises NotFound for a record that is not there for this caller."""
    interaction, total = "history-system", None
    if wanted.reference:
        interaction = "history-instance"
        newest = await visible(desk, visit, interaction, wanted.reference)
        total = newest.number if wanted.since is None and wanted.during is None else None
    else:
        interaction = "history-type" if wanted.type else interaction
        wanted = replace(wanted, reader=may(visit.caller, interaction, wanted.type or "*").reader)
    wanted = wanted if cursor is None else _resumed(wanted, cursor, desk.cursor_secret)
    found = await desk.store.changes(replace(wanted, limit=wanted.limit + 1)) if wanted.limit else []
    shown = found[-wanted.limit :] if wanted.backwards else found[: wanted.limit]
    await record(desk, visit, interaction, _touched(wanted, shown))
    following, preceding = _around(desk, wanted, shown, len(found) > len(shown))
    if total is None:
        told = cursor is None and wanted.limit and not following
        total = len(shown) if told else await _counted(desk, wanted)
    return Chapter(tuple(shown), total, following, preceding)


def _around(desk: Desk, wanted: Timeline, shown: list[Version], more: bool) -> tuple[str, str]:
    """The cursors of the page after and the page before: where one came from, there is something."""
    if not shown:
        return "", ""
    after, before = (True, more) if wanted.backwards else (more, wanted.after is not None)
    following = _issued(wanted, shown[-1], desk.cursor_secret) if after else ""
    return following, _issued(wanted, shown[0], desk.cursor_secret, backwards=True) if before else ""


async def _counted(desk: Desk, wanted: Timeline) -> int | None:
    if not wanted.limit:
        return await desk.store.changed(wanted)
    counted = await desk.store.changed(wanted, COUNTED + 1)
    return counted if counted <= COUNTED else None


def _touched(wanted: Timeline, shown: list[Version]) -> Touched:
    about = patients(shown)
    if wanted.reference:
        return Touched((wanted.reference, *about))
    return Touched(about if len(about) <= NAMED_PATIENTS else (), f"{wanted.type or ''}/_history")


def _scope(wanted: Timeline) -> list[str]:
    return [str(part) for part in (wanted.type, wanted.reference, wanted.since, wanted.during)]


def _issued(wanted: Timeline, last: Version, secret: bytes, backwards: bool = False) -> str:
    """A signed place: behind (or ``backwards`` before) that version, in this history alone."""
    place = [(last.updated - _EPOCH) // _MILLISECOND, last.reference, last.number]
    content = json.dumps([_scope(wanted), place, backwards], separators=(",", ":")).encode()
    return signed(content, secret, PURPOSE)


def _resumed(wanted: Timeline, cursor: str, secret: bytes) -> Timeline:
    scope, (updated, reference, number), *way = json.loads(verified(cursor, secret, PURPOSE))
    if scope != _scope(wanted):
        raise BadRequest("'_cursor' belongs to another history", CURSOR)
    place = (_EPOCH + updated * _MILLISECOND, reference, number)
    return replace(wanted, after=place, backwards=any(way))
