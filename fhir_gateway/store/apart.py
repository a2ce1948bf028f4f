"""Asking for indexes of the embedded database: its engine builds them well only while nobody is connected.

https://pypi.org/project/SecantusDB/

The wish is a file in the database's folder. It goes when it is fulfilled, so a kill at any moment leaves it to the next
start. Any process of the gateway may wish; the one that runs the engine fulfils it (``embedded``).
"""

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import time

from fhir_gateway.problem import Unavailable
from fhir_gateway.store.embedded import WISH, revive, running

AGAIN_SECONDS = 600.0
LOOK_SECONDS = 0.1


async def apart(folder: Path, database: str, wanted: Mapping[str, Sequence[str]]) -> None:
    """Return when the indexes, named by collection, are built. Raises Unavailable when they cannot be, or not yet."""
    wish = folder / WISH
    if _age(wish) < AGAIN_SECONDS:
        raise Unavailable("the indexes could not be built a short while ago; see the log")
    written = _write(wish, {"database": database, "indexes": {home: [*names] for home, names in wanted.items()}})
    await asyncio.to_thread(revive, folder)
    while (now := _changed(wish)) is not None:
        if now != written:
            raise Unavailable("the indexes could not be built; see the log")
        await asyncio.sleep(LOOK_SECONDS)


def wished(folder: Path) -> bool:
    """Whether indexes are being built, so that the database answers nobody."""
    return (folder / WISH).exists()


def runs(folder: Path, url: str) -> bool:
    """Whether the database at this address is the embedded one of the folder: in a further process it is a setting."""
    with suppress(Unavailable):
        return running(folder) == url
    return False


def _write(wish: Path, content: object) -> int:
    made = wish.with_suffix(".new")
    with made.open("w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    made.replace(wish)
    return wish.stat().st_mtime_ns


def _changed(wish: Path) -> int | None:
    try:
        return wish.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def _age(wish: Path) -> float:
    """Seconds since it was written or last tried; one of the future was so before the clock was set back."""
    changed = _changed(wish)
    age = AGAIN_SECONDS if changed is None else time() - changed / 1e9
    return age if age >= 0 else AGAIN_SECONDS
