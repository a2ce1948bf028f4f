"""Messages found by what is known of them, and put to work once more.

A quarantined message is translated again as if it had just come. A stored one is mapped again (``remapping``): what
it says now is laid under what later messages said.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from fhir_gateway.exchange import inbox
from fhir_gateway.exchange.house import House
from fhir_gateway.exchange.inbox import Inbox, Receipt, State, receipt_of
from fhir_gateway.exchange.remapping import Remapping
from fhir_gateway.exchange.translation import Adapters
from fhir_gateway.problem import BadRequest, Conflict, Problem, Unavailable
from fhir_gateway.security.access import may_ingest
from fhir_gateway.security.audit import Act, Event
from fhir_gateway.security.caller import Caller
from fhir_gateway.store.port import Commit, Job, Store

log = structlog.get_logger()
REMAP = "remap"
AGAIN = Caller("fhir-gateway", "gateway", "")
PAGE = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages; what is empty does not matter. ``since`` and ``until`` are times of arrival, ISO 8601.

    ``code`` and ``place`` are of a problem: a place also meets what is below it. ``format`` is an adapter's name.
    """

    hospital: str = ""
    state: str = ""
    since: str = ""
    until: str = ""
    code: str = ""
    place: str = ""
    format: str = ""

    def meets(self, receipt: Receipt) -> bool:
        """Whether a receipt of the right hospital, state and format is wanted."""
        if receipt.received < self.since or (self.until and receipt.received >= self.until):
            return False
        return not (self.code or self.place) or any(map(self._is_meant, receipt.problems))

    def _is_meant(self, problem: Mapping[str, str]) -> bool:
        return problem.get("code", "").startswith(self.code) and self.place in problem.get("where", "")


def wanted(given: Mapping[str, Any]) -> Wanted:
    """What a request asks for. Raises BadRequest for a name or a value that makes no sense."""
    names = Wanted.__slots__
    for name, value in given.items():
        if name not in names or not isinstance(value, str):
            raise BadRequest(f"there are {', '.join(names)}, each a text", str(name)[:60])
    if given.get("state", "") not in ("", *State):
        raise BadRequest(f"a state is one of {', '.join(State)}", "state")
    times = {name: _moment(given[name], name) for name in ("since", "until") if given.get(name)}
    return Wanted(**{**given, **times})


def _moment(text: str, name: str) -> str:
    """The time in UTC with milliseconds, as receipts have it; a day is its first moment in UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest("a time is ISO 8601, as 2026-11-23 or 2026-11-23T08:00:00+07:00", name) from None
    known = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return known.astimezone(UTC).isoformat(timespec="milliseconds")


async def found(store: Store, wish: Wanted) -> AsyncIterator[Receipt]:
    """The receipts that are wanted, in the order of their keys."""
    names = {"hospital": wish.hospital, "state": wish.state, "adapter": wish.format}
    where, after = {name: value for name, value in names.items() if value}, ""
    while True:
        rows = await store.notes(inbox.SHELF, where, after, PAGE)
        for _, content in rows:
            receipt = receipt_of(content)
            if wish.meets(receipt):
                yield receipt
        if len(rows) < PAGE:
            return
        after = rows[-1][0]


@dataclass(slots=True)
class Owed:
    """What a replay brought about: messages met, put to work, and left as they are."""

    met: int = 0
    retried: int = 0
    remapped: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True)
class Replay:
    """Puts messages to work again, in the name of ``caller``."""

    house: House
    letters: Inbox
    caller: Caller

    async def all(self, wish: Wanted, dry_run: bool, tell: Callable[[Owed], None] | None = None) -> Owed:
        """Every wanted message; a ``dry_run`` counts alone. Raises Forbidden beyond the caller's own hospital."""
        may_ingest(self.caller, wish.hospital)
        if wish.hospital:
            self.house.directory.hospital(wish.hospital)
        owed = Owed()
        async for receipt in found(self.house.store, wish):
            await self._one(receipt, owed, dry_run)
            if tell is not None:
                tell(owed)
        return owed

    async def _one(self, receipt: Receipt, owed: Owed, dry_run: bool) -> None:
        owed.met += 1
        if receipt.state not in (State.QUARANTINED, State.STORED):
            owed.left += 1
            return
        quarantined = receipt.state is State.QUARANTINED
        try:
            if not dry_run:
                await (self._retry(receipt) if quarantined else self._remap(receipt))
        except Conflict:  # somebody else put it to work already
            owed.left += 1
            return
        owed.retried += quarantined
        owed.remapped += not quarantined

    async def _retry(self, receipt: Receipt) -> None:
        await self.letters.retry(receipt, self.house.clock(), self._event(receipt))

    async def _remap(self, receipt: Receipt) -> None:
        job = Job(f"{REMAP}/{receipt.key}", REMAP, receipt.hospital, self.house.clock(), {"receipt": receipt.receipt})
        await self.house.store.commit(Commit(jobs=(job,), events=(self._event(receipt),)))

    def _event(self, receipt: Receipt) -> Event:
        return self.house.event(Act("ingest", self.caller, 202, query=f"ingest/{receipt.key}/retry"))


@dataclass(frozen=True, slots=True)
class Remapper:
    """Does the work that a replay owes for stored messages."""

    house: House
    letters: Inbox
    adapters: Adapters

    async def do(self, job: Job) -> bool:
        """Map one message again; False when it is put off."""
        try:
            receipt = await self.letters.receipt(job.group, str(job.content["receipt"]))
            remapped = await Remapping(self.house, self.letters, self.adapters, AGAIN).of(receipt)
            commit = remapped.commit or Commit()
            await self.house.store.commit(replace(commit, settled=(*commit.settled, job.id)))
        except (Unavailable, Conflict) as trouble:
            await self.house.store.postpone(job.id, self.house.clock() + timedelta(seconds=1), trouble.text)
            return False
        except Problem as refusal:
            log.warning("message not mapped again", receipt=f"{job.group}/{job.content['receipt']}", why=refusal.text)
            await self.house.store.settle(job.id)
        return True
