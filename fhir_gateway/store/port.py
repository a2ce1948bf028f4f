"""The promises of the store, and the values it takes and gives.

1. A version once written never changes and is never lost.
2. ``commit`` happens whole or not at all: versions, claims, grants, notes, events, jobs.
3. A change names the version it replaces; a different current version is a Conflict.
4. What ``commit`` returned, the next search sees.
5. A deleted resource is Gone; its history stays.
6. A page cursor never skips or repeats a record that did not change.
7. A leased job is nobody else's until its lease ends; unsettled, it comes back.
8. Two writers claiming one business identifier get one resource.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from fhir_gateway.search.query import Query
from fhir_gateway.security.audit import Block as Block  # noqa: PLC0414 - part of the store's own words
from fhir_gateway.security.audit import Draft as Draft  # noqa: PLC0414
from fhir_gateway.security.audit import Event as Event  # noqa: PLC0414
from fhir_gateway.security.sight import Reader


@dataclass(frozen=True, slots=True)
class Version:
    """One version of one resource.

    ``body`` is its exact JSON text, empty when deleted; ``updated`` is UTC, milliseconds.
    ``readers`` names the parties (hospitals, partners) that may see it besides the roles that see everything;
    ``owner`` is the one of them that may replace it. ``secret``: of the roles that see everything none sees this one.
    """

    type: str
    id: str
    number: int
    updated: datetime
    body: bytes
    deleted: bool = False
    readers: tuple[str, ...] = ()
    owner: str = ""
    secret: bool = False

    @property
    def reference(self) -> str:
        return f"{self.type}/{self.id}"


@dataclass(frozen=True, slots=True)
class Timeline:
    """Which versions, superseded and current ones, newest first: of one ``reference``, of a ``type``, or of all types.

    ``during`` asks for what was current at some time of an interval (its end excluded). ``after`` is the place of the
    last version seen: its time, reference and number; of a timeline that goes ``backwards`` those before it are wanted,
    the newer ones nearest to it. A timeline of all types leaves the AuditEvents out.
    """

    limit: int
    type: str | None = None
    reference: str | None = None
    since: datetime | None = None
    during: tuple[datetime, datetime] | None = None
    after: tuple[datetime, str, int] | None = None
    reader: Reader = None
    backwards: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A version to write. ``replaces`` is the current version's number, 0 when there must be none.

    ``index`` holds the document fields a search finds it by (``search.extract``); empty for a deletion.
    """

    version: Version
    replaces: int
    index: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claim:
    """``key`` belongs to the resource ``owner`` (``Type/id``). ``instead_of`` takes it over from a stale owner."""

    key: str
    owner: str
    instead_of: str | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """From now on ``reader`` may see the current and coming versions of ``reference``."""

    reference: str
    reader: str


@dataclass(frozen=True, slots=True)
class Note:
    """A small record on a named shelf. ``expected`` are values the stored note must have for the write to count.

    Without ``expected`` the note must not exist yet (else Conflict); with it the named fields are overwritten
    (Conflict when the stored note differs from ``expected``). ``entire``: the content names every field there is, so
    that nothing stored has to be read to write it.
    """

    shelf: str
    key: str
    content: Mapping[str, Any]
    expected: Mapping[str, Any] | None = None
    entire: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """Work owed. Jobs of one ``group`` are leased oldest first and never to two workers at once.

    Older is what was written earlier, or what names the ``order`` of something written earlier. A job without a group
    (empty) stands for itself.
    """

    id: str
    queue: str
    group: str
    due: datetime
    content: Mapping[str, Any] = field(default_factory=dict)
    attempts: int = 0
    trouble: str = ""
    order: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Commit:
    """All that happens together. ``drafts`` are events that may share a page with those of other commits."""

    changes: tuple[Change, ...] = ()
    claims: tuple[Claim, ...] = ()
    grants: tuple[Grant, ...] = ()
    notes: tuple[Note, ...] = ()
    events: tuple[Event, ...] = ()
    jobs: tuple[Job, ...] = ()
    settled: tuple[str, ...] = ()
    drafts: tuple[Draft, ...] = ()


