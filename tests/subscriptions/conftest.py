"""A gateway's records and its subscription service on the real engine, and subscribers that listen."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from uuid import uuid4

import httpx
import pytest

from fhir_gateway.app import now
from fhir_gateway.records import write
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.step import Step
from fhir_gateway.security.audit import Trail
from fhir_gateway.security.caller import DEVELOPMENT_CLIENTS, Caller
from fhir_gateway.subscriptions.admission import Admission
from fhir_gateway.subscriptions.endpoints import Endpoints
from fhir_gateway.subscriptions.hook import Hook
from fhir_gateway.subscriptions.office import Office
from fhir_gateway.subscriptions.service import Service
from fhir_gateway.subscriptions.terms import BACKPORT
from fhir_gateway.subscriptions.watch import WatchedStore

BASE = "http://gateway/fhir"
CALLERS = {name: Caller(name, role, organization) for name, role, organization in DEVELOPMENT_CLIENTS}


@dataclass
class Received:
    """One request as a subscriber got it."""

    method: str
    path: str
    headers: httpx.Headers
    body: bytes

    @property
    def bundle(self) -> dict:
        return json.loads(self.body)

    @property
    def facts(self) -> dict:
        return facts(self.bundle)


def facts(bundle: dict) -> dict:
    """The status parameters by name; events as (number, focus)."""
    rows = bundle["entry"][0]["resource"]["parameter"]
    found: dict = {"events": [], "bundle": bundle}
    for row in rows:
        if row["name"] == "notification-event":
            parts = {part["name"]: part for part in row["part"]}
            focus = parts.get("focus", {}).get("valueReference", {}).get("reference")
            found["events"].append((int(parts["event-number"]["valueString"]), focus))
        else:
            found[row["name"]] = next(value for name, value in row.items() if name.startswith("value"))
    return found


@dataclass
class Subscriber(httpx.AsyncBaseTransport):
    """The servers behind all endpoints; ``up`` says whether they answer, ``slow`` how long they take."""

    up: bool = True
    slow: float = 0.0
    status: int = 200
    received: list[Received] = field(default_factory=list)
    refused: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(self.slow)
        if not self.up:
            self.refused += 1
            raise httpx.ConnectError("nobody is there", request=request)
        body = await request.aread()
        self.received.append(Received(request.method, request.url.path, request.headers, body))
        return httpx.Response(self.status)

    def at(self, path: str) -> list[Received]:
        return [one for one in self.received if one.path == path]

    def events(self, path: str = "/hook") -> list[tuple[int, str]]:
        """Every event told at this endpoint, in the order of arrival."""
        return [event for one in self.at(path) for event in one.facts["events"]]

    def kinds(self, path: str = "/hook") -> list[str]:
        return [one.facts["type"] for one in self.at(path)]


@dataclass
class Rig:
    """Everything a test acts on."""

    store: WatchedStore
    desk: Desk
    office: Office
    subscriber: Subscriber
    services: list[asyncio.Task] = field(default_factory=list)

    @staticmethod
    def wanted(**terms) -> dict:
        return subscription(**terms)

    @staticmethod
    async def until(condition: Callable, seconds: float = 60.0) -> None:
        await until(condition, seconds)

    @staticmethod
    def facts(bundle: dict) -> dict:
        return facts(bundle)

    def visit(self, name: str) -> Visit:
        return Visit(CALLERS[name], "request-1", "192.0.2.1")

    async def subscribe(self, client: str = "admin", **terms) -> str:
        result = await write.create(self.desk, self.visit(client), subscription(**terms))
        return result.version.id

    async def put(self, client: str, resource: dict) -> None:
        reference = f"{resource['resourceType']}/{resource['id']}"
        await write.update(self.desk, self.visit(client), reference, resource)

    async def put_all(self, client: str, resources: list[dict]) -> None:
        steps = [Step("PUT", one["resourceType"], one["id"], resource=one) for one in resources]
        await write.run(self.desk, self.visit(client), steps)

    async def subscription(self, identity: str) -> dict:
        return json.loads((await self.store.current(f"Subscription/{identity}")).body)

    def start(self, **changed) -> asyncio.Task:
        office = replace(self.office, owner=str(uuid4()), **changed)
        task = asyncio.create_task(Service(office, idle_seconds=0.05).run())
        self.services.append(task)
        return task

    async def kill(self, task: asyncio.Task) -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def active(self, identity: str) -> None:
        await until(lambda: self._is(identity, "active"))

    async def _is(self, identity: str, status: str) -> bool:
        return (await self.subscription(identity))["status"] == status

    async def becomes(self, identity: str, status: str) -> None:
        await until(lambda: self._is(identity, status))


async def until(condition: Callable, seconds: float = 60.0) -> None:
    """Wait for it to hold; fails the test when it never does."""
    async with asyncio.timeout(seconds):
        while True:
            held = condition()
            if await held if asyncio.iscoroutine(held) else held:
                return
            await asyncio.sleep(0.02)


def subscription(criteria="Patient", content="id-only", path="/hook", filters=(), **channel) -> dict:
    extensions = {name: channel.pop(name) for name in ("heartbeat-period", "max-count", "timeout") if name in channel}
    kind = channel.pop("type", "rest-hook")
    made: dict = {
        "type": kind,
        **({"endpoint": f"http://localhost:9999{path}"} if kind == "rest-hook" else {}),
        **({"payload": "application/fhir+json"} if content else {}),
        **channel,
    }
    if content:
        extension = {"url": f"{BACKPORT}/backport-payload-content", "valueCode": content}
        made["_payload"] = {"extension": [extension]}
    if extensions:
        made["extension"] = [
            {"url": f"{BACKPORT}/backport-{name}", "valuePositiveInt" if name == "max-count" else "valueUnsignedInt": n}
            for name, n in extensions.items()
        ]
    resource = {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "a test",
        "criteria": criteria,
        "channel": made,
    }
    if filters:
        listed = [{"url": f"{BACKPORT}/backport-filter-criteria", "valueString": text} for text in filters]
        resource["_criteria"] = {"extension": listed}
    return resource


@pytest.fixture
async def rig(embedded_url: str) -> AsyncIterator[Rig]:
    store = await WatchedStore.open(embedded_url, f"test-{uuid4().hex}")
    store.settle_seconds = 0.0
    subscriber = Subscriber()
    hook = Hook(subscriber)
    endpoints = Endpoints(loopback=True)
    desk = Desk(store, Trail(store), now, b"s" * 32, 20, 50, BASE, "test", admission=Admission(endpoints))
    office = Office(
        "test",
        BASE,
        store,
        now,
        store.pulse,
        hook,
        endpoints,
        first_seconds=0.05,
        longest_seconds=0.4,
        lease_seconds=10.0,
    )
    rig = Rig(store, desk, office, subscriber)
    yield rig
    for task in rig.services:
        await rig.kill(task)
    await hook.close()
    await store.close()


@pytest.fixture
def wanted() -> Callable[..., dict]:
    """A Subscription resource, without any gateway."""
    return subscription
