"""A read and a search without their database: what the gateway's own code costs, from ASGI call to last byte."""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from time import process_time
from typing import Any

import structlog

from bench import records
from bench.figures import per_second
from fhir_gateway.api.routes import fhir_routes
from fhir_gateway.api.services import Limits, Services
from fhir_gateway.app import clients, directory, key_ring, now
from fhir_gateway.fhir.codec import encode
from fhir_gateway.records.desk import Desk
from fhir_gateway.search.query import Query
from fhir_gateway.security.audit import Trail
from fhir_gateway.security.tokens import TokenDesk
from fhir_gateway.settings import Settings
from fhir_gateway.store.port import Event, Version

CLIENT = "qn-general"
BATCH = 200
PAGE = 20
ONE, ALL = "/fhir/{type}/{id}", "/fhir/{type}"
SEARCH = f"patient={records.patient_id(1)}&code={records.LOINC}|{records.CODES[0]}&date=ge2026-01-01"


class Memory:
    """Stands where the database stands: one record, one page, and an audit trail that keeps nothing."""

    def __init__(self, version: Version, page: Sequence[Version]) -> None:
        self._version, self._page = version, page

    async def current(self, reference: str) -> Version | None:
        return self._version if reference == self._version.reference else None

    async def find(self, query: Query, reader: str | None = None) -> list[Version]:
        return list(self._page[: query.size])

    async def count(self, query: Query, reader: str | None = None, limit: int = 0) -> int:
        return len(self._page)

    async def estimate(self, query: Query, reader: str | None = None, limit: int = 0) -> int:
        return len(self._page)

    async def append(self, events: Sequence[Event]) -> None:
        """Durable at once, and forgotten."""

    async def remember(self, jti: str, until: datetime) -> bool:
        return True


def measure(seconds: float, tell: Callable[[str], None]) -> dict[str, Any]:
    """Of the whole path on one core, in processor time: token, role, record, AuditEvent and its index, headers."""
    tell("read and search without the database")
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    with tempfile.TemporaryDirectory(prefix="fhir-gateway-bench-") as folder:
        settings = Settings(data=Path(folder), mongo_url=None)
        identity = records.patient_id(1)
        person = _version("Patient", identity, records.patient(1))
        results = (records.observation(1, place, f"Patient/{identity}") for place in range(PAGE + 1))
        page = [_version("Observation", f"{identity}-{at}", result) for at, result in enumerate(results)]
        doors, token = _doors(settings, Memory(person, page))
        read = asyncio.run(_repeated(doors[ONE], _scope(token, "Patient", identity), seconds))
        search = asyncio.run(_repeated(doors[ALL], _scope(token, "Observation"), seconds))
    return _figures(*read) | {f"search_page_of_{PAGE}": _figures(*search)}


def _figures(done: int, taken: float) -> dict[str, Any]:
    return {"per_second": per_second(done, taken), "microseconds_each": round(taken * 1e6 / done)}


def _version(type_: str, identity: str, resource: dict[str, Any]) -> Version:
    return Version(type_, identity, 1, now(), encode({**resource, "id": identity}), readers=(CLIENT,))


def _doors(settings: Settings, memory: Any) -> tuple[dict[str, Any], str]:
    ring = key_ring(settings)
    known = clients(ring, directory(settings), settings)
    tokens = TokenDesk(known, ring.tokens, "http://127.0.0.1/auth/token", memory, 3600)
    desk = Desk(memory, Trail(memory), now, ring.cursor_secret, 20, 1000, "http://127.0.0.1/fhir", settings.name)
    routes = fhir_routes(Services(desk, tokens, Limits()))
    return {route.path: route.app for route in routes}, tokens.development_token(CLIENT)


def _scope(token: str, type_: str, identity: str = "") -> dict[str, Any]:
    path = f"/fhir/{type_}/{identity}".rstrip("/")
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"" if identity else SEARCH.encode(),
        "headers": [(b"host", b"127.0.0.1"), (b"authorization", f"Bearer {token}".encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "scheme": "http",
        "path_params": {"type": type_, "id": identity} if identity else {"type": type_},
    }


async def _repeated(call: Any, scope: dict[str, Any], seconds: float) -> tuple[int, float]:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    statuses: list[int] = []

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def some() -> None:
        for _ in range(BATCH):
            await call(dict(scope), receive, send)

    await some()
    statuses.clear()
    started = process_time()
    while process_time() - started < seconds:
        await some()
    taken = process_time() - started
    assert set(statuses) == {200}, statuses[:3]
    return len(statuses), taken
