"""A read without its database: what the gateway's own code costs, from the ASGI call to the last byte of the answer."""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import structlog

from bench import records
from bench.figures import per_second
from fhir_gateway.api.routes import fhir_routes
from fhir_gateway.api.services import Limits, Services
from fhir_gateway.app import clients, directory, key_ring, now
from fhir_gateway.fhir.codec import encode
from fhir_gateway.records.desk import Desk
from fhir_gateway.security.audit import Trail
from fhir_gateway.security.tokens import TokenDesk
from fhir_gateway.settings import Settings
from fhir_gateway.store.port import Event, Version

CLIENT = "qn-general"
BATCH = 200


class Memory:
    """Stands where the database stands: one record, and an audit trail that keeps nothing."""

    def __init__(self, version: Version) -> None:
        self._version = version

    async def current(self, reference: str) -> Version | None:
        return self._version if reference == self._version.reference else None

    async def append(self, events: Sequence[Event]) -> None:
        """Durable at once, and forgotten."""

    async def remember(self, jti: str, until: datetime) -> bool:
        return True


def measure(seconds: float, tell: Callable[[str], None]) -> dict[str, Any]:
    """Reads a second of the whole read path on one core: token, role, record, AuditEvent and its index, headers."""
    tell("read without the database")
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    with tempfile.TemporaryDirectory(prefix="fhir-gateway-bench-") as folder:
        settings = Settings(data=Path(folder), mongo_url=None)
        identity = records.patient_id(1)
        resource = {**records.patient(1), "id": identity}
        version = Version("Patient", identity, 1, now(), encode(resource), readers=(CLIENT,))
        call, token = _reader(settings, version)
        done, taken = asyncio.run(_repeated(call, _scope(version, token), seconds))
    return {"per_second": per_second(done, taken), "microseconds_each": round(taken * 1e6 / done)}


def _reader(settings: Settings, version: Version) -> tuple[Any, str]:
    memory: Any = Memory(version)
    ring = key_ring(settings)
    known = clients(ring, directory(settings), development=True)
    tokens = TokenDesk(known, ring.tokens, "http://127.0.0.1/auth/token", memory, 3600)
    desk = Desk(memory, Trail(memory), now, ring.cursor_secret, 20, 1000, "http://127.0.0.1/fhir", settings.name)
    routes = fhir_routes(Services(desk, tokens, Limits()))
    read = next(route for route in routes if route.path == "/fhir/{type}/{id}")
    return read.app, tokens.development_token(CLIENT)


def _scope(version: Version, token: str) -> dict[str, Any]:
    path = f"/fhir/{version.reference}"
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1"), (b"authorization", f"Bearer {token}".encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "scheme": "http",
        "path_params": {"type": version.type, "id": version.id},
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
    started = perf_counter()
    while perf_counter() - started < seconds:
        await some()
    taken = perf_counter() - started
    assert set(statuses) == {200}, statuses[:3]
    return len(statuses), taken
