"""What every interaction with the records needs at hand, and on whose behalf something is written."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from fhir_gateway.records.admission import OPEN, Admission
from fhir_gateway.records.line import Lines
from fhir_gateway.search.query import Query
from fhir_gateway.security.audit import Trail
from fhir_gateway.security.sight import Reader
from fhir_gateway.store.port import Store, Version
from fhir_gateway.store.sight import sees

ATTEMPTS = 60
LONGEST_PAUSE_SECONDS = 0.25
Settle = Callable[[Query], Awaitable[Query]]


class Terminology(Protocol):
    """What a search asks about codes."""

    async def codes(self, relation: str, wanted: str) -> list[tuple[str, str]]:
        """(system, code) of all in a value set (``in``), or ``below`` or ``above`` a code, itself included."""
        ...


@dataclass(frozen=True, slots=True)
class Desk:
    """``clock`` gives UTC; ``base_url`` is the FHIR base without a slash at its end, as clients see it.

    ``name`` is the gateway's own, as AuditEvents call it; ``include_limit`` is how much a page may bring along;
    ``admission`` has a say in what clients write.

    ``chain_limit`` is how many records a chain may lead through, ``scan_limit`` how many a search without a selective
    index may look at.
    """

    store: Store
    trail: Trail
    clock: Callable[[], datetime]
    cursor_secret: bytes
    page_size: int
    page_limit: int
    base_url: str
    name: str = "fhir-gateway"
    include_limit: int = 1000
    chain_limit: int = 1000
    scan_limit: int = 100_000
    terminology: Terminology | None = None
    admission: Admission = OPEN
    lines: Lines = field(default_factory=Lines, compare=False)

    def now(self) -> datetime:
        """The time to the millisecond: as much as FHIR instants and the database keep."""
        moment = self.clock()
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@dataclass(frozen=True, slots=True)
class Author:
    """``reader`` confines what the author sees and, as owner, may replace (None: everything).

    ``readers`` may see what it writes; the first of them owns what is new. ``settle`` answers what a condition asks
    about other records with the author's own rights; without it such a condition is refused.
    """

    reader: Reader = None
    readers: tuple[str, ...] = ()
    settle: Settle | None = field(default=None, compare=False)

    def sees(self, version: Version) -> bool:
        return sees(self.reader, version)

    def owns(self, version: Version) -> bool:
        """Who was granted a look at a record may not replace it."""
        return self.reader == version.owner if isinstance(self.reader, str) else self.sees(version)

    @property
    def named(self) -> str:
        """The party whose conditions are told apart from those of others."""
        return self.reader if isinstance(self.reader, str) else "*"


class Attempts:
    """Tries of a commit that another writer may spoil, each after a longer random pause."""

    __slots__ = ("made",)

    def __init__(self) -> None:
        self.made = 0

    def __aiter__(self) -> "Attempts":
        return self

    async def __anext__(self) -> int:
        if self.made == ATTEMPTS:
            raise StopAsyncIteration
        if self.made:
            longest = min(LONGEST_PAUSE_SECONDS, 0.001 * 2**self.made)
            await asyncio.sleep(random.uniform(0, longest))  # noqa: S311 - spreads writers, hides nothing
        self.made += 1
        return self.made


def attempts() -> Attempts:
    """``async for _ in attempts()``: leave the loop when the commit is through; it ends when all tries are spent."""
    return Attempts()
