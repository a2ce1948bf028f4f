"""What every interaction with the records needs at hand, and on whose behalf something is written."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from fhir_gateway.security.trail import Trail
from fhir_gateway.store.port import Store, Version

ATTEMPTS = 60
LONGEST_PAUSE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Desk:
    """``clock`` gives UTC; ``base_url`` is the FHIR base without a slash at its end, as clients see it.

    ``name`` is the gateway's own, as AuditEvents call it.
    """

    store: Store
    trail: Trail
    clock: Callable[[], datetime]
    cursor_secret: bytes
    page_size: int
    page_limit: int
    base_url: str
    name: str = "fhir-gateway"

    def now(self) -> datetime:
        """The time to the millisecond: as much as FHIR instants and the database keep."""
        moment = self.clock()
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@dataclass(frozen=True, slots=True)
class Author:
    """``reader`` confines what the author sees and may replace (None: everything); ``readers`` may see what it writes.

    The first reader of a version is its owner; later ones were granted a look and may not replace it.
    """

    reader: str | None = None
    readers: tuple[str, ...] = ()

    def sees(self, version: Version) -> bool:
        return self.reader is None or self.reader in version.readers

    def owns(self, version: Version) -> bool:
        return self.reader is None or version.readers[:1] == (self.reader,)


async def pause(attempt: int) -> None:
    """Let the writer that was faster finish: a random pause that grows with each attempt."""
    await asyncio.sleep(random.uniform(0, min(LONGEST_PAUSE_SECONDS, 0.002 * 2**attempt)))  # noqa: S311
