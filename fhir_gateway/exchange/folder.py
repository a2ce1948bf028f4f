"""A folder into which a hospital's system, or its SFTP client, puts files: what is ready, and where each one ends.

https://pubs.opengroup.org/onlinepubs/9699919799/functions/rename.html (moves within the folder are whole or not at all)

A file is renamed into ``taken/`` before it is read, and into ``done/`` or ``quarantine/`` when its outcome is known,
with ``NAME.receipt.json`` beside it. What lies in ``taken/`` after a crash is handed in again: the same bytes get the
same receipt, so nothing is lost and nothing is there twice.
"""

import errno
import fcntl
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from fhir_gateway.problem import BadRequest, Problem, TooLarge, Unprocessable

TAKEN, DONE, QUARANTINE = "taken", "done", "quarantine"
RECEIPT = ".receipt.json"
MARKER = ".done"
LOCK = ".watching"
PARTIAL = (".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", ".swp", ".uploading", "~")
LONGEST_NAME_BYTES = 255 - len(RECEIPT) - len("..part") - len("~9999")
# A sender that has made a file and not yet written into it needs longer than one that has paused between two blocks.
EMPTY_SECONDS = 30.0
MEDIA_TYPES = {
    ".hl7": "application/hl7-v2",
    ".xml": "application/xml",
    ".json": "application/fhir+json",
    ".ndjson": "application/fhir+ndjson",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
}


@dataclass(frozen=True, slots=True)
class Stamp:
    """What changes when somebody goes on writing."""

    inode: int
    size: int
    modified: int

    @classmethod
    def of(cls, found: os.stat_result) -> "Stamp":
        return cls(found.st_ino, found.st_size, found.st_mtime_ns)


class Changing(Exception):  # noqa: N818 - a state, not a fault
    """The file is still being written to."""


def media_type_of(name: str) -> str:
    """By the ending; without a known one the bytes decide."""
    return MEDIA_TYPES.get(os.path.splitext(name)[1].lower(), "application/octet-stream")


