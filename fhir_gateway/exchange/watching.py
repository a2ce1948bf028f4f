"""Watches a hospital's folder: hands in what is complete, in order, and files it away when its outcome is known.

Looking is a scan a second; whoever cannot be handed in now stays where it is, and nothing is ever deleted.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import structlog

from fhir_gateway.exchange.doors import FolderDoor
from fhir_gateway.exchange.folder import (
    DONE,
    QUARANTINE,
    Changing,
    Folder,
    Stamp,
    is_full,
    media_type_of,
    refusal,
)
from fhir_gateway.exchange.inbox import Receipt, State
from fhir_gateway.exchange.reception import Handed, Reception
from fhir_gateway.problem import BadRequest, Problem, Unavailable
from fhir_gateway.security.caller import Caller

log = structlog.get_logger()
SCAN_SECONDS = 1.0
PAUSE_SECONDS = 1.0
BATCH, BATCH_BYTES = 50, 4 * 2**20

Told = Mapping[str, Any]


class Counter(Protocol):
    """Where the watcher hands in: this process's reception, or a gateway's HTTP door."""

    async def keep(self, hospital: str, papers: Sequence[tuple[str, bytes]]) -> list[Told]:
        """The receipts of messages (media type and bytes) that are durable now. Raises Unavailable: come again."""
        ...

    async def outcome(self, told: Told) -> Told:
        """The receipt once the message is stored or quarantined. Raises Unavailable: ask again."""
        ...


@dataclass(frozen=True, slots=True)
class OwnCounter:
    """The reception of this process."""

    reception: Reception

    async def keep(self, hospital: str, papers: Sequence[tuple[str, bytes]]) -> list[Told]:
        caller = Caller(hospital, "hospital", hospital)
        handed = [Handed(hospital, media_type, body, address="folder") for media_type, body in papers]
        await self.reception.room(hospital)
        kept = await self.reception.accept_all(caller, handed)
        return [{**receipt.content(), "repeated": repeated} for receipt, repeated in kept]

    async def outcome(self, told: Told) -> Told:
        reception = self.reception
        receipt = await reception.inbox.receipt(told["hospital"], told["receipt"])
        settled: Receipt = await reception.outcome(receipt)
        return {**settled.content(), "repeated": told["repeated"]}


@dataclass(frozen=True, slots=True)
class _Paper:
    """A taken file that was read."""

    name: str
    stamp: Stamp
    body: bytes


@dataclass(slots=True)
class Watch:
    """One folder of one hospital; ``limit`` is the largest message in bytes."""

    hospital: str
    folder: Folder
    counter: Counter
    limit: int
    scan_seconds: float = SCAN_SECONDS
    handed: int = 0
    finished: int = 0
    _owed: deque[tuple[_Paper, Told]] = field(default_factory=deque)
    _more: asyncio.Event = field(default_factory=asyncio.Event)
    _troubled: str = ""

    async def go_on(self) -> None:
        """Watch for as long as the gateway runs, whatever happens to the folder."""
        while True:
            try:
                await self.run()
            except (OSError, Problem) as fault:
                log.error("folder is watched anew", hospital=self.hospital, fault=type(fault).__name__)
            await asyncio.sleep(PAUSE_SECONDS)

    async def run(self, once: bool = False) -> None:
        """For ever, or ``once``: until the folder is empty and every outcome is known."""
        filing = asyncio.create_task(self._file_away())
        try:
            await self._resume()
            while not filing.done():
                taken = await self._round()
                if once and not taken and not self._owed and not self.folder.waiting:
                    return
                await asyncio.sleep(0 if taken else self.scan_seconds)
            await filing
        finally:
            filing.cancel()
            await asyncio.gather(filing, return_exceptions=True)
            self.folder.release()

    async def _resume(self) -> None:
        """Become the one who works here, and hand in again what another left taken when it was killed."""
        while not await self._held():  # noqa: ASYNC110 - another process tells nobody when it ends
            await asyncio.sleep(self.scan_seconds)
        left = await asyncio.to_thread(self.folder.taken)
        for start in range(0, len(left), BATCH):
            await self._hand_in(left[start : start + BATCH])

    async def _held(self) -> bool:
        try:
            return await asyncio.to_thread(self.folder.hold)
        except OSError as fault:
            self._trouble(fault)
            return False

    async def _round(self) -> bool:
        """Hand in what is complete; whether there was anything."""
        try:
            names = await asyncio.to_thread(self.folder.ready, monotonic())
        except OSError as fault:
            self._trouble(fault)
            return False
        for start in range(0, len(names), BATCH):
            taken = await asyncio.to_thread(self._take, names[start : start + BATCH])
            await self._hand_in(taken)
        return bool(names) and not self._troubled

    def _take(self, names: Sequence[str]) -> list[str]:
        taken = []
        for name in names:
            try:
                self.folder.take(name)
                taken.append(name)
                self._troubled = ""
            except FileNotFoundError:
                continue
            except OSError as fault:
                self._trouble(fault)
                break
        return taken

    async def _hand_in(self, names: Sequence[str]) -> None:
        """In parcels that are not too large to be one commit."""
        parcel: list[_Paper] = []
        for name in names:
            paper = await self._read(name)
            if paper is None:
                continue
            if parcel and sum(len(p.body) for p in parcel) + len(paper.body) > BATCH_BYTES:
                await self._keep(parcel)
                parcel = []
            parcel.append(paper)
        if parcel:
            await self._keep(parcel)

    async def _read(self, name: str) -> _Paper | None:
        try:
            body, stamp = await asyncio.to_thread(self.folder.read, name, self.limit)
        except Changing:
            await asyncio.to_thread(self.folder.give_back, name)
        except FileNotFoundError:
            log.warning("a taken file is gone", hospital=self.hospital)
        except Problem as problem:
            await self._finish(name, QUARANTINE, refusal(self.hospital, problem))
        else:
            return _Paper(name, stamp, body)
        return None

    async def _keep(self, parcel: Sequence[_Paper]) -> None:
        """Until it is kept: a gateway that is behind or away is waited for, and the files wait in ``taken/``."""
        while True:
            try:
                kept = await self.counter.keep(self.hospital, [(media_type_of(p.name), p.body) for p in parcel])
            except Unavailable as trouble:
                log.warning("folder waits", hospital=self.hospital, trouble=trouble.text)
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            except Problem as problem:
                return await self._refused(parcel, problem)
            self.handed += len(kept)
            # The bytes are the gateway's now: only the names wait for their outcome.
            self._owed.extend((_Paper(p.name, p.stamp, b""), told) for p, told in zip(parcel, kept, strict=True))
            self._more.set()
            return None

    async def _refused(self, parcel: Sequence[_Paper], problem: Problem) -> None:
        """One bad file must not take the others of its parcel with it."""
        if len(parcel) == 1:
            await self._finish(parcel[0].name, QUARANTINE, refusal(self.hospital, problem))
            return
        for paper in parcel:
            await self._keep([paper])

    async def _file_away(self) -> None:
        """A hospital's messages are settled in order, so the first in the row is the next to be known."""
        while True:
            if not self._owed:
                self._more.clear()
                await self._more.wait()
            paper, told = self._owed[0]
            try:
                told = await self.counter.outcome(told)
            except Unavailable as trouble:
                log.warning("folder waits", hospital=self.hospital, trouble=trouble.text)
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            except Problem as trouble:
                log.error("a receipt is gone: its file is taken again", hospital=self.hospital, trouble=trouble.text)
                await asyncio.to_thread(self.folder.give_back, paper.name)
            else:
                await self._end(paper, told)
            self._owed.popleft()

    async def _end(self, paper: _Paper, told: Told) -> None:
        with suppress(FileNotFoundError):
            if not await asyncio.to_thread(self.folder.unchanged, paper.name, paper.stamp):
                log.warning("a file was written to after it was taken: it is taken again", hospital=self.hospital)
                await asyncio.to_thread(self.folder.give_back, paper.name)
                return
        held = told["state"] == State.QUARANTINED
        await self._finish(paper.name, QUARANTINE if held else DONE, _short(told))

    async def _finish(self, name: str, where: str, told: Told) -> None:
        """Until it is done: a full disk is waited for."""
        while True:
            try:
                await asyncio.to_thread(self.folder.finish, name, where, told)
                self.finished += 1
                return
            except FileNotFoundError:
                log.warning("a taken file is gone", hospital=self.hospital, receipt=told["receipt"])
                return
            except OSError as fault:
                self._trouble(fault)
                await asyncio.sleep(PAUSE_SECONDS)

    def _trouble(self, fault: OSError) -> None:
        """Said once, not every second: file names stay out of it, hospitals put patients' names into them."""
        words = "the disk is full" if is_full(fault) else str(fault.strerror)
        if words != self._troubled:
            self._troubled = words
            log.error("folder cannot be used", hospital=self.hospital, reason=words)


