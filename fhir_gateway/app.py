"""The composition root: settings become one running gateway. Imported by the command line alone.

https://hl7.org/fhir/R4/http.html
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import cast

import structlog
from fastapi import FastAPI

from adapters.contract import Adapter
from fhir_gateway.api.bulk import BulkDoors
from fhir_gateway.api.exchange import ExchangeDoors
from fhir_gateway.api.mllp import Listener
from fhir_gateway.api.routes import description_route, fhir_routes, last_route
from fhir_gateway.api.services import Limits, Services
from fhir_gateway.api.subscriptions import socket_route
from fhir_gateway.exchange import inbox, outbox
from fhir_gateway.exchange.delivery import Courier
from fhir_gateway.exchange.directory import Directory, load
from fhir_gateway.exchange.house import House
from fhir_gateway.exchange.inbox import Inbox
from fhir_gateway.exchange.reception import Reception
from fhir_gateway.exchange.translation import Adapters
from fhir_gateway.exchange.worker import Bell, Dispatcher, Settled, Translator, work
from fhir_gateway.population.admission import Imports
from fhir_gateway.population.export import Exports
from fhir_gateway.problem import BadRequest, Conflict, Problem, Unavailable
from fhir_gateway.records.desk import Desk
from fhir_gateway.security.audit import Trail
from fhir_gateway.security.caller import Client, development_clients
from fhir_gateway.security.chain import seal_once
from fhir_gateway.security.keys import KeyRing
from fhir_gateway.security.tokens import TokenDesk
from fhir_gateway.settings import Settings
from fhir_gateway.store.embedded import embedded, running
from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.store.port import Commit, Note
from fhir_gateway.subscriptions import watch
from fhir_gateway.subscriptions.admission import Admission
from fhir_gateway.subscriptions.endpoints import Endpoints
from fhir_gateway.subscriptions.hook import Hook
from fhir_gateway.subscriptions.office import Office
from fhir_gateway.subscriptions.pulse import Pulse
from fhir_gateway.subscriptions.service import Service
from fhir_gateway.subscriptions.watch import WatchedStore
from fhir_gateway.terminology.library import of as library_of
from fhir_gateway.terminology.search import SearchTerms

log = structlog.get_logger()
ADAPTERS = ("hl7v2", "vn_xml", "cda")
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
ASSERTIONS = "assertions"
# The embedded engine marks 1,000 events in 2.3 s; nothing else should wait that long for the disk.
SEALED_AT_ONCE = 200


def adapters() -> Adapters:
    """The adapters that ship with the gateway, by name."""
    modules = [import_module(f"adapters.{name}") for name in ADAPTERS]
    return {module.NAME: cast(Adapter, module) for module in modules}


def directory(settings: Settings) -> Directory:
    """Who takes part, as the hospital and partner files say."""
    partners = settings.partners or settings.data / "partners"
    return load(settings.name, settings.organization, settings.hospitals, partners)


def key_ring(settings: Settings) -> KeyRing:
    """The gateway's keys; made under the data folder where development clients are served."""
    return KeyRing(settings.data / "keys", settings.name, development=settings.development_clients)


def clients(ring: KeyRing, known: Directory, development: bool) -> dict[str, Client]:
    """Who may ask for a token: the built-in clients and the partner gateways whose keys are known."""
    partners = {
        partner.client: Client(partner.client, "gateway", partner.name, json.loads(partner.jwks))
        for partner in known.partners.values()
        if partner.jwks
    }
    return {**(development_clients(ring) if development else {}), **partners}


class Replays:
    """Remembers used assertions in the store, for all processes of the gateway."""

    def __init__(self, store: MongoStore) -> None:
        self._store = store

    async def remember(self, jti: str, until: datetime) -> bool:
        try:
            await self._store.commit(Commit(notes=(Note(ASSERTIONS, jti, {"until": until}),)))
        except Conflict:
            return False
        return True


@asynccontextmanager
async def shared_store(settings: Settings) -> AsyncIterator[MongoStore]:
    """The database beside a gateway that may be running on it: its embedded engine is used, not started again."""
    url = _running(settings)
    if url is None:
        async with opened_store(settings) as store:
            yield store
        return
    store = await WatchedStore.open(url, settings.database)
    try:
        yield store
    finally:
        await store.close()


