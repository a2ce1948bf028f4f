"""No answer is without its AuditEvent: gateways that are killed after they answered, and what their heirs find."""

import json
import os
import resource
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from fhir_gateway.serving import development_token
from fhir_gateway.settings import Settings

GATEWAY = (sys.executable, "-m", "fhir_gateway")
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("FHIR_GATEWAY_")}
UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and looks at other processes")


class Served:
    """A gateway as its own program; ``killed`` and ``ended`` are the two ways it goes."""

    def __init__(self, data: Path, workers: int = 1) -> None:
        self.data = data
        command = [*GATEWAY, "serve", "--port", "0", "--data", str(data), "--workers", str(workers)]
        self.program = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=ENVIRONMENT
        )
        assert self.program.stdout is not None
        self.url = self.program.stdout.readline().split()[1]
        known = Settings(data=data)
        self.tokens = {client: development_token(known, client) for client in ("admin", "auditor")}

    def ask(self, path: str, number: str, client: str = "admin", body: dict[str, Any] | None = None) -> int:
        """The status of the answer, by when the event is durable."""
        return self._answer(path, number, client, body)[0]

    def trail(self) -> Counter[str]:
        """How many AuditEvents each request has left."""
        found: Counter[str] = Counter()
        status, page = self._answer("/fhir/AuditEvent?_count=1000", "looking", "auditor")
        assert status == 200
        for entry in json.loads(page)["entry"]:
            values = [one["what"]["identifier"]["value"] for one in entry["resource"]["entity"][-1:]]
            found.update(values)
        return found

    def _answer(self, path: str, number: str, client: str, body: dict[str, Any] | None = None) -> tuple[int, bytes]:
        headers = {"authorization": f"Bearer {self.tokens[client]}", "x-request-id": number}
        text = json.dumps(body).encode() if body else None
        kind = {"content-type": "application/fhir+json"} if body else {}
        asked = urllib.request.Request(f"{self.url}{path}", text, headers | kind, method="PUT" if body else "GET")
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:
                return int(answer.status), answer.read()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, b""

    def killed(self) -> None:
        """All processes at once, as when the machine loses its power; the embedded database goes with them."""
        for pid in [*self.workers, self.program.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._gone()

    def ended(self) -> None:
        self.program.send_signal(signal.SIGTERM)
        self._gone()

    @property
    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.program.pid}/task/{self.program.pid}/children").read_text().split()
        return [int(pid) for pid in children if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def _gone(self) -> None:
        self.program.wait(30)
        assert self.program.stdout is not None
        self.program.stdout.close()


def verified(data: Path) -> int:
    """The events of a trail that is whole, sealed or not."""
    command = [*GATEWAY, "audit", "verify", "--json", "--data", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    return int(told["events"] + told["pending"])


def journals(data: Path) -> list[Path]:
    return [*(data / "audit").iterdir()]


@contextmanager
def served(data: Path, workers: int = 1) -> Iterator[Served]:
    gateway = Served(data, workers)
    try:
        yield gateway
    finally:
        if gateway.program.poll() is None:
            gateway.killed()


PATIENT = {"resourceType": "Patient", "id": "p1", "active": True}


def test_a_gateway_killed_after_its_answer_has_the_event_on_its_trail_once(tmp_path: Path) -> None:
    with served(tmp_path) as first:
        assert first.ask("/fhir/Patient/p1", "written", body=PATIENT) == 201
        assert [first.ask("/fhir/Patient/p1", f"read-{number}") for number in range(20)] == [200] * 20
        assert first.ask("/fhir/Patient/nobody", "missed") == 404
        assert first.ask("/fhir/Patient/p1", "refused", "auditor") == 403
        first.killed()
    assert journals(tmp_path)
    wanted = {"written", "missed", "refused", *(f"read-{number}" for number in range(20))}
    with served(tmp_path) as second:
        found = second.trail()
        assert {number: found[number] for number in wanted} == dict.fromkeys(wanted, 1)
        # No file of the gateway may grow: its disk is full.
        resource.prlimit(second.program.pid, resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
        assert [second.ask("/fhir/Patient/p1", f"unheard-{number}") for number in range(3)] == [503] * 3
        resource.prlimit(second.program.pid, resource.RLIMIT_FSIZE, UNLIMITED)
        assert second.ask("/fhir/Patient/p1", "heard") == 200
        found = second.trail()
        assert (found["heard"], found["unheard-0"]) == (1, 0)
        second.ended()
    assert journals(tmp_path) == []
    assert verified(tmp_path) >= len(wanted) + 2


def test_what_killed_workers_left_is_found_by_the_command_line_too(tmp_path: Path) -> None:
    with served(tmp_path, workers=2) as gateway:
        assert gateway.ask("/fhir/Patient/p1", "written", body=PATIENT) == 201
        before = monotonic()
        assert [gateway.ask("/fhir/Patient/p1", f"read-{number}") for number in range(30)] == [200] * 30
        other = sum(gateway.trail()[f"read-{number}"] for number in range(30))
        # What the other process has answered comes a moment later.
        while other < 30:
            assert monotonic() < before + 20
            sleep(0.1)
            other = sum(gateway.trail()[f"read-{number}"] for number in range(30))
        assert [gateway.ask("/fhir/Patient/p1", f"late-{number}") for number in range(30)] == [200] * 30
        gateway.killed()
    assert journals(tmp_path)
    assert verified(tmp_path) >= 61
    assert journals(tmp_path) == []