@dataclass(frozen=True, slots=True)
class Stretch:
    """Newest versions of a type, written after ``since`` and not after ``until``, in the order they were written.

    ``after`` (time and reference of the last one taken) is where to go on. ``deleted`` None takes deletions too;
    ``of_patients`` leaves out what is in no patient's compartment.
    """

    type: str
    until: datetime
    since: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    after: tuple[datetime, str] | None = None
    deleted: bool | None = False
    reader: Reader = None
    of_patients: bool = False


@dataclass(frozen=True, slots=True)
class About:
    """Newest versions in the compartment of a patient (an id), of the types in ``readers``, as far as each reader sees.

    In the order of their references, those behind ``after``, at most ``limit``; written at ``since`` or later.
    """

    patient: str
    readers: Mapping[str, Reader]
    limit: int
    after: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How a search ran: the indexes it took, whether it read the whole collection, how much it looked at."""

    indexes: tuple[str, ...]
    scans: bool
    keys: int
    documents: int


class Records(Protocol):
    """Versions of resources: what ``records/`` needs of a store."""

    async def current(self, reference: str) -> Version | None:
        """The newest version, which may be a deletion; None when there never was one."""
        ...

    async def currents(self, references: Sequence[str]) -> dict[str, Version]:
        """The newest versions of those references that exist, in one round trip."""
        ...

    async def version(self, reference: str, number: int) -> Version | None: ...

    async def versions(self, reference: str, before: int | None, limit: int) -> list[Version]:
        """History newest first, starting below version number ``before``."""
        ...

    async def changes(self, wanted: Timeline) -> list[Version]:
        """Up to ``wanted.limit`` versions, newest first."""
        ...

    async def changed(self, wanted: Timeline, limit: int = 0) -> int:
        """How many versions there are, wherever ``wanted`` stands; with a ``limit`` no more than that are counted."""
        ...

    async def find(self, query: Query, reader: Reader = None) -> list[Version]:
        """One page of current, undeleted versions; ``reader`` confines it to what that party may see."""
        ...

    async def count(self, query: Query, reader: Reader = None, limit: int = 0) -> int:
        """How many match; with a ``limit`` no more than that are counted."""
        ...

    async def estimate(self, query: Query, reader: Reader = None, limit: int = 0) -> int:
        """About how many match; where that is not told by a sample, as many as are counted up to ``limit``."""
        ...

    async def references(self, query: Query, reader: Reader = None) -> list[str]:
        """``Type/id`` of at most ``query.size`` matches, in no order."""
        ...

    async def targets(self, query: Query, key: str, reader: Reader = None) -> dict[str, list[str]]:
        """Of at most ``query.size`` matches the search keys of one parameter, by ``Type/id``."""
        ...

    async def about(self, wanted: About) -> list[Version]:
        """One page of a patient's compartment, in a few questions for all types; AuditEvents are in no such page."""
        ...

    async def explain(self, query: Query, reader: Reader = None) -> Plan:
        """How ``find`` runs; it is run once more to tell."""
        ...

    def walk(self, stretch: Stretch) -> AsyncGenerator[Version, None]:
        """All of the stretch, one by one; what is written meanwhile may be missed, and is then after ``until``."""
        ...

    def of_patient(self, patient: str, reader: Reader) -> AsyncGenerator[Version, None]:
        """What is in the compartment of the patient with this id, by type and reference."""
        ...

    async def claimed(self, keys: Sequence[str]) -> dict[str, str]:
        """The owners (``Type/id``) of those keys that have one."""
        ...

    async def commit(self, commit: Commit) -> None:
        """Write all of it, durably. Raises Conflict or Claimed, and then nothing is written.

        A Conflict is also: a note that is not as expected, a grant on what is not stored, a settled job that is gone
        already. Raises Unavailable when the database does not answer: the outcome is then unknown.
        """
        ...