@asynccontextmanager
async def watched(wanted: Iterable[Watch]) -> AsyncIterator[None]:
    """The folders are watched while the context is open."""
    tasks = [asyncio.create_task(watch.go_on()) for watch in wanted]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def watches(reception: Reception, asked: str | None) -> list[Watch]:
    """The folders of ``hospital=DIR,hospital=DIR`` and of the hospitals' files. Raises BadRequest and NotFound."""
    known = reception.house.directory
    folders = {name: doors.folder for name, doors in known.doors.items() if doors.folder is not None}
    for text in (part.strip() for part in (asked or "").split(",") if part.strip()):
        name, given, path = text.partition("=")
        if not given or not path:
            raise BadRequest("a watched folder is asked for as hospital=DIR", "watch")
        hospital = known.hospital(name).name
        own = folders.get(hospital)
        folders[hospital] = replace(own, path=Path(path)) if own else FolderDoor(Path(path))
    counter, limit = OwnCounter(reception), reception.inbox.limit
    return [
        Watch(name, Folder(door.path, door.marker, door.settle_seconds), counter, limit)
        for name, door in folders.items()
    ]


def _short(told: Told) -> dict[str, Any]:
    """The receipt without the list of what was made, which ``GET /ingest/{hospital}/{receipt}`` has."""
    return {**told, "resources": len(told["resources"])}
