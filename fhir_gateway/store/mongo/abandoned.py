"""Transactions that a killed process left open: ended by whoever comes after it, not by the database a minute later.

https://www.mongodb.com/docs/manual/reference/command/killSessions/

Until then what they wrote to is closed to everybody else. A process notes the sessions of its transactions in a file
that it keeps locked; the kernel lets go of the lock when it ends, however it ends. A user may end its own sessions
without any privilege.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from bson.binary import UUID_SUBTYPE, Binary
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorClientSession

ENDING = ".sessions"


class Sessions:
    """Those of this process, noted under ``folder``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / f"{uuid4()}{ENDING}"
        self._file = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._noted: set[bytes] = set()

    def begin(self, session: AsyncIOMotorClientSession) -> None:
        """Note the session of a transaction before it writes; they are few, since the driver uses them again."""
        name = bytes(session.delegate.session_id["id"])
        if name not in self._noted:
            self._noted.add(name)
            # A disk that is full costs the note, not the transaction.
            with suppress(OSError):
                os.write(self._file, name.hex().encode() + b"\n")

    def close(self) -> None:
        """Nothing is left open: the note goes."""
        self._path.unlink(missing_ok=True)
        os.close(self._file)

    async def end_abandoned(self, client: AsyncIOMotorClient[Any]) -> int:
        """End what processes that are no more left open; returns how many sessions that were."""
        ended = 0
        for path in sorted(self._path.parent.glob(f"*{ENDING}")):
            for file in _orphan(path):
                names = _names(file)
                if names:
                    await client.admin.command({"killSessions": [{"id": name} for name in names]})
                ended += len(names)
                path.unlink(missing_ok=True)
        return ended


def _orphan(path: Path) -> Iterator[int]:
    """The file, open and locked, if nobody holds it; nothing else."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield file
    except BlockingIOError:
        return
    finally:
        os.close(file)


def _names(file: int) -> list[Binary]:
    """The last line may be torn: the process was killed in it."""
    lines = os.pread(file, os.fstat(file).st_size, 0).split(b"\n")[:-1]
    return [Binary(bytes.fromhex(line.decode("ascii")), UUID_SUBTYPE) for line in lines]
