"""From noticed changes to numbered events: matched, permitted, counted, exactly once.

https://hl7.org/fhir/uv/subscriptions-backport/notifications.html

All changes are one group of jobs, so one process at a time counts, oldest first. A batch becomes one commit: the event
notes, each counter's step from the value that was read, and the jobs settled. Whoever lost its lease in between finds
the jobs gone or the counter moved, and nothing of its commit is written: numbers have no gap and no double. Versions of
one resource are in order, for the second can be committed only after the first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import structlog

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import Problem
from fhir_gateway.store.meeting import Record
from fhir_gateway.store.port import Commit, Job, Note, Records, Version
from fhir_gateway.subscriptions.matching import matches, record
from fhir_gateway.subscriptions.office import Office, may_see
from fhir_gateway.subscriptions.register import Happening, Register, event_note, progress, progress_note, standing
from fhir_gateway.subscriptions.terms import Watched
from fhir_gateway.subscriptions.topics import CREATE, DELETE, UPDATE
from fhir_gateway.subscriptions.watch import CHANGES

log = structlog.get_logger()
BATCH = 100
CHANGES_AT_ONCE = 500
LEASES = 3
RETRY = timedelta(seconds=0.2)

_Found = dict[tuple[str, int], Version]


@dataclass(slots=True)
class Change:
    """One version that was written, and the one it replaced; what is costly is made when first asked for."""

    version: Version
    old: Version | None
    _records: dict[int, tuple[Resource, Record]] = field(default_factory=dict)

    @property
    def interaction(self) -> str:
        if self.version.deleted:
            return DELETE
        return CREATE if self.old is None or self.old.deleted else UPDATE

    def seen(self, version: Version) -> tuple[Resource, Record]:
        found = self._records.get(version.number)
        if found is None:
            resource = decode_resource(version.body)
            found = self._records[version.number] = resource, record(version, resource)
        return found

    def meets(self, watched: Watched) -> bool:
        """Whether the trigger says that this is an event; a deletion is judged by what was deleted."""
        trigger = watched.trigger
        if trigger.resource != self.version.type or self.interaction not in trigger.interactions:
            return False
        current = self.old if self.version.deleted else self.version
        if current is None or current.deleted:
            return False
        new, found = self.seen(current)
        if not all(matches(query, found) for query in watched.current):
            return False
        return self.interaction != UPDATE or self._turned(watched, new)

    def _turned(self, watched: Watched, new: Resource) -> bool:
        assert self.old is not None
        old, found = self.seen(self.old)
        changed = watched.trigger.changed
        differs = not changed or any(_element(old, name) != _element(new, name) for name in changed)
        return differs and all(matches(query, found) for query in watched.previous)


async def count_once(office: Office) -> bool:
    """Count one batch of changes; False when there was nothing to do, or others were in the way."""
    patience = timedelta(seconds=office.lease_seconds)
    jobs = await office.store.lease(CHANGES, office.owner, BATCH, LEASES * office.lease_seconds)
    started = office.clock()
    for part in _parts(jobs):
        try:
            # What cannot be done well within the lease is given back before it ends.
            if office.clock() - started > patience:
                await office.store.postpone(part[0].id, office.clock(), "")
                break
            await _count(office, part)
        except Problem as trouble:
            log.warning("changes not counted", attempts=part[0].attempts, trouble=trouble.text)
            await office.store.postpone(part[0].id, office.clock() + RETRY, trouble.text)
            return False
        office.pulse.beat()
    return bool(jobs)


def _parts(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    """The jobs in commits of a bearable size."""
    part: list[Job] = []
    size = 0
    for job in jobs:
        part.append(job)
        size += len(job.content["changes"])
        if size >= CHANGES_AT_ONCE:
            yield part
            part, size = [], 0
    if part:
        yield part


async def _count(office: Office, jobs: Sequence[Job]) -> None:
    # Read after the lease: a subscription in force before one of these changes is among them.
    standing_now = await standing(office.store)
    types = frozenset(type_ for one in standing_now for type_ in one.terms.types)
    changes = await _changes(office.store, [row for job in jobs for row in job.content["changes"]], types)
    notes: list[Note] = []
    for found in standing_now:
        register = replace(found, asker=office.today(found.asker))
        mine = [change for change in changes if concerns(register, change)]
        notes += await _counted(office, register, mine) if mine else []
    await office.store.commit(Commit(notes=tuple(notes), settled=tuple(job.id for job in jobs)))


async def _counted(office: Office, register: Register, changes: Sequence[Change]) -> list[Note]:
    known = await progress(office.store, register.id)
    happened = [
        Happening(known.count + place, one.version.reference, one.version.number, one.interaction, one.version.updated)
        for place, one in enumerate(changes, 1)
    ]
    step = progress_note(known, count=known.count + len(happened))
    return [*(event_note(register.id, event) for event in happened), step]


def concerns(register: Register, change: Change) -> bool:
    """Whether the change is an event of the subscription, and its client may know of it."""
    end = register.terms.end
    if end is not None and change.version.updated >= end:
        return False
    watched = (one for one in register.terms.watched if one.trigger.resource == change.version.type)
    return may_see(register.asker, change.version) and any(change.meets(one) for one in watched)


async def _changes(store: Records, rows: Sequence[Sequence[Any]], types: frozenset[str]) -> list[Change]:
    """The versions named, of the types that matter, each with the one before it."""
    wanted = [(row[0], row[1]) for row in rows if row[0].partition("/")[0] in types]
    current = await store.currents(list(dict.fromkeys(reference for reference, _ in wanted)))
    found: _Found = {(one.reference, one.number): one for one in current.values()}
    changes = []
    for reference, number in wanted:
        version = await _version(store, found, reference, number)
        old = await _version(store, found, reference, number - 1) if number > 1 else None
        if version is not None:
            changes.append(Change(version, old))
    return changes


async def _version(store: Records, found: _Found, reference: str, number: int) -> Version | None:
    if (reference, number) not in found:
        version = await store.version(reference, number)
        if version is None:
            return None
        found[reference, number] = version
    return found[reference, number]


def _element(resource: Resource, name: str) -> Any:
    """An element's value; one with a choice of types is found under any of them."""
    if name in resource:
        return resource[name]
    typed = (member for member in resource if member.startswith(name) and member[len(name)].isupper())
    return resource.get(next(typed, name))
