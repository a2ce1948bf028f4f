"""The whole API in this process, on the real store, and clients with real tokens."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from fhir_gateway.api.routes import fhir_routes, last_route
from fhir_gateway.api.services import Limits, Services
from fhir_gateway.records.desk import Desk
from fhir_gateway.security.audit import Trail
from fhir_gateway.security.caller import development_clients
from fhir_gateway.security.keys import KeyRing
from fhir_gateway.security.tokens import TokenDesk
from fhir_gateway.store.port import Store
from fhir_gateway.terminology.library import Library
from fhir_gateway.terminology.search import SearchTerms

ROOT = "http://gateway"
LIMITS = Limits(body=200_000, form=4000, url=2000, parameters=20, entries=50)


@dataclass(slots=True)
class Spent:
    """The assertions that were used, for the life of one test."""

    seen: set[str] = field(default_factory=set)

    async def remember(self, jti: str, until: datetime) -> bool:
        fresh = jti not in self.seen
        self.seen.add(jti)
        return fresh


@pytest.fixture(scope="session")
def ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    folder: Path = tmp_path_factory.mktemp("keys")
    return KeyRing(folder / "ring", "test")


@pytest.fixture
def services(store: Store, ring: KeyRing) -> Services:
    tokens = TokenDesk(development_clients(ring), ring.tokens, f"{ROOT}/auth/token", Spent())
    clock, terms = lambda: datetime.now(UTC), SearchTerms(Library(store), store)
    desk = Desk(store, Trail(store), clock, b"s" * 32, 20, 50, f"{ROOT}/fhir", "test", terminology=terms)
    return Services(desk, tokens, LIMITS)


@pytest.fixture
async def client_of(services: Services) -> AsyncIterator[Callable[[str], httpx.AsyncClient]]:
    """A client with the token of a registered name; without one for the empty name."""
    app = Starlette(routes=[*fhir_routes(services), last_route(services)])
    opened: dict[str, httpx.AsyncClient] = {}

    def client(name: str) -> httpx.AsyncClient:
        if name not in opened:
            headers = {"authorization": f"Bearer {services.tokens.development_token(name)}"} if name else {}
            headers["content-type"] = "application/fhir+json"
            transport = httpx.ASGITransport(app=app)
            opened[name] = httpx.AsyncClient(transport=transport, base_url=ROOT, headers=headers)
        return opened[name]

    yield client
    for each in opened.values():
        await each.aclose()


@pytest.fixture
def admin(client_of: Callable[[str], httpx.AsyncClient]) -> httpx.AsyncClient:
    return client_of("admin")
