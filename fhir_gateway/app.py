"""The composition root: settings become one running gateway. Imported by the command line alone.

https://hl7.org/fhir/R4/http.html
"""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from typing import cast

import structlog
from fastapi import FastAPI
from starlette.types import ASGIApp

from adapters.contract import Adapter
from fhir_gateway.api.browsers import open_to, origins
from fhir_gateway.api.bulk import BulkDoors
from fhir_gateway.api.completeness import CompletenessDoors
from fhir_gateway.api.entrance import Entrance
from fhir_gateway.api.exchange import ExchangeDoors
from fhir_gateway.api.feed_figures import FeedFigures
from fhir_gateway.api.front import Front
from fhir_gateway.api.insurance import InsuranceDoor
from fhir_gateway.api.listeners import opened, ports
from fhir_gateway.api.outbound import OutboundDoors
from fhir_gateway.api.receipts import ReceiptDoors
from fhir_gateway.api.refusals import Refusals
from fhir_gateway.api.routes import description_route, fhir_routes, last_route
from fhir_gateway.api.services import Limits, Services
from fhir_gateway.api.source import SourceDoor
from fhir_gateway.api.subscriptions import socket_route
from fhir_gateway.exchange import answers, inbox, mapping, outbox, replay
from fhir_gateway.exchange.ahead import Turn
from fhir_gateway.exchange.answering import Answering
from fhir_gateway.exchange.answers import Renderer
from fhir_gateway.exchange.backlog import Backlog
from fhir_gateway.exchange.clock import keep_time, set_right
from fhir_gateway.exchange.delivery import Courier
from fhir_gateway.exchange.directory import Directory, load
from fhir_gateway.exchange.feeds import Feeds
from fhir_gateway.exchange.house import House
from fhir_gateway.exchange.inbox import Inbox
from fhir_gateway.exchange.lanes import Bell
from fhir_gateway.exchange.origins import Origins
from fhir_gateway.exchange.reception import Reception
from fhir_gateway.exchange.translation import Adapters
from fhir_gateway.exchange.watching import watched, watches
from fhir_gateway.exchange.worker import ABREAST, Dispatcher, Settled, Translator, work
from fhir_gateway.opening import journal_of
from fhir_gateway.opening import opened_store as opened_store  # noqa: PLC0414 - the command line looks for both here
from fhir_gateway.opening import shared_store as shared_store  # noqa: PLC0414
from fhir_gateway.population.admission import Imports
from fhir_gateway.population.export import Exports
from fhir_gateway.problem import Conflict, Problem
from fhir_gateway.records.desk import Desk
from fhir_gateway.security.audit import Trail
from fhir_gateway.security.caller import Client, development_clients
from fhir_gateway.security.chain import seal_once
from fhir_gateway.security.journal import Journal
from fhir_gateway.security.journal import running as kept
from fhir_gateway.security.keys import KeyRing
from fhir_gateway.security.registry import registered
from fhir_gateway.security.sight import EVERY_PATIENT
from fhir_gateway.security.tokens import TokenDesk
from fhir_gateway.settings import Settings
from fhir_gateway.store.embedded import has_room, revive
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
ADAPTERS = ("hl7v2", "vn_xml", "vn_record", "cda", "fhir_bundle", "tabular")
ASSERTIONS = "assertions"
# The embedded engine marks 1,000 events in 2.3 s; nothing else should wait that long for the disk.
SEALED_AT_ONCE = 2000
FAILURES = 3
REPLAYS_AT_ONCE, REPLAYS_SECONDS = 500, 3600.0


def adapters() -> Adapters:
    """The adapters that ship with the gateway, by name."""
    modules = [import_module(f"adapters.{name}") for name in ADAPTERS]
    return {module.NAME: cast(Adapter, module) for module in modules}


def speaker() -> Renderer:
    """The adapter that writes to a hospital in its own format."""
    return cast(Renderer, import_module("adapters.hl7v2"))


def directory(settings: Settings) -> Directory:
    """Who takes part, as the hospital and partner files say."""
    partners = settings.partners or settings.data / "partners"
    return load(settings.name, settings.organization, settings.hospitals, partners, settings.data / "trust")


def key_ring(settings: Settings) -> KeyRing:
    """The gateway's keys; made under the data folder where development clients are served."""
    return KeyRing(settings.data / "keys", settings.name, development=settings.development_clients)


