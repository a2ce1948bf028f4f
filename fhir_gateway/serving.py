"""A gateway as a process: the socket, the line that says it is ready, the note that tells others where it is."""

import asyncio
import contextlib
import gc
import json
import signal
import socket
import sys
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic
from typing import Any

import structlog
import uvicorn

from fhir_gateway import app as root
from fhir_gateway.crew import UP, crew
from fhir_gateway.problem import NotFound, Unavailable
from fhir_gateway.security.tokens import TokenDesk
from fhir_gateway.settings import Settings
from fhir_gateway.store.embedded import program, running
from fhir_gateway.wire import SPOKEN

log = structlog.get_logger()
NOTE = "serving.json"
UVICORN: dict[str, Any] = {
    "log_config": None,
    "access_log": False,
    "server_header": False,
    "lifespan": "off",
    "timeout_graceful_shutdown": 5,
    **SPOKEN,
}
TOKEN_SECONDS = 3600
SELDOM = 10_000
"""So many objects more than were given back, and the young ones are looked through; Python's own is 700."""
ORPHANS_SECONDS = 10.0
"""How long the workers of a gateway that was killed may hold its port."""


def run(settings: Settings) -> None:
    """As ``serve``, on the fastest event loop there is: uvloop, where it is installed."""
    _run(serve(settings))


def run_worker(order: bytes) -> None:
    """As ``work``, on the same event loop."""
    _run(work(order))


def _run(service: Coroutine[Any, Any, None]) -> None:
    factory = uvicorn.Config("", loop="auto", log_config=None).get_loop_factory()
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(service)


async def serve(settings: Settings) -> None:
    """Run until SIGINT or SIGTERM. Raises Unavailable when the port is taken or the database does not come up."""
    listening = await _listening(settings)
    port = listening.getsockname()[1]
    if settings.workers > 1:
        # Not shared from the first: another gateway on this port has to be found out.
        listening.close()
        listening = _bound(settings.host, port, shared=True)
    base_url = settings.base_url or f"http://{settings.host}:{port}"
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(root.gateway(settings, base_url.rstrip("/")))
        await stack.enter_async_context(gateway.working())
        mllp = await stack.enter_async_context(gateway.listening())
        if settings.workers > 1:
            await stack.enter_async_context(
                crew(_order(gateway, port), settings.workers - 1, gateway.store.end_abandoned)
            )
        server = _Announcing(uvicorn.Config(gateway.app(), **UVICORN), f"ready {base_url}")
        with _noted(settings.data, {"url": base_url, "mllp": mllp}):
            _tell(gateway, mllp)
            await server.serve(sockets=[listening])
            log.info("stopping", name=settings.name)


async def work(order: bytes) -> None:
    """One of the further processes of a gateway, until SIGTERM or until the first one is gone."""
    told = json.loads(order)
    settings = Settings(**told["settings"])
    async with root.gateway(settings, told["base_url"]) as gateway, gateway.working():
        # Not before: one that is orphaned while it starts would keep the next gateway from the port.
        listening = _bound(settings.host, settings.port, shared=True)
        server = _Announcing(uvicorn.Config(gateway.app(), **UVICORN), UP.decode().strip())
        watching = asyncio.create_task(_until_orphaned(server))
        await server.serve(sockets=[listening])
        watching.cancel()


def worker_settings(order: bytes) -> Settings:
    """The settings a further process was told."""
    return Settings(**json.loads(order)["settings"])


async def _listening(settings: Settings) -> socket.socket:
    """The port. One who was killed leaves its note behind, and for a moment workers that listen beside nobody."""
    end = monotonic() + (ORPHANS_SECONDS if (settings.data / NOTE).exists() else 0.0)
    while True:
        try:
            return _bound(settings.host, settings.port)
        except Unavailable:
            if monotonic() >= end:
                raise
        await asyncio.sleep(0.1)


def _order(gateway: root.Gateway, port: int) -> bytes:
    """What a further process needs to know: settings that its environment does not tell, and where the database is."""
    settings = gateway.settings
    url = settings.mongo_url.get_secret_value() if settings.mongo_url else running(settings.data / "database")
    known = settings.model_dump(mode="json", include=settings.model_fields_set - {"mongo_url"})
    told = {**known, "port": port, "mongo_url": url, "mllp": None}
    return json.dumps({"base_url": gateway.base_url, "settings": told}).encode()