@dataclass(slots=True)
class Folder:
    """``marker`` is the ending of the file that says another is complete: with one, nothing is taken without it.

    Of the last look: ``left`` entries are partial or no plain files, ``waiting`` are not settled yet.
    """

    path: Path
    marker: str = ""
    settle_seconds: float = 2.0
    empty_seconds: float = EMPTY_SECONDS
    left: int = 0
    waiting: int = 0
    _seen: dict[str, tuple[Stamp, float]] = field(default_factory=dict)
    _lock: IO[str] | None = None

    def hold(self) -> bool:
        """Make the sub-folders and become the one who works here; False while another process is. Raises OSError."""
        if self._lock is not None:
            return True
        for name in ("", TAKEN, DONE, QUARANTINE):
            (self.path / name).mkdir(parents=True, exist_ok=True)
        lock = (self.path / LOCK).open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        return True

    def release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def ready(self, moment: float) -> list[str]:
        """The files that are complete at ``moment`` (seconds of a clock that never jumps), oldest first."""
        found = dict(self._files())
        markers = {name for name in found if self._is_marker(name)}
        plain = {name: stamp for name, stamp in found.items() if name not in markers}
        self._seen = {name: self._since(name, stamp, moment) for name, stamp in plain.items()}
        complete = [name for name in plain if self._is_complete(name, moment, markers)]
        self.waiting = 0 if self.marker else len(plain) - len(complete)
        return sorted(complete, key=lambda name: (plain[name].modified, name))

    def _files(self) -> Iterator[tuple[str, Stamp]]:
        """Plain files that no one has marked as partial: no links, no folders, nothing hidden."""
        self.left = 0
        with os.scandir(self.path) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name in (TAKEN, DONE, QUARANTINE):
                    continue
                if entry.name.lower().endswith(PARTIAL) or not entry.is_file(follow_symlinks=False):
                    self.left += 1
                    continue
                with suppress(FileNotFoundError):
                    yield entry.name, Stamp.of(entry.stat(follow_symlinks=False))

    def _is_marker(self, name: str) -> bool:
        return name.endswith(self.marker or MARKER)

    def _since(self, name: str, stamp: Stamp, moment: float) -> tuple[Stamp, float]:
        before = self._seen.get(name)
        return before if before is not None and before[0] == stamp else (stamp, moment)

    def _is_complete(self, name: str, moment: float, markers: set[str]) -> bool:
        if name + (self.marker or MARKER) in markers:
            return True
        stamp, since = self._seen[name]
        seconds = self.settle_seconds if stamp.size else max(self.settle_seconds, self.empty_seconds)
        return not self.marker and moment - since >= seconds

    def take(self, name: str) -> None:
        """Move a file out of its sender's hands. Raises OSError, and then it stays where it is."""
        os.rename(self.path / name, self.path / TAKEN / name)
        self._unmark(name)

    def taken(self) -> list[str]:
        """What a process that was killed has left in ``taken/``, oldest first."""
        with os.scandir(self.path / TAKEN) as entries:
            found = [(e.stat(follow_symlinks=False).st_mtime_ns, e.name) for e in entries if not e.is_symlink()]
        for _, name in found:
            if not (self.path / name).exists():
                self._unmark(name)
        return [name for _, name in sorted(found)]

    def _unmark(self, name: str) -> None:
        with suppress(OSError):
            (self.path / (name + (self.marker or MARKER))).unlink()

    def read(self, name: str, limit: int) -> tuple[bytes, Stamp]:
        """The bytes of a taken file. Raises a Problem that says why they are no message, or Changing."""
        try:
            descriptor = os.open(self.path / TAKEN / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            raise
        except OSError as fault:
            raise Unprocessable(f"the file cannot be read: {fault.strerror}", "file") from fault
        with os.fdopen(descriptor, "rb") as file:
            before = os.fstat(descriptor)
            _check(before, limit)
            try:
                content = file.read(limit + 1)
            except OSError as fault:
                raise Unprocessable(f"the file cannot be read: {fault.strerror}", "file") from fault
            if Stamp.of(os.fstat(descriptor)) != Stamp.of(before):
                raise Changing
        if not content.strip():
            raise BadRequest("the file is empty", "file")
        return content, Stamp.of(before)

    def unchanged(self, name: str, stamp: Stamp) -> bool:
        """Whether nobody has written to the taken file since it was read. Raises FileNotFoundError."""
        return Stamp.of(os.lstat(self.path / TAKEN / name)) == stamp

    def give_back(self, name: str) -> None:
        """A file that its sender is still writing goes back to where it was, if its name is free there."""
        if not os.path.lexists(self.path / name):
            os.rename(self.path / TAKEN / name, self.path / name)
            self._seen.pop(name, None)

    def finish(self, name: str, where: str, receipt: Mapping[str, Any]) -> None:
        """Receipt first, whole and on the disk, then the file: who sees the file sees its receipt. Raises OSError."""
        folder = self.path / where
        ending = self._free(folder, name)
        told = {"file": name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"), **receipt}
        _write(folder / f"{ending}{RECEIPT}", json.dumps(told, ensure_ascii=False, indent=1) + "\n")
        os.rename(self.path / TAKEN / name, folder / ending)

    def _free(self, folder: Path, name: str) -> str:
        """A name that no earlier file has there: a hospital may use one name every day."""
        stem = name
        while len(os.fsencode(stem)) > LONGEST_NAME_BYTES:
            stem = stem[:-1]
        number, ending = 1, stem
        while os.path.lexists(folder / ending):
            number += 1
            ending = f"{stem}~{number}"
        return ending


def _check(found: os.stat_result, limit: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise Unprocessable("this is no file", "file")
    if found.st_size > limit:
        raise TooLarge(f"the file has {found.st_size} bytes; the limit is {limit}", "file")


def _write(file: Path, text: str) -> None:
    draft = file.with_name(f".{file.name}.part")
    try:
        with draft.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(draft, file)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise


def is_full(fault: OSError) -> bool:
    """Whether there is no room on the disk."""
    return fault.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def refusal(hospital: str, problem: Problem) -> dict[str, Any]:
    """The receipt of a file that did not become a message."""
    problems = [{"where": issue.where or "file", "text": issue.text, "code": issue.code} for issue in problem.issues]
    return {"hospital": hospital, "receipt": "", "state": "refused", "problems": problems}
