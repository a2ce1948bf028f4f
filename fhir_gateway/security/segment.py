"""One file of the audit journal: lines that are on the disk before an answer leaves, and what a crash leaves of them.

https://man7.org/linux/man-pages/man2/fdatasync.2.html

A line is ``checksum number durable body``: its place in the file, and how many lines were durable when it was written.
So the lines themselves tell which of them an answer may have stood on: all up to the greatest ``durable``. What is
torn beyond that is the end of a write that nobody was told of; what is missing before it was damaged later.
Who writes a file, or brings in what it holds, has it locked; the kernel lets go when that process ends.
"""

import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4
from zlib import crc32

ENDING, DAMAGED = ".journal", ".damaged"
SEGMENT_BYTES = 4 * 2**20
"""A file of this size is closed; it is deleted when all that it holds is in the store."""

_LINE = re.compile(rb"([0-9a-f]{8}) (([0-9]+) ([0-9]+) (.*))", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Content:
    """What can be read of a file: ``lost`` lines were durable once and are gone; ``torn`` if anything is unreadable."""

    bodies: tuple[bytes, ...]
    lost: int = 0
    torn: bool = False


class Segment:
    """A file of the journal in the hands of this process. ``waiting`` events of it are not in the store yet."""

    __slots__ = ("_file", "damaged", "full", "path", "size", "waiting", "written")

    def __init__(self, path: Path, file: int) -> None:
        self.path, self._file = path, file
        self.size = self.written = self.waiting = 0
        self.full = self.damaged = False

    def write(self, bodies: Sequence[bytes]) -> None:
        """Return when the bodies are durable. Raises OSError; then none of them counts and the file takes no more."""
        number = self.written
        text = b"".join(_line(number + place, number, body) for place, body in enumerate(bodies, 1))
        try:
            self._append(text)
            os.fdatasync(self._file)
        except OSError:
            self._give_up()
            raise
        self.written, self.size = number + len(bodies), self.size + len(text)
        if self.size >= SEGMENT_BYTES:
            self.close()

    def close(self) -> None:
        """Nothing is written here any more, and the last line says that all before it was durable."""
        self.full = True
        with suppress(OSError):
            self._append(closing(self.written))

    def release(self) -> None:
        """Let go of the file and leave what it holds to the next process."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def remove(self) -> None:
        """All that could be read is in the store: a whole file goes, a damaged one is kept aside for people."""
        if self.damaged:
            self.path.rename(self.path.with_suffix(DAMAGED))
        else:
            self.path.unlink(missing_ok=True)
        self.release()

    def content(self) -> Content:
        return read(self.path.read_bytes())

    def _append(self, text: bytes) -> None:
        rest = memoryview(text)
        while rest:
            rest = rest[os.write(self._file, rest) :]

    def _give_up(self) -> None:
        """After a failed sync nobody knows what is on the disk: what was durable stays, all else goes elsewhere."""
        self.full = True
        with suppress(OSError):
            os.ftruncate(self._file, self.size)


def begun(folder: Path) -> Segment:
    """A new file, locked, for the owner's eyes only."""
    while True:
        path = folder / f"{uuid4().hex}{ENDING}"
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            _sync(folder)
        except OSError:
            path.unlink(missing_ok=True)
            os.close(file)
            raise
        if os.fstat(file).st_nlink:
            return Segment(path, file)
        # Another process met it in the moment before it was locked, and cleared it away as left behind.
        os.close(file)


def left_behind(folder: Path) -> Iterator[Segment]:
    """The files of processes that have ended, oldest first; from now on they are locked by this one."""
    for path in sorted(folder.glob(f"*{ENDING}"), key=_age):
        with suppress(FileNotFoundError):
            file = os.open(path, os.O_RDWR | os.O_APPEND)
            if _taken(file):
                yield Segment(path, file)
            else:
                os.close(file)


def damaged(folder: Path) -> int:
    """How many files are kept aside because lines of them are lost."""
    return sum(1 for _ in folder.glob(f"*{DAMAGED}"))


def read(text: bytes) -> Content:
    """The bodies of a file's lines, and what is missing."""
    bodies: dict[int, bytes] = {}
    durable, torn = 0, False
    *lines, rest = text.split(b"\n")
    for line in filter(None, lines):
        found = _parsed(line)
        if found is None:
            torn = True
            continue
        number, before, body = found
        bodies[number], durable = body, max(durable, before)
    lost = sum(1 for number in range(1, durable + 1) if number not in bodies)
    return Content(tuple(body for _, body in sorted(bodies.items()) if body), lost, torn or rest != b"")


def closing(written: int) -> bytes:
    """The last line of a file. It stands apart: damage to the end of the one before it takes that one alone."""
    return b"\n" + _line(written + 1, written, b"")


def _line(number: int, durable: int, body: bytes) -> bytes:
    said = b"%d %d %b" % (number, durable, body)
    return b"%08x %b\n" % (crc32(said), said)


def _parsed(line: bytes) -> tuple[int, int, bytes] | None:
    found = _LINE.fullmatch(line)
    if found is None or crc32(found[2]) != int(found[1], 16):
        return None
    return int(found[3]), int(found[4]), found[5]


def _taken(file: int) -> bool:
    """Whether nobody else has it: neither a living process nor one that has cleared it away meanwhile."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(file).st_nlink > 0


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _sync(folder: Path) -> None:
    """A file that nobody finds by its name after a power cut is lost all the same."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
