"""Several processes on one port: all answer, one that dies is replaced, and all end with the first."""

import asyncio
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fhir_gateway.problem import Unavailable
from fhir_gateway.serving import NOTE, SELDOM, _listening, settle
from fhir_gateway.settings import Settings

SERVE = (sys.executable, "-m", "fhir_gateway", "serve")
START_SECONDS = 60


class Served:
    """A gateway of two processes as its own program."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FHIR_GATEWAY_")}
        options = {"--port": "0", "--workers": "2", "--data": str(folder), "--mllp": "qn-general@127.0.0.1:0"}
        command = [*SERVE, *(word for option in options.items() for word in option)]
        with (folder / "log").open("w") as log:
            self.program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        assert self.program.stdout is not None
        first = self.program.stdout.readline()
        assert first.startswith("ready "), (folder / "log").read_text()
        self.url = first.split()[1]

    @property
    def workers(self) -> set[int]:
        """The processes beside the first one, without the database."""
        children = Path(f"/proc/{self.program.pid}/task/{self.program.pid}/children").read_text().split()
        return {int(pid) for pid in children if b"worker" in _command_line(int(pid))}

    def answers(self, times: int) -> list[int]:
        return [_status(f"{self.url}/fhir/metadata") for _ in range(times)]


def _command_line(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _status(url: str) -> int:
    """As a client of HTTP asks: a connection that breaks at the moment a worker dies is made once more."""
    try:
        return _asked(url)
    except OSError:
        return _asked(url)


def _asked(url: str) -> int:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return int(answer.status)


def _until(holds, seconds: float = START_SECONDS) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    gateway = Served(tmp_path_factory.mktemp("served"))
    try:
        yield gateway
    finally:
        gateway.program.kill()
        gateway.program.wait()
        gateway.program.stdout.close()


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_a_worker_that_is_killed_is_replaced_and_requests_go_on(served: Served) -> None:
    (worker,) = served.workers
    assert served.answers(20) == [200] * 20
    os.kill(worker, signal.SIGKILL)
    _until(lambda: worker not in served.workers)
    assert served.answers(20) == [200] * 20
    _until(lambda: len(served.workers) == 1)
    _until(lambda: "a worker ended and is replaced" in (served.folder / "log").read_text())
    assert served.answers(20) == [200] * 20


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_only_the_first_process_listens_for_hl7(served: Served) -> None:
    noted = json.loads((served.folder / "serving.json").read_text())
    port = int(noted["mllp"].rpartition(":")[2])
    wanted = f":{port:04X}"
    listening = [row for row in Path("/proc/net/tcp").read_text().splitlines() if f"{wanted} 00000000:0000 0A" in row]
    assert len(listening) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_a_second_gateway_does_not_slip_onto_the_port(served: Served, tmp_path: Path) -> None:
    port = served.url.rpartition(":")[2]
    command = [*SERVE, "--port", port, "--workers", "2", "--data", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS, check=False)
    assert done.returncode == 1
    assert "cannot listen" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_no_worker_holds_the_socket_of_the_first_process(served: Served) -> None:
    """It would go on taking connections that nobody answers when the first process is killed."""
    own = _sockets(served.program.pid)
    assert own
    assert not any(own & _sockets(worker) for worker in served.workers)


def _sockets(pid: int) -> set[str]:
    """The sockets a process listens on."""
    listening = {row.split()[9] for row in Path("/proc/net/tcp").read_text().splitlines()[1:] if row.split()[3] == "0A"}
    links = [os.readlink(file) for file in Path(f"/proc/{pid}/fd").iterdir() if file.is_symlink()]
    return {link for link in links if link.removeprefix("socket:[").rstrip("]") in listening}


def test_one_who_follows_a_killed_gateway_waits_for_the_port_it_left(tmp_path: Path) -> None:
    """Until the workers of the killed one have noticed; where nobody was killed, the port is somebody else's."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    chosen = Settings(data=tmp_path, port=held.getsockname()[1])
    with pytest.raises(Unavailable):
        asyncio.run(_listening(chosen))

    (tmp_path / NOTE).write_text("{}")
    threading.Timer(0.5, held.close).start()
    with asyncio.run(_listening(chosen)) as port:
        assert port.getsockname()[1] == chosen.port


def test_workers_end_when_the_first_process_is_killed(served: Served) -> None:
    _until(lambda: len(served.workers) == 1)
    (worker,) = served.workers
    served.program.kill()
    served.program.wait()
    _until(lambda: _command_line(worker) == b"")


def test_what_was_loaded_before_serving_is_not_walked_by_the_garbage_collector() -> None:
    before = gc.get_threshold()
    loaded = [[]]
    settle()
    try:
        assert gc.get_freeze_count() > 0
        assert not any(one is loaded for one in gc.get_objects())
        assert gc.get_threshold()[0] == SELDOM
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
