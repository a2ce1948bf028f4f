"""The store as a process of the gateway opens it: the database, and before it the journal of the audit trail.

https://www.mongodb.com/docs/manual/reference/connection-string/
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

from fhir_gateway.problem import Problem, Unavailable
from fhir_gateway.search import vocabulary
from fhir_gateway.search.extract import index
from fhir_gateway.security import journal
from fhir_gateway.security.journal import Journal
from fhir_gateway.settings import Settings
from fhir_gateway.store.apart import apart, runs, wished
from fhir_gateway.store.embedded import embedded, running
from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.subscriptions.watch import WatchedStore

JOURNALS = "audit"
SESSIONS = "sessions"


@asynccontextmanager
async def opened_store(settings: Settings) -> AsyncIterator[MongoStore]:
    """The database: MongoDB where a URL is set, else the embedded engine under the data folder."""
    vocabulary.declare(settings.text_index)
    folder = settings.data / "database"
    async with AsyncExitStack() as stack:
        if settings.mongo_url is None:
            url = await stack.enter_async_context(embedded(folder))
        else:
            url = settings.mongo_url.get_secret_value()
        store = await WatchedStore.open(url, settings.database)
        stack.push_async_callback(store.close)
        await store.note_sessions(settings.data / SESSIONS)
        if runs(folder, url):
            store.apart, store.busy = partial(apart, folder), partial(wished, folder)
        yield store


@asynccontextmanager
async def shared_store(settings: Settings) -> AsyncIterator[MongoStore]:
    """The database beside a gateway that may be running on it: its embedded engine is used, not started again.

    Events that a killed process left in its journal are in it.
    """
    vocabulary.declare(settings.text_index)
    async with AsyncExitStack() as stack:
        url = _running(settings)
        if url is None:
            store = await stack.enter_async_context(opened_store(settings))
        else:
            store = await WatchedStore.open(url, settings.database)
            stack.push_async_callback(store.close)
            await store.note_sessions(settings.data / SESSIONS)
        await stack.enter_async_context(journal.running(journal_of(settings, store)))
        with suppress(Problem):
            await store.delivered()
        yield store


def journal_of(settings: Settings, store: MongoStore) -> Journal:
    """The audit journal of this process; from now on whoever reads AuditEvents of ``store`` sees what it holds."""
    made = Journal(settings.data / JOURNALS, store, index, settings.journal_limit)
    store.delivered = made.delivered
    return made


def _running(settings: Settings) -> str | None:
    if settings.mongo_url is not None:
        return None
    with suppress(Unavailable):
        return running(settings.data / "database")
    return None
