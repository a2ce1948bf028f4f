"""The store on MongoDB, or on the embedded engine that speaks its protocol: the only door to the driver.

``MongoStore`` keeps the promises of ``store/port.py``. ``writing`` is what a commit writes, ``transact`` makes it
whole, ``grouping`` lets small ones share a transaction,
``abandoned`` ends those of killed processes, ``documents`` says how each value lies in the database,
``connection`` how it is opened and what its errors mean. ``looks`` and ``shared`` let reads and searches that come at
the same time share a question.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Self

from motor.motor_asyncio import AsyncIOMotorClient

from fhir_gateway.problem import Unavailable
from fhir_gateway.store.mongo.abandoned import Sessions
from fhir_gateway.store.mongo.catching_up import Delivered, LatestReader, nothing_waits
from fhir_gateway.store.mongo.connection import COLLECTIONS, Document, answering, bounds_elements, connect, prepare
from fhir_gateway.store.mongo.grouping import Groups
from fhir_gateway.store.mongo.jobs import JobKeeper
from fhir_gateway.store.mongo.ladders import Ladders
from fhir_gateway.store.mongo.layout import Layout
from fhir_gateway.store.mongo.looks import Looks
from fhir_gateway.store.mongo.notes import NoteKeeper
from fhir_gateway.store.mongo.shared import Shared
from fhir_gateway.store.mongo.trail import TrailKeeper
from fhir_gateway.store.mongo.transact import Work, at_rest, note, transact
from fhir_gateway.store.mongo.upkeep import IndexKeeper
from fhir_gateway.store.mongo.writing import Writer
from fhir_gateway.store.port import Commit, Store


class MongoStore(LatestReader, JobKeeper, NoteKeeper, TrailKeeper, IndexKeeper):
    """``Store``; belongs to the event loop it was opened in.

    ``delivered`` brings in events that lie in a journal before it; whoever reads the audit trail waits for that.
    """

    def __init__(self, client: AsyncIOMotorClient[Document], database: str) -> None:
        self._client = client
        self._database = client[database]
        # The driver makes a collection anew each time it is named: 40 µs of every request.
        for name in COLLECTIONS:
            setattr(self._database, name, self._database[name])
        self.delivered: Delivered = nothing_waits
        self._looks = Looks(self._currents)
        self._ladders = Ladders(self._database.resources)
        self._shared = Shared(self._database.resources)
        self._layout = Layout(self._database)
        self._groups = Groups(self._whole, self._large)
        self._sessions: Sessions | None = None

    @classmethod
    async def open(cls, url: str, database: str) -> Self:
        """Connect and create the collections and indexes that are missing. Raises Unavailable."""
        store = cls(connect(url), database)
        store.url = url
        try:
            await store.prepare()
        except BaseException:
            await store.close()
            raise
        return store

    async def prepare(self) -> None:
        """Create the collections and indexes that are missing, and see what server this is. Raises Unavailable."""
        async with answering():
            made = await prepare(self._database)
            await (self._layout.begin() if "resources" in made else self._layout.look())
            self._bounds_elements = await bounds_elements(self._database)

    @property
    def name(self) -> str:
        """The name of the database."""
        return str(self._database.name)

    async def close(self) -> None:
        await self._groups.at_rest()
        await at_rest()
        if self._sessions is not None:
            self._sessions.close()
            self._sessions = None
        self._client.close()

    async def note_sessions(self, folder: Path) -> None:
        """Note under ``folder`` the sessions of transactions, and end those that killed processes left open."""
        self._sessions = Sessions(folder)
        note(self._client, self._sessions.begin)
        await self.end_abandoned()

    async def end_abandoned(self) -> None:
        """End the transactions of processes that are no more. Raises Unavailable."""
        if self._sessions is not None:
            async with answering():
                await self._sessions.end_abandoned(self._client)

    async def drop(self) -> None:
        """Delete the whole database: for tests and trials."""
        async with answering():
            await self._client.drop_database(self._database.name)

    async def ping(self) -> None:
        try:
            async with answering():
                await self._client.admin.command("ping")
        except Unavailable:
            if self.busy():
                raise Unavailable("indexes are built, and the database answers nobody meanwhile; see the log") from None
            raise

    async def commit(self, commit: Commit) -> None:
        await self._groups.commit(commit)

    async def _whole(self, commit: Commit) -> None:
        await self._written(Writer(self._database, commit))

    async def _large(self, commit: Commit) -> None:
        await self._written(Writer(self._database, commit, most=self._groups.most))

    async def _written(self, writer: Writer) -> None:
        await transact(self._client, Work(writer.write, writer.landed, writer.single))


if TYPE_CHECKING:
    _promises: type[Store] = MongoStore
