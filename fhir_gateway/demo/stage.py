"""The stage of the demo: two gateways as processes of their own, each with its database, keys exchanged beforehand."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fhir_gateway import serving
from fhir_gateway.demo.doors import Http
from fhir_gateway.problem import Unavailable
from fhir_gateway.settings import Settings

READY = "ready "


@dataclass(slots=True)
class Player:
    """One gateway of the story."""

    name: str
    title: str
    facilities: tuple[str, ...]
    folder: Path
    port: int
    mllp_port: int
    process: subprocess.Popen[str] | None = None
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def mllp(self) -> str:
        return f"127.0.0.1:{self.mllp_port}"

    @property
    def settings(self) -> Settings:
        return Settings(name=self.name, data=self.folder)

    def start(self) -> None:
        """Start the process and wait for its ready line."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("FHIR_GATEWAY_")}
        command = [sys.executable, "-m", "fhir_gateway", "serve", "--name", self.name, "--data", str(self.folder)]
        command += ["--port", str(self.port)] + (["--mllp", self.mllp] if self.mllp_port else [])
        with (self.folder / "gateway.log").open("a", encoding="utf-8") as log:
            self.process = subprocess.Popen(  # noqa: S603
                command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
            )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(READY):
                return
        raise Unavailable(f"the gateway {self.name} did not start: see {self.folder / 'gateway.log'}", "demo")

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def client(self, name: str) -> Http:
        """An HTTP client with a token of one of the built-in clients."""
        if name not in self.tokens:
            self.tokens[name] = serving.development_token(self.settings, name)
        return Http(self.url, self.tokens[name])

    def command(self, *arguments: str) -> Any:
        """What a command of ``fhir-gateway`` prints as JSON for this gateway's data."""
        line = [sys.executable, "-m", "fhir_gateway", *arguments, "--data", str(self.folder), "--json"]
        done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603
        if not done.stdout:
            raise Unavailable(f"fhir-gateway {' '.join(arguments)}: {done.stderr.strip()[-500:]}", "demo")
        return json.loads(done.stdout)


@contextmanager
def stage(keep: Path | None) -> Iterator[tuple[Player, Player]]:
    """Province and central, running; everything is removed afterwards unless ``keep`` names a folder."""
    with tempfile.TemporaryDirectory(prefix="fhir-gateway-demo-") as temporary:
        folder = keep or Path(temporary)
        ports = _free_ports(3)
        hospitals = ("22T01", "22T02", "22T03")
        province = Player("quang-ninh", "Quảng Ninh", hospitals, folder / "province", ports[0], ports[1])
        central = Player("bach-mai", "Bệnh viện Bạch Mai", ("01T01",), folder / "central", ports[2], 0)
        for one, other in ((province, central), (central, province)):
            serving.introduce(one.settings, one.url, other.folder / "partners")
        try:
            for player in (province, central):
                player.start()
            yield province, central
        finally:
            for player in (province, central):
                player.stop()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(s.getsockname()[1]) for s in sockets]
    for s in sockets:
        s.close()
    return ports