async def _until_orphaned(server: uvicorn.Server) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    server.should_exit = True


def _tell(gateway: root.Gateway, mllp: str | None) -> None:
    """Where things are, on the log."""
    log.info(
        "gateway",
        name=gateway.settings.name,
        fhir=f"{gateway.base_url}/fhir",
        ingest=f"{gateway.base_url}/ingest/{{hospital}}",
        mllp=mllp or "off",
        data=str(gateway.settings.data.resolve()),
        database=f"embedded ({program().name})" if gateway.settings.mongo_url is None else "MongoDB",
        hospitals=",".join(gateway.directory.hospitals),
        partners=",".join(gateway.directory.partners),
        token=f"fhir-gateway token CLIENT --data {gateway.settings.data}",
    )


class _Announcing(uvicorn.Server):
    """Prints its one line when requests are accepted, and not before."""

    def __init__(self, config: uvicorn.Config, line: str) -> None:
        super().__init__(config)
        self._line = line

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End on SIGINT or SIGTERM, and leave the rest of the way down to us: uvicorn would raise the signal again."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        settle()
        print(self._line, flush=True)  # noqa: T201 - the contract with whoever started us


def settle() -> None:
    """Leave what has been loaded by now to stay, and look for circles seldom."""
    # A full collection would walk it for 0.1 s, in which nobody is answered; messages and answers hold no circles, and
    # to walk the 20,000 objects of a long one again and again takes 3 to 10 % of its translation.
    gc.collect()
    gc.freeze()
    gc.set_threshold(SELDOM, *gc.get_threshold()[1:])


def _bound(host: str, port: int, shared: bool = False) -> socket.socket:
    """``shared`` lets the processes of one gateway, and of one user, listen side by side."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's delay off only for sockets that say TCP: without it each answer waits 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listening.bind((host, port))
    except OSError as fault:
        listening.close()
        raise Unavailable(f"cannot listen on {host}:{port}: {fault.strerror}", "port") from fault
    return listening


@contextlib.contextmanager
def _noted(data: Path, where: dict[str, Any]) -> Iterator[None]:
    file = data / NOTE
    file.write_text(json.dumps(where), encoding="utf-8")
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def address(settings: Settings) -> str:
    """Where the gateway of this data folder answers. Raises NotFound when none is running."""
    file = settings.data / NOTE
    if not file.exists():
        raise NotFound(f"no gateway is serving {settings.data}: start one with 'fhir-gateway serve'", "--data")
    return str(json.loads(file.read_text(encoding="utf-8"))["url"])


def introduce(settings: Settings, url: str, folder: Path) -> Path:
    """Write the partner file by which another gateway knows this one: address, public keys, signing authority.

    ``folder`` is the other one's ``DATA/partners``, or anything to carry there. Nothing in it is secret.
    """
    ring, known = root.key_ring(settings), root.directory(settings)
    facilities = [known.own_facility] if known.own_facility else [h.facility_code for h in known.hospitals.values()]
    name = settings.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.jwks.json").write_text(json.dumps(ring.public_keys()), encoding="utf-8")
    (folder / f"{name}.ca.pem").write_bytes(ring.authority)
    lines = {
        "name": name,
        "title": known.titles.get(name, name),
        "facilities": facilities,
        "url": url,
        "jwks": f"{name}.jwks.json",
        "ca": f"{name}.ca.pem",
    }
    text = "\n".join(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in lines.items())
    file = folder / f"{name}.toml"
    file.write_text(text + "\n", encoding="utf-8")
    return file


def development_token(settings: Settings, client: str) -> str:
    """An access token for a built-in client, for whoever may read the key folder."""
    ring = root.key_ring(settings)
    known = root.clients(ring, root.directory(settings), settings)
    return TokenDesk(known, ring.tokens, "", _NoReplays(), TOKEN_SECONDS).development_token(client)


class _NoReplays:
    """Issuing needs no memory of assertions."""

    async def remember(self, jti: str, until: Any) -> bool:
        raise NotImplementedError