def _running(settings: Settings) -> str | None:
    if settings.mongo_url is not None:
        return None
    with suppress(Unavailable):
        return running(settings.data / "database")
    return None


@asynccontextmanager
async def opened_store(settings: Settings) -> AsyncIterator[MongoStore]:
    """The database: MongoDB where a URL is set, else the embedded engine under the data folder."""
    async with AsyncExitStack() as stack:
        if settings.mongo_url is None:
            url = await stack.enter_async_context(embedded(settings.data / "database"))
        else:
            url = settings.mongo_url.get_secret_value()
        store = await WatchedStore.open(url, settings.database)
        stack.push_async_callback(store.close)
        yield store


@dataclass(slots=True)
class Gateway:
    """One running gateway, its parts wired; ``base_url`` is the address without a path."""

    settings: Settings
    base_url: str
    store: MongoStore
    directory: Directory
    keys: KeyRing
    bell: Bell = field(default_factory=Bell)
    outgoing: Bell = field(default_factory=Bell)
    bulk: Bell = field(default_factory=Bell)
    settled: Settled = field(default_factory=Settled)
    carry: Callable[[House], Courier] = Courier
    hook: Hook = field(default_factory=Hook)

    @property
    def house(self) -> House:
        return House(self.settings.name, f"{self.base_url}/fhir", self.store, self.directory, self.keys, now)

    @property
    def reception(self) -> Reception:
        return Reception(self.house, Inbox(self.store, self.settings.message_limit), self.settled, self.bell)

    def tokens(self) -> TokenDesk:
        known = clients(self.keys, self.directory, self.settings.development_clients)
        url = f"{self.base_url}/auth/token"
        return TokenDesk(known, self.keys.tokens, url, Replays(self.store), self.settings.token_seconds)

    def services(self) -> Services:
        settings = self.settings
        desk = Desk(
            self.store,
            Trail(self.store),
            now,
            self.keys.cursor_secret,
            settings.page_size,
            settings.page_limit,
            f"{self.base_url}/fhir",
            settings.name,
            chain_limit=settings.chain_limit,
            scan_limit=settings.scan_limit,
            terminology=SearchTerms(library_of(self.store), self.store),
            admission=Admission(self.endpoints),
        )
        return Services(desk, self.tokens(), Limits(body=settings.resource_limit, deletions=settings.deletion_limit))

    @property
    def endpoints(self) -> Endpoints:
        hosts = tuple(host.strip().lower() for host in self.settings.subscription_hosts.split(",") if host.strip())
        return Endpoints(hosts, loopback=self.settings.development_clients)

    def office(self) -> Office:
        """What the work on subscriptions needs."""
        pulse = self.store.pulse if isinstance(self.store, WatchedStore) else Pulse()
        retry, longest = self.settings.retry_seconds, self.settings.retry_limit_seconds
        return Office(
            self.settings.name,
            f"{self.base_url}/fhir",
            self.store,
            now,
            pulse,
            self.hook,
            self.endpoints,
            first_seconds=retry,
            longest_seconds=longest,
            lease_seconds=self.settings.lease_seconds,
        )

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """The workers and the audit sealer run while the context is open."""
        courier = self.carry(self.house)
        translator = Translator(self.house, self.reception.inbox, adapters(), self.outgoing, self.settled)
        dispatcher = Dispatcher(self.house, courier, self.settings.retry_seconds, self.settings.retry_limit_seconds)
        lease = self.settings.lease_seconds
        if self.settings.mongo_url is None:
            # Nobody else works on an embedded database: what is leased was leased by a gateway that was killed.
            for queue in (inbox.TRANSLATE, outbox.DELIVER, watch.CHANGES, watch.ENROL):
                await self.store.release(queue)
        jobs = [
            work(inbox.TRANSLATE, self.house, lease, self.bell, translator.do),
            work(outbox.DELIVER, self.house, lease, self.outgoing, dispatcher.do),
            Service(self.office()).run(),
            self._seal(),
            self._bulk(),
            self._keep_up(),
        ]
        tasks = [asyncio.create_task(job) for job in jobs]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await courier.close()
            await self.hook.close()

    async def _seal(self) -> None:
        """One sealer at a time orders durable events into blocks; no request ever waits for it."""
        owner = f"{self.base_url}#{id(self)}"
        while True:
            with suppress(Problem):
                if await self.store.hold("sealer", owner, 3 * self.settings.seal_seconds):
                    while await seal_once(self.store, self.keys.gateway, now(), SEALED_AT_ONCE):
                        pass
            await asyncio.sleep(self.settings.seal_seconds)

    async def _keep_up(self) -> None:
        """Search indexes that a new version of the code wants are built, and records get its keys."""
        done = False
        while not done:
            with suppress(Problem):
                done = await self.store.keep_up(f"{self.base_url}#{id(self)}")
            await asyncio.sleep(self.settings.seal_seconds)

    async def _bulk(self) -> None:
        """Bulk jobs are worked on one after the other, so that they leave room for everybody else."""
        owner, desk, data = f"{self.base_url}#{id(self)}", self.services().desk, self.settings.data
        age = timedelta(hours=self.settings.bulk_hours)
        while True:
            for jobs in (Exports(desk, data), Imports(desk, data, self.settings.import_folder)):
                with suppress(Problem):
                    await jobs.go_on(owner)
                    await jobs.clear(age)
            await self.bulk.wait(5 * self.settings.seal_seconds)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str | None]:
        """The MLLP port, where one is configured; gives its ``host:port``."""
        if self.settings.mllp is None:
            yield None
            return
        hospital, host, port = mllp_address(self.settings.mllp, self.directory)
        tls = _tls(self.settings)
        if tls is None and host not in LOOPBACK:
            raise BadRequest("MLLP without TLS listens on the loopback address only", "mllp")
        caller = self.tokens().known_as(hospital)
        listener = Listener(self.reception, caller, hospital, self.settings.wait_seconds)
        chosen = await listener.start(host, port, tls)
        try:
            yield f"{host}:{chosen}"
        finally:
            await listener.stop()

    def app(self) -> FastAPI:
        """The HTTP application: FHIR REST and the exchange; pages of its own FastAPI has none here."""
        services = self.services()
        doors = ExchangeDoors(self.reception, self.outgoing, self.settings.wait_seconds)
        app = FastAPI(title="FHIR gateway", openapi_url=None, docs_url=None, redoc_url=None)
        settings, age = self.settings, timedelta(hours=self.settings.bulk_hours)
        bulk = BulkDoors(settings.data, age, self.bulk.ring, settings.import_folder, settings.import_limit)
        own = [*doors.routes(services), *bulk.routes(services)]
        routes = [*own, socket_route(self.office), *fhir_routes(services)]
        app.router.routes[:] = [*routes, description_route(services, routes), last_route(services)]
        return app


def now() -> datetime:
    """The time to the millisecond: as much as FHIR instants and the database keep."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@asynccontextmanager
async def gateway(settings: Settings, base_url: str) -> AsyncIterator[Gateway]:
    """A gateway with its database open and nothing running yet."""
    settings.data.mkdir(parents=True, exist_ok=True)
    async with opened_store(settings) as store:
        yield Gateway(settings, base_url, store, directory(settings), key_ring(settings))


def mllp_address(text: str, known: Directory) -> tuple[str, str, int]:
    """``[hospital@]host:port``; without a hospital the first whose own format is HL7 v2."""
    name, at, address = text.rpartition("@")
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise BadRequest("MLLP listens on [hospital@]host:port", "mllp")
    speakers = [hospital.name for hospital in known.hospitals.values() if hospital.adapters[:1] == ("hl7v2",)]
    if not at and not speakers:
        raise BadRequest("no hospital sends HL7 v2 first: name one, as hospital@host:port", "mllp")
    return known.hospital(name if at else speakers[0]).name, host, int(port)


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.mllp_certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=_path(settings.mllp_client_ca))
    context.load_cert_chain(settings.mllp_certificate)
    if settings.mllp_client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _path(file: Path | None) -> str | None:
    return str(file) if file is not None else None
