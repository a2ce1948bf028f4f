"""The audit journal: events are certain on the gateway's own disk first, and come into the store in full pages later.

https://www.postgresql.org/docs/current/wal-intro.html

An answer waits for one write to a local file, which all that wait share, instead of one to the database. What the
journal holds goes into the store at least ``DELIVER_SECONDS`` later, a page for up to a hundred events, and its file
then goes. Names of events and pages are fixed when they are written here, so bringing one in twice changes nothing.
A page lies in one file; its moment is that of the last event that the file has of it.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any, Protocol, TypeVar
from uuid import uuid4

import structlog

from fhir_gateway.fhir.codec import decode_resource, encode
from fhir_gateway.fhir.resource import Resource, instant
from fhir_gateway.problem import Problem, Unavailable
from fhir_gateway.security import segment
from fhir_gateway.security.audit import PAGE_BYTES, PAGE_EVENTS, Entry, Event, Make
from fhir_gateway.security.segment import Content, Segment

log = structlog.get_logger()
DELIVER_SECONDS = 0.25
"""How long an event lies in the journal at most while the database takes them."""
PAGES_AT_ONCE = 4
"""Pages of one commit; when as many wait they do not wait any longer."""
TURN_BYTES = 2**18
"""A file of this size is left when what it holds goes into the store: so little is gone through after a crash."""
SPAN = timedelta(seconds=1)
"""Between the first and the last event of a page, which says of all of them that they were recorded at the last."""
PAUSE_SECONDS = 1.0
DRAIN_SECONDS = 5.0
ADOPT_SECONDS = 5.0

_BEGINNING, _END = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

Index = Callable[[Resource], Mapping[str, Any]]
T = TypeVar("T")


class Delivers(Protocol):
    """Where events go in the end; pages that are there already are left as they are."""

    async def deliver(self, events: Sequence[Event]) -> None: ...


@dataclass(slots=True)
class _Page:
    """Events that will lie together in the store; ``size`` is what they take in the journal."""

    name: str
    home: Segment
    makes: list[tuple[str, Make]] = field(default_factory=list)
    since: datetime = _END
    moment: datetime = _BEGINNING
    size: int = 0

    def add(self, make: Make, event: Event) -> None:
        self.makes.append((event.id, make))
        self.since, self.moment = min(self.since, event.recorded), max(self.moment, event.recorded)
        self.size += len(event.body)

    def events(self) -> list[Event]:
        return [make(name, self.moment) for name, make in self.makes]


Placed = tuple[_Page, Make, Event]


class Journal:
    """That of one process, in files of its own under ``folder``; belongs to one event loop.

    ``limit`` is how many bytes may wait for the store. ``index`` gives the search keys of an event that another process
    has left.
    """

    def __init__(self, folder: Path, store: Delivers, index: Index, limit: int) -> None:
        self._folder, self._store, self._index, self._limit = folder, store, index, limit
        self._pages: deque[_Page] = deque()
        self._page: _Page | None = None
        self._segment: Segment | None = None
        self._bytes, self._adopted = 0, 0.0
        self._late = self._closed = False
        self._writing, self._delivering = asyncio.Lock(), asyncio.Lock()
        self._some, self._many = asyncio.Event(), asyncio.Event()
        self._disk = ThreadPoolExecutor(1, "audit journal")
        self._kept_aside = 0

    @property
    def waiting(self) -> int:
        """Events that are not in the store yet."""
        return sum(len(page.makes) for page in self._pages)

    @property
    def damaged(self) -> int:
        """Files in the folder of which lines are lost."""
        return self._kept_aside + sum(home.damaged for home in _homes(self._pages))

    async def keep(self, entries: Sequence[Entry]) -> None:
        """Return when they are durable here. Raises Unavailable when they are not, and then none of them counts."""
        async with self._writing:
            self._must_be_open()
            if self._bytes > self._limit:
                raise Unavailable("too much of the audit trail waits for the database")
            try:
                await self._write(entries)
            except OSError as fault:
                self._page = None
                raise Unavailable(f"the audit journal cannot be written: {fault.strerror}") from fault
        self._some.set()
        if len(self._pages) > PAGES_AT_ONCE:
            self._many.set()

    async def _write(self, entries: Sequence[Entry]) -> None:
        home = await self._home()
        placed = _placed(home, self._page, entries)
        # Counted before they are there: what is on its way must not see its file go.
        home.waiting += len(placed)
        try:
            await self._on_disk(home.write, [event.body for *_, event in placed])
        except OSError:
            home.waiting -= len(placed)
            raise
        for page, make, event in placed:
            if not page.makes:
                self._pages.append(page)
            page.add(make, event)
            self._bytes += len(event.body)
            # An event that came with its name has a page of its own.
            self._page = self._page if page.name == event.id else page

    async def _home(self) -> Segment:
        """The file to write to; a page does not go on in the next one."""
        left = self._segment
        if left is not None and not left.full:
            return left
        self._page, self._segment = None, None
        if left is not None and not left.waiting:
            await self._on_disk(left.remove)
        self._segment = await self._on_disk(segment.begun, self._folder)
        return self._segment

    async def delivered(self) -> None:
        """Return when the store has all that was kept before. Raises Unavailable when it does not take it."""
        if not self._pages:
            return
        async with self._delivering:
            self._must_be_open()
            many = await self._turned()
            while many > 0:
                some = [*islice(self._pages, min(many, PAGES_AT_ONCE))]
                await self._store.deliver([event for page in some for event in page.events()])
                many -= len(some)
                await self._forget(some)

    async def _turned(self) -> int:
        """Nothing more is written to the pages that wait, which are so many: it would never follow them."""
        async with self._writing:
            self._page = None
            if self._segment is not None and self._segment.size > TURN_BYTES and not self._segment.full:
                await self._on_disk(self._segment.close)
            return len(self._pages)

    async def _forget(self, pages: Sequence[_Page]) -> None:
        for page in pages:
            self._pages.popleft()
            self._bytes -= page.size
            page.home.waiting -= len(page.makes)
        for home in _homes(pages):
            if home.full and not home.waiting:
                self._kept_aside += home.damaged
                await self._on_disk(home.remove)

    async def adopt(self) -> int:
        """Take over what processes that have ended left behind; gives how many events."""
        self._adopted = monotonic()
        adopted = 0
        for home, pages in await self._on_disk(_left_behind, self._folder, self._index):
            home.waiting = sum(len(page.makes) for page in pages)
            adopted += home.waiting
            self._pages += pages
            self._bytes += sum(page.size for page in pages)
            if not home.waiting:
                await self._on_disk(home.remove)
        self._kept_aside = await self._on_disk(segment.damaged, self._folder)
        if adopted:
            log.info("events that an earlier process left in its audit journal are brought in", events=adopted)
            self._many.set()
            self._some.set()
        return adopted

    async def run(self) -> None:
        """Bring in what waits, for ever."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(ADOPT_SECONDS):
                    await self._some.wait()
                async with asyncio.timeout(DELIVER_SECONDS):
                    await self._many.wait()
            self._some.clear()
            self._many.clear()
            await self._round()

    async def _round(self) -> None:
        try:
            if monotonic() - self._adopted > ADOPT_SECONDS:
                await self.adopt()
            await self.delivered()
            self._late = False
        except (Problem, OSError) as trouble:
            if not self._late:
                log.warning("the audit journal waits for the database", events=self.waiting, problem=str(trouble))
            self._late = True
            self._some.set()
            await asyncio.sleep(PAUSE_SECONDS)

    async def close(self) -> None:
        """Bring in what waits, if that does not take long; what still waits is for the next process."""
        with suppress(Problem, OSError, TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await self.delivered()
        # A write that is on its way is let through first.
        async with self._writing:
            if self._pages:
                log.warning("events stay in the audit journal for the next start", events=self.waiting)
            homes = _homes(self._pages)
            if self._segment is not None and self._segment not in homes:
                await self._on_disk(self._segment.remove)
            for home in homes:
                home.release()
            self._closed = True
        self._disk.shutdown()

    def _must_be_open(self) -> None:
        if self._closed:
            raise Unavailable("the audit journal of this process is closed")

    async def _on_disk(self, do: Callable[..., T], *arguments: Any) -> T:
        # Who was waiting for the database when this was closed comes here late; the next process does it again.
        self._must_be_open()
        return await asyncio.get_running_loop().run_in_executor(self._disk, do, *arguments)


@asynccontextmanager
async def running(journal: Journal) -> AsyncIterator[Journal]:
    """What was left behind is taken over first; what waits at the end is brought in before the block is left."""
    await journal.adopt()
    task = asyncio.create_task(journal.run())
    try:
        yield journal
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await journal.close()


def _placed(home: Segment, page: _Page | None, entries: Sequence[Entry]) -> list[Placed]:
    """Each event with the page it will lie on: the last one while there is room."""
    placed: list[Placed] = []
    number, size = (len(page.makes), page.size) if page else (0, 0)
    # Of one moment, as far as that is known yet: what it is found by is then made out once.
    now = max((entry[1] for entry in entries if not isinstance(entry, Event)), default=_BEGINNING)
    if page is not None and now - page.since > SPAN:
        page = None
    for entry in entries:
        if isinstance(entry, Event):
            placed.append((_Page(_page_name(entry.id), home), partial(_as_it_is, entry), entry))
            continue
        if page is None or number >= PAGE_EVENTS or size > PAGE_BYTES:
            page, number, size = _Page(str(uuid4()), home), 0, 0
        make, _ = entry
        event = make(f"{page.name}.{number:02d}", now)
        placed.append((page, make, event))
        number, size = number + 1, size + len(event.body)
    return placed


def _page_name(event: str) -> str:
    return event.rpartition(".")[0] or event


def _as_it_is(event: Event, _name: str, _moment: datetime) -> Event:
    return event


def _homes(pages: Sequence[_Page] | deque[_Page]) -> list[Segment]:
    return [*{id(page.home): page.home for page in pages}.values()]


def _left_behind(folder: Path, index: Index) -> list[tuple[Segment, list[_Page]]]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return [(home, _pages(home, _content(home), index)) for home in segment.left_behind(folder)]


def _content(home: Segment) -> Content:
    content = home.content()
    home.full, home.damaged = True, content.lost > 0
    if content.lost:
        log.error("lines of an audit journal are damaged; it is kept aside", file=home.path.name, lost=content.lost)
    elif content.torn:
        log.warning("an audit journal ends in a write that no answer stood on", file=home.path.name)
    return content


def _pages(home: Segment, content: Content, index: Index) -> list[_Page]:
    """The pages as the process that wrote them would have made them."""
    pages: dict[str, _Page] = {}
    for body in content.bodies:
        resource = decode_resource(body)
        event = Event(resource["id"], datetime.fromisoformat(resource["recorded"]), body)
        page = pages.setdefault(_page_name(event.id), _Page(_page_name(event.id), home))
        page.add(partial(_made_again, body, index), event)
    return [*pages.values()]


def _made_again(body: bytes, index: Index, name: str, moment: datetime) -> Event:
    resource = decode_resource(body)
    time = instant(moment)
    resource = {**resource, "recorded": time, "meta": {**resource["meta"], "lastUpdated": time}}
    return Event(name, moment, encode(resource), index(resource))
