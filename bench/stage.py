"""A real gateway to measure: ``fhir-gateway serve`` as a program of its own, on an empty database that goes with it."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from pymongo import MongoClient

from bench.machine import children_of, peak_memory_mb, processor_seconds
from fhir_gateway.store import embedded

MONGO_URL = "FHIR_GATEWAY_MONGO_URL"
TOKEN_SECONDS = "3600"
STOP_SECONDS = 30
GATEWAY = [sys.executable, "-m", "fhir_gateway"]


@dataclass(slots=True)
class Stage:
    """The running gateway and what may be asked about it."""

    folder: Path
    port: int
    pid: int
    environment: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def engine_pid(self) -> int | None:
        """The embedded database; None when it is a MongoDB somewhere else."""
        with suppress(OSError, ValueError):
            return int((self.folder / "database" / "engine.pid").read_text().split()[0])
        return None

    @property
    def worker_pids(self) -> list[int]:
        """The further processes of a gateway with ``--workers``."""
        children = children_of(self.pid)
        return [pid for pid in children if pid != self.engine_pid]

    @property
    def database_url(self) -> str:
        """Where the gateway's records are."""
        if url := os.environ.get(MONGO_URL):
            return url
        return embedded.running(self.folder / "database")

    def token(self, client: str) -> str:
        if client not in self.tokens:
            line = [*GATEWAY, "token", client, "--data", str(self.folder)]
            done = subprocess.run(line, capture_output=True, text=True, check=True, timeout=60)
            self.tokens[client] = done.stdout.strip()
        return self.tokens[client]

    def processor_seconds(self) -> dict[str, float]:
        """What gateway, engine and this client have used so far."""
        workers = sum(processor_seconds(pid) for pid in self.worker_pids)
        used = {"gateway": processor_seconds(self.pid) + workers, "client": processor_seconds(os.getpid())}
        return used | ({"engine": processor_seconds(self.engine_pid)} if self.engine_pid else {})

    def memory(self) -> dict[str, float]:
        found = {"gateway_peak_mb": sum(map(peak_memory_mb, [self.pid, *self.worker_pids]))}
        return found | ({"engine_peak_mb": peak_memory_mb(self.engine_pid)} if self.engine_pid else {})


@contextmanager
def stage(workers: int = 1) -> Iterator[Stage]:
    """A gateway with authorisation and audit on, as delivered; its log goes to a file, as an operator's would."""
    database = f"bench-{uuid4().hex[:12]}"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FHIR_GATEWAY_") or k == MONGO_URL}
    environment |= {"FHIR_GATEWAY_DATABASE": database, "FHIR_GATEWAY_TOKEN_SECONDS": TOKEN_SECONDS}
    with tempfile.TemporaryDirectory(prefix="fhir-gateway-bench-") as folder:
        command = [*GATEWAY, "serve", "--port", "0", "--data", folder, "--workers", str(workers)]
        with (Path(folder) / "gateway.log").open("w") as log:
            server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        try:
            yield Stage(Path(folder), _port(server, Path(folder) / "gateway.log"), server.pid, environment)
        finally:
            _stop(server)
            _forget(database)


def engine() -> str:
    """The database by name and version."""
    url = os.environ.get(MONGO_URL)
    if url is None:
        return _embedded(embedded.program())
    with _connected(url) as client:
        return f"MongoDB {client.server_info()['version']}"


def _embedded(program: Path) -> str:
    if program.name == embedded.PROGRAMS[-1]:
        return f"SecantusDB {version('SecantusDB')} (embedded)"
    told = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=True, timeout=10)
    return f"SecantusDB in Rust, {told.stdout.split()[1]} (embedded)"


def _port(server: subprocess.Popen[str], log: Path) -> int:
    assert server.stdout is not None
    for line in server.stdout:
        if line.startswith("ready "):
            return urlsplit(line.split()[1]).port or 80
    raise RuntimeError(f"the gateway did not start: {log.read_text()[-1000:]}")


def _stop(server: subprocess.Popen[str]) -> None:
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    if server.stdout is not None:
        server.stdout.close()


def _forget(database: str) -> None:
    """On a MongoDB of yours nothing stays behind."""
    if url := os.environ.get(MONGO_URL):
        with _connected(url) as client:
            client.drop_database(database)


def _connected(url: str) -> MongoClient[dict[str, Any]]:
    return MongoClient(url, serverSelectionTimeoutMS=5000)
