"""The gateway's own book of subscriptions: who asked, what was agreed, how many events, how far told.

https://hl7.org/fhir/uv/subscriptions-backport/notifications.html

Four shelves of notes. ``askers``: who wrote a version of a Subscription, written in the commit of that version.
``subscriptions``: what is in force. ``progress``: two counters. ``events``: what happened, numbered without a gap.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fhir_gateway.problem import Invalid
from fhir_gateway.security.caller import Caller
from fhir_gateway.store.port import Note, Notes
from fhir_gateway.subscriptions.terms import Terms, terms_of

ASKERS, SHELF, PROGRESS, EVENTS = "subscription-askers", "subscriptions", "subscription-progress", "subscription-events"
# In force: events are counted and sent. A failing one is told what it missed as soon as it answers.
ACTIVE, FAILING = "active", "failing"
# Not in force: its handshake failed or its terms cannot be kept; it was switched off or deleted.
REFUSED, OFF = "refused", "off"
PAGE = 500
NEVER = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Register:
    """A subscription as the gateway keeps it; ``version`` is the version of the resource that it stands for."""

    id: str
    state: str
    version: int
    body: bytes
    asker: Caller

    @property
    def in_force(self) -> bool:
        return self.state in (ACTIVE, FAILING)

    @property
    def terms(self) -> Terms:
        """Raises Invalid where this gateway no longer offers what was agreed."""
        return terms_of(self.body)

    @property
    def trouble(self) -> str:
        """Why the terms cannot be kept any more; empty when they can."""
        try:
            terms_of(self.body)
        except Invalid as fault:
            return fault.text
        return ""

    def content(self) -> dict[str, Any]:
        own = {"subscription": self.id, "state": self.state, "version": self.version, "body": self.body}
        return {**own, "in_force": self.in_force, "asker": asker_content(self.asker)}


@dataclass(frozen=True, slots=True)
class Progress:
    """``count`` events so far, ``told`` of them acknowledged; ``attempts`` is how often the next one failed already."""

    id: str
    count: int = 0
    told: int = 0
    attempts: int = 0
    trouble: str = ""
    due: datetime = NEVER
    spoken: datetime = NEVER


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of one subscription: version ``version`` of ``reference`` came to be."""

    number: int
    reference: str
    version: int
    interaction: str
    time: datetime


def asker_content(caller: Caller) -> dict[str, Any]:
    return {
        "client": caller.client,
        "role": caller.role,
        "organization": caller.organization,
        "scopes": list(caller.scopes),
    }


def asker(content: Mapping[str, Any]) -> Caller:
    return Caller(content["client"], content["role"], content["organization"], tuple(content["scopes"]))


def register(content: Mapping[str, Any]) -> Register:
    return Register(
        content["subscription"], content["state"], content["version"], bytes(content["body"]), asker(content["asker"])
    )


async def registers(notes: Notes, **where: Any) -> AsyncIterator[Register]:
    """All that have these values, in the order of their ids."""
    after = ""
    while True:
        found = await notes.notes(SHELF, where, after, PAGE)
        for key, content in found:
            after = key
            yield register(content)
        if len(found) < PAGE:
            return


async def standing(notes: Notes) -> list[Register]:
    """All in force whose terms can be kept."""
    return [one async for one in registers(notes, in_force=True) if not one.trouble]


async def registered(notes: Notes, identity: str) -> Register | None:
    content = await notes.note(SHELF, identity)
    return register(content) if content else None


async def progress(notes: Notes, identity: str) -> Progress:
    content = await notes.note(PROGRESS, identity)
    return Progress(**content) if content else Progress(identity)


def progress_note(known: Progress, **changed: Any) -> Note:
    """Write what ``changed``, provided that the counters are as ``known``."""
    counters = {"count": known.count, "told": known.told}
    expected = {name: counters[name] for name in counters if name in changed} or counters
    return Note(PROGRESS, known.id, changed, expected)


def event_key(identity: str, number: int) -> str:
    return f"{identity}/{number:012d}"


def event_note(identity: str, event: Happening) -> Note:
    # A list, not fields: each field of a note has a key of its own to be found by, and events are many.
    row = [event.number, event.reference, event.version, event.interaction, event.time]
    return Note(EVENTS, event_key(identity, event.number), {"subscription": identity, "event": row})


async def events(notes: Notes, identity: str, first: int, last: int) -> list[Happening]:
    """The events numbered ``first`` to ``last``, both included, in order; those that are still kept."""
    found: list[Happening] = []
    while first <= last:
        limit = min(PAGE, last - first + 1)
        rows = await notes.notes(EVENTS, {"subscription": identity}, event_key(identity, first - 1), limit)
        met = [Happening(*content["event"]) for _, content in rows]
        found += [event for event in met if event.number <= last]
        if len(rows) < limit:
            break
        first = met[-1].number + 1
    return found


async def next_kept(notes: Notes, identity: str, number: int) -> int | None:
    """The number of the first event after ``number`` that was not removed; None where there is none."""
    rows = await notes.notes(EVENTS, {"subscription": identity}, event_key(identity, number), 1)
    return int(rows[0][1]["event"][0]) if rows else None
