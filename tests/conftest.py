"""What tests of several rooms share: one event loop a session, one embedded database a session, one store a test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from fhir_gateway.store.embedded import Engine
from fhir_gateway.store.mongo import MongoStore


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
async def one_event_loop(anyio_backend: str) -> AsyncIterator[None]:
    """An open session fixture keeps the loop: a database client belongs to the loop it was made in."""
    yield


@pytest.fixture(scope="session")
def embedded_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("embedded")


@pytest.fixture(scope="session")
def embedded_url(embedded_folder: Path) -> Iterator[str]:
    """The address of an embedded database that runs as long as the test session."""
    engine = Engine(embedded_folder)
    engine.start()
    yield engine.url
    engine.stop()


@pytest.fixture
async def store(embedded_url: str) -> AsyncIterator[MongoStore]:
    """An empty store of its own for each test."""
    store = await MongoStore.open(embedded_url, f"test-{uuid4().hex}")
    yield store
    await store.drop()
    await store.close()