class Jobs(Protocol):
    """Work owed, leased in batches."""

    async def lease(self, queue: str, owner: str, limit: int, seconds: float) -> list[Job]:
        """Up to ``limit`` due jobs, oldest first, now held by ``owner`` for ``seconds``.

        Several may be of one group: the holder does them in this order, and leaves the rest of the group alone after
        it postponed one.
        """
        ...

    async def settle(self, job: str) -> None:
        """The job is done and forgotten (use ``Commit.settled`` to do so together with its effect)."""
        ...

    async def postpone(self, job: str, due: datetime, trouble: str) -> None:
        """Give the lease back and try again at ``due``; counts one attempt and remembers the trouble.

        The rest of its group waits behind it; leases on it that came with this one are given back too.
        """
        ...

    async def release(self, queue: str) -> None:
        """Give back every lease of ``queue``: only for who knows that no other worker is alive."""
        ...

    async def hasten(self, queue: str, longest: float = 0.0) -> None:
        """Make ready what is leased or put off for more than ``longest`` seconds: for when the clock was set back.

        Its time would come too late; and what is written from now on stands behind all that waits.
        """
        ...

    async def give_back(self, job: Job) -> None:
        """Give back the leases behind this one in its group, which its holder will not do now."""
        ...

    async def owed(self, queue: str, limit: int) -> list[Job]:
        """What is waiting, oldest first: for people to look at."""
        ...

    async def waiting(self, prefix: str, limit: int) -> int:
        """How many jobs there are, leased or not, whose id begins so; no more than ``limit`` are counted."""
        ...


class Notes(Protocol):
    """Small records on named shelves."""

    async def note(self, shelf: str, key: str) -> Mapping[str, Any] | None: ...

    async def notes(
        self, shelf: str, where: Mapping[str, Any], after: str, limit: int
    ) -> list[tuple[str, Mapping[str, Any]]]:
        """Notes whose fields equal ``where``, in key order, after key ``after``."""
        ...

    async def columns(self, shelf: str, where: tuple[str, Sequence[str]], names: Sequence[str]) -> list[dict[str, Any]]:
        """Of all notes in whose field ``where[0]`` one of ``where[1]`` stands the named fields alone, in no order.

        ``a.b`` reaches into a field.
        """
        ...

    async def forget(self, shelf: str, keys: Sequence[str]) -> None:
        """Remove these notes for good; one that is not there is no fault."""
        ...

    async def hold(self, name: str, owner: str, seconds: float) -> bool:
        """Take or renew a named lease; False while another owner holds it."""
        ...


class AuditTrail(Protocol):
    """Events and the blocks that seal them."""

    async def append(self, events: Sequence[Event]) -> None: ...

    async def deliver(self, events: Sequence[Event]) -> None:
        """As ``append``, of whole pages; those that are there already stay as they are."""
        ...

    async def unsealed(self, limit: int) -> list[Event]:
        """The oldest that wait, about ``limit`` of them: those that were appended together come together."""
        ...

    async def seal(self, block: Block) -> None:
        """Store the block; from then on its events are sealed. Raises Conflict when the number is taken."""
        ...

    async def last_block(self) -> Block | None: ...

    async def blocks(self, start: int, limit: int) -> list[Block]:
        """Blocks in order, from number ``start`` on (``start`` itself included)."""
        ...

    async def events(self, ids: Sequence[str]) -> dict[str, Event]: ...

    async def stray_events(self, limit: int) -> list[str]:
        """Ids of events that no block lists as theirs and that do not wait for one either."""
        ...


@dataclass(frozen=True, slots=True)
class Upkeep:
    """The search indexes: which are still ``missing``, and whether all records are ``current``, else how many are.

    ``refreshed`` of ``records`` have the keys that this version of the code looks for. Where an index of keys has to be
    built first, ``cleared`` of them have lost their old ones.
    """

    missing: tuple[str, ...]
    current: bool
    refreshed: int
    records: int
    cleared: int = 0


class Store(Records, Jobs, Notes, AuditTrail, Protocol):
    """Everything; ``store/mongo.py`` keeps it."""

    async def ping(self) -> None:
        """Raises Unavailable when the database does not answer."""
        ...

    async def upkeep(self) -> Upkeep:
        """How far the search indexes are."""
        ...

    async def keep_up(self, owner: str) -> bool:
        """Build missing indexes and refresh old search keys; False while another process is at it."""
        ...
