"""Commits that wait at the same time go into the database as one transaction, and none pays for a neighbour's fault.

https://www.mongodb.com/docs/manual/core/transactions/

A transaction costs the same few round trips and one sync to disk, whatever is in it. While one is under way, what
arrives is gathered for the next. Only commits that touch nothing in common share one; when it is refused, each of its
members is tried alone, so that every caller hears its own answer. Large commits do not wait in a group, nor make one
wait.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain
from time import monotonic

from fhir_gateway.problem import Problem, Unavailable
from fhir_gateway.security.audit import made
from fhir_gateway.store.mongo.statements import NARROW, WIDE
from fhir_gateway.store.port import Commit
from fhir_gateway.store.touching import names

WRITERS = 2
"""Groups under way at once: the second is on its way while the database still syncs the first."""
SMALL = 64
"""Documents of a commit that may share a transaction."""
GROUP = 200
"""Documents of a group: beyond that the price of the transaction is spread thin enough."""
SMALL_BYTES = 2**18
QUIET_SECONDS = 1.0

Write = Callable[[Commit], Awaitable[None]]


@dataclass(frozen=True, slots=True, eq=False)
class _Member:
    """A commit that waits; ``names`` is all that it touches."""

    commit: Commit
    size: int
    names: frozenset[str]
    done: asyncio.Future[None]


class Groups:
    """The commits of one process on their way; belongs to one event loop.

    ``write`` makes one commit whole; ``large`` does, for one that goes alone.
    """

    def __init__(self, write: Write, large: Write | None = None) -> None:
        self._write, self._large = write, large or write
        self._latest = -QUIET_SECONDS
        self._waiting: list[_Member] = []
        self._busy: set[str] = set()
        self._going: set[asyncio.Task[None]] = set()

    async def commit(self, commit: Commit) -> None:
        """Return when the commit is durable. Raises what it would raise if it were alone."""
        size = _size(commit)
        if size > SMALL or _bytes(commit) > SMALL_BYTES:
            # The event of a large commit names all of it: in a thread, lest making it holds the loop.
            await self._large(await asyncio.to_thread(_paged, commit))
            return
        self._latest = monotonic()
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(_Member(commit, size, frozenset(names(commit)), done))
        self._start()
        # A caller that gives up cancels its own wait, never what its neighbours share.
        await done

    def most(self) -> int:
        """How much a large commit may ask of the database at once: less while small ones are about."""
        return WIDE if monotonic() - self._latest > QUIET_SECONDS and not self._going else NARROW

    async def at_rest(self) -> None:
        """Return when nothing that was begun here still goes on."""
        while self._going:
            await asyncio.wait(self._going)

    def _start(self) -> None:
        while len(self._going) < WRITERS and (group := self._next()):
            self._busy |= _all_names(group)
            task = asyncio.create_task(self._through(group))
            self._going.add(task)
            task.add_done_callback(self._gone)

    def _gone(self, task: asyncio.Task[None]) -> None:
        self._going.discard(task)
        self._start()

    def _next(self) -> list[_Member]:
        """The oldest that touch nothing in common with each other and with what is under way."""
        touched, size = set(self._busy), 0
        group: list[_Member] = []
        left: list[_Member] = []
        for member in self._waiting:
            if size + member.size > GROUP or not touched.isdisjoint(member.names):
                left.append(member)
            else:
                group.append(member)
                size += member.size
            # What comes later may not pass what it has something in common with.
            touched |= member.names
        self._waiting = left
        return group

    async def _through(self, group: Sequence[_Member]) -> None:
        try:
            error = await self._error(_together(group)) if len(group) > 1 else None
            # Unavailable: nobody knows what became of it, so a second try may do it twice.
            if len(group) == 1 or (isinstance(error, Problem) and not isinstance(error, Unavailable)):
                await asyncio.gather(*(self._alone(member) for member in group))
                return
            for member in group:
                _settle(member.done, error)
        finally:
            self._busy -= _all_names(group)

    async def _alone(self, member: _Member) -> None:
        _settle(member.done, await self._error(_paged(member.commit)))

    async def _error(self, commit: Commit) -> BaseException | None:
        """What the commit raises, whatever it is: whoever waits for it has to hear it."""
        (error,) = await asyncio.gather(self._write(commit), return_exceptions=True)
        return error


def _size(commit: Commit) -> int:
    return sum(len(getattr(commit, part.name)) for part in fields(commit))


def _bytes(commit: Commit) -> int:
    return sum(len(change.version.body) for change in commit.changes) + sum(len(event.body) for event in commit.events)


def _all_names(group: Sequence[_Member]) -> frozenset[str]:
    return frozenset().union(*(member.names for member in group))


def _together(group: Sequence[_Member]) -> Commit:
    parts = {
        part.name: tuple(chain.from_iterable(getattr(member.commit, part.name) for member in group))
        for part in fields(Commit)
    }
    return _paged(Commit(**parts))


def _paged(commit: Commit) -> Commit:
    """The commit with its drafts made events, on as few pages as they fill."""
    return replace(commit, events=(*commit.events, *made(commit.drafts)), drafts=()) if commit.drafts else commit


def _settle(done: asyncio.Future[None], error: BaseException | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
