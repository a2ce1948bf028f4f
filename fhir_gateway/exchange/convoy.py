"""Messages of one hospital that are settled beside each other, because none looks at what another one writes.

https://dl.acm.org/doi/10.1145/319566.319567 - on optimistic methods for concurrency control

They are filed one after the other, in the order they came. Then it is known of each what it looked at and what it
writes, and one that has something in common with another still on its way waits for that one and is filed anew. So the
records become what they would be had each waited for the one before, in whatever order the commits end.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from fhir_gateway.problem import NotSupported
from fhir_gateway.search.query import Query
from fhir_gateway.security.sight import Reader
from fhir_gateway.store import touching
from fhir_gateway.store.port import Change, Commit, Store, Version
from fhir_gateway.subscriptions.matching import matches, placed, watchable

REMEMBERED = 8
"""Messages that ended lately, with all they wrote: while one is filed only those before it can end, which are fewer."""


class Halted(Exception):  # noqa: N818 - an event inside this room, never a problem for callers
    """A message before this one was put off: this one waits behind it."""


@dataclass(slots=True)
class Looked:
    """What was asked of the store: things by their names, and searches. ``blind``: and more than is understood here."""

    names: set[str] = field(default_factory=set)
    searches: list[tuple[Query, Reader]] = field(default_factory=list)
    blind: bool = False


_looked: ContextVar[Looked | None] = ContextVar("looked", default=None)


@contextmanager
def looking() -> Iterator[Looked]:
    """All that this task asks an ``Onlooker`` for while the block is open."""
    token = _looked.set(looked := Looked())
    try:
        yield looked
    finally:
        _looked.reset(token)


class Onlooker:
    """A store that remembers what it was asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        if looked := _looked.get():
            looked.blind = True
        return getattr(self._store, name)

    async def current(self, reference: str) -> Version | None:
        _note([reference])
        return await self._store.current(reference)

    async def currents(self, references: Sequence[str]) -> dict[str, Version]:
        _note(references)
        return await self._store.currents(references)

    async def claimed(self, keys: Sequence[str]) -> dict[str, str]:
        _note(map(touching.claim, keys))
        return await self._store.claimed(keys)

    async def note(self, shelf: str, key: str) -> Mapping[str, Any] | None:
        _note([touching.note(shelf, key)])
        return await self._store.note(shelf, key)

    async def find(self, query: Query, reader: Reader = None) -> list[Version]:
        if looked := _looked.get():
            looked.blind = looked.blind or not _is_read_here(query)
            looked.searches.append((query, reader))
        found = await self._store.find(query, reader)
        _note(version.reference for version in found)
        return found


def _note(names: Any) -> None:
    if looked := _looked.get():
        looked.names.update(names)


def _is_read_here(query: Query) -> bool:
    try:
        return watchable(query) is query
    except NotSupported:
        return False


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a message looked at, and what its commit writes."""

    looked: Looked
    written: frozenset[str]
    changes: tuple[Change, ...] = ()

    @classmethod
    def of(cls, commit: Commit, looked: Looked | None = None) -> "Footprint":
        return cls(looked or Looked(), frozenset(touching.names(commit)), commit.changes)

    def is_apart_from(self, other: "Footprint") -> bool:
        """Whether both come to the same, whichever is first."""
        return self.written.isdisjoint(other.written) and not (self._sees(other) or other._sees(self))

    def _sees(self, other: "Footprint") -> bool:
        looked = self.looked
        return looked.blind or not looked.names.isdisjoint(other.written) or self._would_find(other.changes)

    def _would_find(self, changes: Sequence[Change]) -> bool:
        return any(
            change.version.type == query.type and matches(query, placed(change.version, change.index), reader)
            for query, reader in self.looked.searches
            for change in changes
        )


class Way(Protocol):
    """How a message goes beside others of its hospital."""

    async def turn(self) -> int: ...

    async def alone(self) -> None: ...

    async def goes(self, footprint: "Footprint", since: int) -> bool: ...


class Inside:
    """The way of a piece: its whole is alone, and goes on when the piece is done."""

    async def turn(self) -> int:
        return 0

    async def alone(self) -> None:
        return

    async def goes(self, footprint: "Footprint", since: int) -> bool:
        return True


INSIDE = Inside()


class Place:
    """One message in its convoy. ``failed`` until it is told otherwise: then those behind it must not go on."""

    def __init__(self, convoy: "Convoy", *, halted: bool) -> None:
        self._convoy = convoy
        self._filed, self._ended = asyncio.Event(), asyncio.Event()
        self.footprint: Footprint | None = None
        self.failed = True
        self.halted = halted

    async def turn(self) -> int:
        """Wait until all before it are filed. From the moment returned on it is watched by whom it is overtaken.

        Raises Halted.
        """
        for other in self._convoy.before(self):
            await other._filed.wait()
        return self._moment()

    async def alone(self) -> None:
        """Wait until all before it are done; none behind it is filed until it leaves. Raises Halted."""
        for other in self._convoy.before(self):
            await other._ended.wait()
        self._moment()

    async def goes(self, footprint: Footprint, since: int) -> bool:
        """Whether it may be committed; if not, what it has something in common with is done. Raises Halted."""
        if self._convoy.was_overtaken(footprint, since):
            return False
        if rival := self._convoy.rival(self, footprint):
            await rival._ended.wait()
            self._moment()
            return False
        self.footprint = footprint
        self._filed.set()
        return True

    def leave(self) -> None:
        self._filed.set()
        self._ended.set()

    def _moment(self) -> int:
        if self.halted:
            raise Halted
        return self._convoy.ends


class Convoy:
    """The messages of one hospital that are on their way in this process; ``ends`` counts those that were.

    Belongs to one event loop. Nobody waits for one that came later, so all come to an end.
    """

    def __init__(self) -> None:
        self.ends = 0
        self._going: list[Place] = []
        self._gone: deque[tuple[int, Footprint]] = deque(maxlen=REMEMBERED)

    @contextmanager
    def joined(self) -> Iterator[Place]:
        """The last place."""
        place = Place(self, halted=any(other.halted for other in self._going))
        self._going.append(place)
        try:
            yield place
        finally:
            self._leave(place)

    def _leave(self, place: Place) -> None:
        at = self._going.index(place)
        for other in self._going[at + 1 :]:
            other.halted = other.halted or place.failed
        del self._going[at]
        self.ends += 1
        if place.footprint is not None:
            self._gone.append((self.ends, place.footprint))
        place.leave()

    def before(self, place: Place) -> list[Place]:
        return self._going[: self._going.index(place)]

    def was_overtaken(self, footprint: Footprint, since: int) -> bool:
        """Whether one that ended meanwhile had something in common with it."""
        return any(end > since and not one.is_apart_from(footprint) for end, one in self._gone)

    def rival(self, place: Place, footprint: Footprint) -> Place | None:
        """One before it that is not done and has something in common with it."""
        for other in self.before(place):
            if other.footprint is None or not other.footprint.is_apart_from(footprint):
                return other
        return None