def clients(ring: KeyRing, known: Directory, settings: Settings) -> dict[str, Client]:
    """Who may have a token: registered and built-in clients, partner gateways with known keys, hospital accounts."""
    built_in = development_clients(ring, known.hospitals) if settings.development_clients else {}
    partners = {
        partner.client: Client(partner.client, "gateway", partner.name, json.loads(partner.jwks))
        for partner in known.partners.values()
        if partner.jwks
    }
    hospitals = (name for name, doors in known.doors.items() if doors.portal)
    accounts = {name: Client(name, "hospital", name, {"keys": []}) for name in hospitals}
    return {**accounts, **built_in, **registered(settings.clients or settings.data / "clients"), **partners}


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

    async def clear(self, moment: datetime) -> None:
        """Forget those that would be refused as expired by now."""
        after = ""
        while found := await self._store.notes(ASSERTIONS, {}, after, REPLAYS_AT_ONCE):
            await self._store.forget(ASSERTIONS, [key for key, content in found if content["until"] < moment])
            after = found[-1][0]


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
    remapping: Bell = field(default_factory=Bell)
    settled: Settled = field(default_factory=Settled)
    carry: Callable[[House], Courier] = Courier
    hook: Hook = field(default_factory=Hook)
    refusals: Refusals = field(default_factory=Refusals)
    journal: Journal | None = None
    backlog: Backlog = field(init=False)
    feeds: Feeds = field(init=False)

    def __post_init__(self) -> None:
        shortest, every = self.settings.silence_minutes, self.settings.feed_seconds
        self.feeds = Feeds(self.house, timedelta(minutes=shortest), timedelta(seconds=every))
        self.backlog = Backlog(self.store, self.settings.backlog_limit)
        self.settled.ended = self.backlog.settled

    @property
    def owner(self) -> str:
        """Who holds what only one process may do at a time: no two processes of this gateway have the same name."""
        return f"{self.base_url}#{socket.gethostname()}.{os.getpid()}.{id(self)}"

    @property
    def house(self) -> House:
        return House(self.settings.name, f"{self.base_url}/fhir", self.store, self.directory, self.keys, now)

    @property
    def reception(self) -> Reception:
        letters = Inbox(self.store, self.settings.message_limit)
        return Reception(self.house, letters, self.settled, self.bell, self.backlog)

    def tokens(self) -> TokenDesk:
        known = clients(self.keys, self.directory, self.settings)
        url = f"{self.base_url}/auth/token"
        unlocked = () if self.settings.hide_secrets else (EVERY_PATIENT,)
        return TokenDesk(known, self.keys.tokens, url, Replays(self.store), self.settings.token_seconds, unlocked)

    def services(self) -> Services:
        settings = self.settings
        desk = Desk(
            self.store,
            Trail(self.store, self.journal.keep if self.journal else None),
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
        called = bool(origins(settings.origins))
        limits = Limits(body=settings.resource_limit, deletions=settings.deletion_limit, browsers=called)
        room = partial(has_room, self.settings.data)
        return Services(
            desk, self.tokens(), limits, feeds=self.feeds, journal=self.journal, refusals=self.refusals, has_room=room
        )

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
            kept=timedelta(days=self.settings.subscription_days),
            today=self.tokens().today,
        )

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """The audit journal is kept, the workers and the audit sealer run while the context is open."""
        async with kept(journal_of(self.settings, self.store)) as self.journal, self._workers():
            yield

    @asynccontextmanager
    async def _workers(self) -> AsyncIterator[None]:
        courier = self.carry(self.house)
        longest, letters = self.settings.translate_seconds, self.reception.inbox
        translator = Translator(self.house, letters, adapters(), self.outgoing, self.settled, longest)
        dispatcher = Dispatcher(self.house, courier, self.settings.retry_seconds, self.settings.retry_limit_seconds)
        answering = Answering(self.house, speaker(), self.settings.retry_seconds, self.settings.retry_limit_seconds)
        lease = self.settings.lease_seconds
        if self.settings.mongo_url is None:
            # Nobody else works on an embedded database: what is leased was leased by a gateway that was killed.
            for queue in self._waits:
                await self.store.release(queue)
        await set_right(self.store, self._waits)
        jobs = [
            work(inbox.TRANSLATE, self.house, lease, self.bell, Turn(translator.do, translator.ready, ABREAST)),
            work(outbox.DELIVER, self.house, lease, self.outgoing, dispatcher.do),
            work(replay.REMAP, self.house, lease, self.remapping, self._remapper().do),
            work(answers.QUEUE, self.house, lease, Bell(), answering.do),
            Service(self.office()).run(),
            self._seal(),
            keep_time(self.store, self._waits),
            self._bulk(),
            self._keep_up(),
            self._watch_feeds(),
            self.refusals.run(self.services().desk),
            self._clear_replays(),
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

    @property
    def _waits(self) -> dict[str, float]:
        """The queues of work, and how many seconds a job of each may wait, leased or put off."""
        lease, retry = self.settings.lease_seconds, self.settings.retry_limit_seconds
        short = {queue: max(60.0, 3 * lease) for queue in (inbox.TRANSLATE, replay.REMAP, watch.CHANGES, watch.ENROL)}
        return {**short, outbox.DELIVER: max(lease, retry), answers.QUEUE: max(lease, retry)}

    def _remapper(self) -> replay.Remapper:
        """Maps stored messages again; which mapping is in force is found out now, before anybody changes a file."""
        mapping.versions(adapters(), self.directory.hospitals.values())
        return replay.Remapper(self.house, self.reception.inbox, adapters())

    async def _seal(self) -> None:
        """One sealer at a time orders durable events into blocks; no request ever waits for it."""
        owner, failures = self.owner, 0
        while True:
            try:
                if await self.store.hold("sealer", owner, 3 * self.settings.seal_seconds):
                    await self._seal_all()
                failures = 0
            except Problem:
                failures += 1
            if failures > FAILURES and self.settings.mongo_url is None:
                # After a full disk the embedded engine answers every write with a fault until it is started again.
                await asyncio.to_thread(revive, self.settings.data / "database")
                failures = 0
            await asyncio.sleep(self.settings.seal_seconds)

    async def _seal_all(self) -> None:
        """What waits, and no more: a block for every few events that come meanwhile would cost more than they do."""
        while block := await seal_once(self.store, self.keys.gateway, now(), SEALED_AT_ONCE):
            if len(block.events) < SEALED_AT_ONCE // 2:
                return

    async def _keep_up(self) -> None:
        """Search indexes that a new version of the code wants are built, and records get its keys."""
        done = False
        while not done:
            with suppress(Problem):
                done = await self.store.keep_up(self.owner)
            await asyncio.sleep(self.settings.seal_seconds)

    async def _clear_replays(self) -> None:
        """Once an hour by one of the processes."""
        while True:
            with suppress(Problem):
                if await self.store.hold("replays", self.owner, 1.5 * REPLAYS_SECONDS):
                    await Replays(self.store).clear(now())
            await asyncio.sleep(REPLAYS_SECONDS)

    async def _watch_feeds(self) -> None:
        """Who falls silent is told even when nobody asks."""
        while True:
            # A start has enough to do: the first look reads four weeks.
            await asyncio.sleep(self.settings.feed_seconds)
            with suppress(Problem):
                await self.feeds.fresh()

    async def _bulk(self) -> None:
        """Bulk jobs are worked on one after the other, so that they leave room for everybody else."""
        owner, desk, data = self.owner, self.services().desk, self.settings.data
        age = timedelta(hours=self.settings.bulk_hours)
        while True:
            for jobs in (Exports(desk, data), Imports(desk, data, self.settings.import_folder)):
                with suppress(Problem):
                    await jobs.go_on(owner)
                    await jobs.clear(age)
            await self.bulk.wait(5 * self.settings.seal_seconds)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str | None]:
        """The MLLP ports and the watched folders; gives each port's ``host:port``, separated by commas."""
        settings = self.settings
        wanted = ports(settings.mllp, self.directory, settings.mllp_certificate, settings.mllp_client_ca)
        folders = watched(watches(self.reception, settings.watch))
        async with folders, opened(self.reception, wanted, settings.wait_seconds) as addresses:
            yield ",".join(addresses) or None

    def app(self) -> ASGIApp:
        """The HTTP application: FHIR REST and the exchange; pages of its own FastAPI has none here."""
        services = self.services()
        doors = ExchangeDoors(self.reception, self.outgoing, self.settings.wait_seconds)
        app = FastAPI(title="FHIR gateway", openapi_url=None, docs_url=None, redoc_url=None)
        settings, age = self.settings, timedelta(hours=self.settings.bulk_hours)
        bulk = BulkDoors(settings.data, age, self.bulk.ring, settings.import_folder, settings.import_limit)
        receipts = ReceiptDoors(self.reception, adapters(), self.remapping)
        source = SourceDoor(Origins(self.store, self.reception.inbox, adapters(), self.directory))
        outward = OutboundDoors(self.house, speaker())
        insurance = InsuranceDoor(self.reception, settings.wait_seconds)
        services.traffic.registry.register(FeedFigures(self.feeds))
        pages = Entrance(self.directory), CompletenessDoors(self.feeds)
        parts = (*pages, outward, doors, receipts, source, bulk, insurance)
        own = [route for part in parts for route in part.routes(services)]
        routes = [*own, socket_route(self.office), *fhir_routes(services)]
        app.router.routes[:] = [*routes, description_route(services, routes), last_route(services)]
        return open_to(Front(app, app.router.routes), origins(settings.origins))


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
