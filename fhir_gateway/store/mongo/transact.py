"""All or nothing: a transaction that is run again while other writers are in the way or the database restarts.

https://www.mongodb.com/docs/manual/core/transactions-in-applications/
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

from bson.errors import InvalidDocument
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorClientSession
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from fhir_gateway.problem import Conflict, Problem
from fhir_gateway.store.mongo.connection import Document, lost, meaning, raced

Session = AsyncIOMotorClientSession | None
DirectSession = ClientSession | None
DirectCollection = Collection[dict[str, Any]]
"""As the driver has them itself, for who calls it from a thread of his own."""

PATIENCE_SECONDS = 15.0
LONGEST_PAUSE_SECONDS = 0.25

# Who is to hear of the session of a transaction before it writes, by client.
_noted: WeakKeyDictionary[AsyncIOMotorClient[Document], Callable[[AsyncIOMotorClientSession], None]] = (
    WeakKeyDictionary()
)

# Apart from the driver's own threads, where reads must not wait behind large commits.
_writing = ThreadPoolExecutor(16, thread_name_prefix="writing")

# The loop itself holds its tasks only weakly.
_going: set[asyncio.Task[None]] = set()


class Overtaken(Exception):  # noqa: N818 - an event inside this room, never a problem for callers
    """Another writer changed what was just read; reading again decides."""


@dataclass(frozen=True, slots=True)
class Work:
    """``write`` does it once; ``landed`` tells whether an earlier try took effect of which no answer came.

    It is told whether there was a try without an answer, for work that leaves no mark. ``single`` is a write that
    needs no transaction to be whole.
    """

    write: Callable[[Session], Awaitable[None]]
    landed: Callable[[bool], Awaitable[bool]]
    single: bool = False


def note(client: AsyncIOMotorClient[Document], begun: Callable[[AsyncIOMotorClientSession], None]) -> None:
    """From now on ``begun`` hears of the session of each transaction of the client before it writes."""
    _noted[client] = begun


async def transact(client: AsyncIOMotorClient[Document], work: Work) -> None:
    """Do the work once and durably. Raises Conflict when it lost, Unavailable when its outcome is unknown."""
    # A caller that gives up in the middle must not leave a transaction open behind it: the work goes on to its end.
    task = asyncio.create_task(_persist(client, work))
    _going.add(task)
    task.add_done_callback(_gone)
    await asyncio.shield(task)


async def directly(write: Callable[[DirectSession], None], session: Session) -> None:
    """Do the statements of ``write`` in a thread, one after the other: each by itself costs the loop two turns."""
    direct = None if session is None else session.delegate
    await asyncio.get_running_loop().run_in_executor(_writing, write, direct)


async def at_rest() -> None:
    """Return when nothing that was begun here still goes on: before a connection is closed."""
    if _going:
        await asyncio.wait(_going, timeout=PATIENCE_SECONDS)


def _gone(task: asyncio.Task[None]) -> None:
    _going.discard(task)
    if not task.cancelled():
        # Looked at here too: whoever waited for it may have given up.
        task.exception()


async def _persist(client: AsyncIOMotorClient[Document], work: Work) -> None:
    uncertain, attempt, end = False, 0, monotonic() + PATIENCE_SECONDS
    while True:
        try:
            async with _scope(client, work.single) as session:
                await work.write(session)
            return
        except Conflict:
            # The driver itself repeats what got no answer: the one who was first may be this very commit.
            if await work.landed(uncertain):
                return
            raise
        except (PyMongoError, InvalidDocument, Overtaken) as error:
            uncertain = uncertain or lost(error)
            if not _again(error) or monotonic() > end:
                raise _defeat(error) from None
        attempt += 1
        await asyncio.sleep(_pause(attempt))


def _again(error: Exception) -> bool:
    return isinstance(error, Overtaken) or raced(error) or lost(error)


def _defeat(error: Exception) -> Problem:
    return Conflict("other writers were faster every time") if isinstance(error, Overtaken) else meaning(error)


def _pause(attempt: int) -> float:
    """Seconds before the next try: random, so that those who collided do not collide again."""
    return random.uniform(0, min(LONGEST_PAUSE_SECONDS, 0.002 * 2 ** min(attempt, 10)))  # noqa: S311


@asynccontextmanager
async def _scope(client: AsyncIOMotorClient[Document], single: bool) -> AsyncIterator[Session]:
    if single:
        yield None
        return
    async with await client.start_session() as session, session.start_transaction():
        if client in _noted:
            _noted[client](session)
        yield session
