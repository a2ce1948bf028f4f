"""Whoever looks at the audit trail sees what this gateway has answered: what waits in its journal comes in first.

https://hl7.org/fhir/R4/auditevent.html

Only where AuditEvents are read; what other processes have answered follows within their journals' time.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing

from fhir_gateway.search.query import Query
from fhir_gateway.security.sight import Reader
from fhir_gateway.store.filter import AUDIT
from fhir_gateway.store.mongo.records import RecordReader
from fhir_gateway.store.mongo.timeline import TimelineReader
from fhir_gateway.store.mongo.walk import Walker
from fhir_gateway.store.port import Plan, Stretch, Timeline, Version

Delivered = Callable[[], Awaitable[None]]


async def nothing_waits() -> None:
    """Of a store that no journal stands before."""


class LatestReader(RecordReader, TimelineReader, Walker):
    """The reading half of ``Records``; ``delivered`` brings in what waits. Raises Unavailable when it cannot."""

    delivered: Delivered

    async def _caught_up(self, type_: str | None) -> None:
        if type_ == AUDIT:
            await self.delivered()

    async def current(self, reference: str) -> Version | None:
        # Before it shares a question with others: nobody else waits for the journal.
        await self._caught_up(reference.partition("/")[0])
        return await super().current(reference)

    async def currents(self, references: Sequence[str]) -> dict[str, Version]:
        if any(reference.startswith(f"{AUDIT}/") for reference in references):
            await self.delivered()
        return await super().currents(references)

    async def changes(self, wanted: Timeline) -> list[Version]:
        await self._caught_up(_told(wanted))
        return await super().changes(wanted)

    async def changed(self, wanted: Timeline, limit: int = 0) -> int:
        await self._caught_up(_told(wanted))
        return await super().changed(wanted, limit)

    async def find(self, query: Query, reader: Reader = None) -> list[Version]:
        await self._caught_up(query.type)
        return await super().find(query, reader)

    async def count(self, query: Query, reader: Reader = None, limit: int = 0) -> int:
        await self._caught_up(query.type)
        return await super().count(query, reader, limit)

    async def estimate(self, query: Query, reader: Reader = None, limit: int = 0) -> int:
        await self._caught_up(query.type)
        return await super().estimate(query, reader, limit)

    async def references(self, query: Query, reader: Reader = None) -> list[str]:
        await self._caught_up(query.type)
        return await super().references(query, reader)

    async def targets(self, query: Query, key: str, reader: Reader = None) -> dict[str, list[str]]:
        await self._caught_up(query.type)
        return await super().targets(query, key, reader)

    async def explain(self, query: Query, reader: Reader = None) -> Plan:
        await self._caught_up(query.type)
        return await super().explain(query, reader)

    def walk(self, stretch: Stretch) -> AsyncGenerator[Version, None]:
        return self._walked(stretch) if stretch.type == AUDIT else super().walk(stretch)

    async def _walked(self, stretch: Stretch) -> AsyncGenerator[Version, None]:
        await self.delivered()
        async with aclosing(super().walk(stretch)) as found:
            async for version in found:
                yield version


def _told(wanted: Timeline) -> str | None:
    return wanted.type or (wanted.reference or "").partition("/")[0]
