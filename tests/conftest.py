"""What tests of several rooms share: one event loop, one embedded database, a store a test, two gateways joined."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from fhir_gateway.app import Gateway, directory, key_ring
from fhir_gateway.exchange.delivery import Courier
from fhir_gateway.settings import Settings
from fhir_gateway.store.embedded import Engine
from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.subscriptions.watch import WatchedStore

FIXTURES = Path(__file__).parents[1] / "fixtures"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
async def one_event_loop(anyio_backend: str) -> AsyncIterator[None]:
    """An open session fixture keeps the loop: a database client belongs to the loop it was made in."""
    yield  # noqa: PT022 - a generator is what keeps it open


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
    """An empty store of its own for each test; it goes with the session's folder, dropping costs the engine seconds."""
    store = await MongoStore.open(embedded_url, f"test-{uuid4().hex}")
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    """A database of its own: one that is killed, or keeps the open transactions of the killed for a minute."""
    engine = Engine(tmp_path / "engine")
    await asyncio.to_thread(engine.start)
    try:
        yield engine
    finally:
        await asyncio.to_thread(engine.stop)


@dataclass
class Running:
    """A gateway and its HTTP door."""

    gateway: Gateway
    http: httpx.AsyncClient

    def bearer(self, client: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.gateway.tokens().development_token(client)}"}

    async def get(self, client: str, path: str) -> httpx.Response:
        return await self.http.get(path, headers=self.bearer(client))

    async def post(self, client: str, path: str, body) -> httpx.Response:
        return await self.http.post(path, headers=self.bearer(client), json=body)

    async def ingest(self, hospital: str, media_type: str, body: bytes, wait: bool = True) -> httpx.Response:
        headers = {**self.bearer(hospital), "Content-Type": media_type}
        query = {"wait": "true"} if wait else {}
        return await self.http.post(f"/ingest/{hospital}", params=query, content=body, headers=headers)

    async def search(self, client: str, query: str) -> list[dict]:
        answer = await self.get(client, f"/fhir/{query}")
        assert answer.status_code == 200, answer.text
        return [entry["resource"] for entry in answer.json().get("entry", [])]


class Wire(httpx.AsyncBaseTransport):
    """The network between the gateways; ``cut`` pulls the plug."""

    def __init__(self) -> None:
        self.doors: dict[str, httpx.ASGITransport] = {}
        self.cut = False
        self.carried = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.cut:
            raise httpx.ConnectError("the wire is cut", request=request)
        self.carried += request.url.path == "/exchange/deliveries"
        return await self.doors[request.url.host].handle_async_request(request)


NAMES = {"quang-ninh": ["22T01", "22T02", "22T03"], "bach-mai": ["01T01"]}


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def pair(embedded_url: str, tmp_path: Path, wire: Wire) -> AsyncIterator[tuple[Running, Running]]:
    """Province and central, working, their keys exchanged."""
    settings = {name: Settings(name=name, data=tmp_path / name, retry_seconds=0.05, seal_seconds=0.2) for name in NAMES}
    for name, other in zip(NAMES, reversed(NAMES), strict=True):
        _introduce(settings[name], settings[other])
    async with AsyncExitStack() as stack:
        yield tuple([await _running(stack, embedded_url, settings[name], wire) for name in NAMES])


async def _running(stack: AsyncExitStack, url: str, settings: Settings, wire: Wire) -> Running:
    store = await WatchedStore.open(url, f"test-{uuid4().hex}")
    stack.push_async_callback(store.close)
    base = f"http://{settings.name}"
    carry = lambda house: Courier(house, wire)  # noqa: E731
    gateway = Gateway(settings, base, store, directory(settings), key_ring(settings), carry=carry)
    await stack.enter_async_context(gateway.working())
    wire.doors[settings.name] = httpx.ASGITransport(gateway.app())
    http = httpx.AsyncClient(transport=wire.doors[settings.name], base_url=base)
    await stack.enter_async_context(http)
    return Running(gateway, http)


def _introduce(own: Settings, other: Settings) -> None:
    ring = key_ring(other)
    folder = own.data / "partners"
    folder.mkdir(parents=True)
    (folder / "keys.json").write_text(json.dumps(ring.public_keys()))
    (folder / "ca.pem").write_bytes(ring.authority)
    lines = {"name": other.name, "facilities": NAMES[other.name], "url": f"http://{other.name}"}
    lines |= {"jwks": "keys.json", "ca": "ca.pem"}
    (folder / "partner.toml").write_text("\n".join(f"{k} = {json.dumps(v)}" for k, v in lines.items()))


@pytest.fixture
def message():
    """The bytes of a fixture's message."""

    def read(path: str) -> bytes:
        folder = FIXTURES / path
        return next(folder.glob("message.*")).read_bytes()

    return read
