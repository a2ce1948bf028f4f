"""The counter where messages are handed in, whichever door they came through: kept, acknowledged, awaited."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from time import monotonic

from fhir_gateway.exchange.backlog import Backlog, Behind
from fhir_gateway.exchange.house import House
from fhir_gateway.exchange.inbox import SHELF, Inbox, Receipt, State, number
from fhir_gateway.exchange.lanes import Bell
from fhir_gateway.exchange.worker import Settled
from fhir_gateway.problem import Problem
from fhir_gateway.security.access import may_ingest
from fhir_gateway.security.audit import Act, Event
from fhir_gateway.security.caller import Caller

ROOM_SECONDS = 0.25
FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.25, 2.0


@dataclass(frozen=True, slots=True)
class Handed:
    """A message as handed in; ``request`` and ``address`` go to the audit trail."""

    hospital: str
    media_type: str
    body: bytes
    request: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Reception:
    """``accept`` is what HTTP, MLLP and the command line call."""

    house: House
    inbox: Inbox
    settled: Settled
    bell: Bell
    backlog: Backlog

    async def accept(self, caller: Caller, handed: Handed, wait_seconds: float = 0.0) -> tuple[Receipt, bool]:
        """The receipt, durable, and whether the same bytes were here before.

        With ``wait_seconds`` the settled receipt, if it settles in that time. Raises Forbidden, NotFound, BadRequest,
        TooLarge, or Behind while too many of the hospital's messages wait.
        """
        may_ingest(caller, handed.hospital)
        self.house.directory.hospital(handed.hospital)
        await self.backlog.admit(handed.hospital)
        key = f"{handed.hospital}/{number(handed.body)[0]}"
        if wait_seconds:
            self.settled.expect(key)
        act = Act("ingest", caller, 202, handed.address, request=handed.request, query=f"ingest/{key}")
        try:
            receipt, repeated = await self.inbox.receive(
                handed.hospital, handed.media_type, handed.body, self.house.clock(), self.house.draft(act)
            )
        except Problem:
            self.settled.forget(key)
            raise
        if not repeated:
            self.backlog.taken(handed.hospital)
        self.bell.ring()
        if wait_seconds and receipt.state is State.RECEIVED:
            receipt = await self.outcome(receipt, wait_seconds)
        return receipt, repeated

    async def accept_all(self, caller: Caller, papers: Sequence[Handed]) -> list[tuple[Receipt, bool]]:
        """Several messages of one hospital, in their order. Raises as ``accept``, and then none of them is kept."""
        hospital = self.house.directory.hospital(papers[0].hospital).name
        may_ingest(caller, hospital)
        await self.backlog.admit(hospital)

        def event(receipts: Sequence[str]) -> Event:
            act = Act("ingest", caller, 202, papers[0].address, query=f"ingest/{hospital}/{','.join(receipts)}")
            return self.house.event(act)

        bodies = [(paper.media_type, paper.body) for paper in papers]
        kept = await self.inbox.receive_all(hospital, bodies, self.house.clock(), event)
        for _, repeated in kept:
            if not repeated:
                self.backlog.taken(hospital)
        self.bell.ring()
        return kept

    async def outcome(self, receipt: Receipt, seconds: float = inf) -> Receipt:
        """The settled receipt, or the receipt as it is when the time is over.

        The store is asked too, now and then: another process of this gateway may have settled the message.
        """
        end = monotonic() + seconds
        pause = FIRST_LOOK_SECONDS
        while receipt.state is State.RECEIVED and monotonic() < end:
            heard = await self.settled.wait(receipt.key, min(pause, end - monotonic()))
            receipt = heard or await self._looked_up(receipt)
            pause = min(2 * pause, LONGEST_LOOK_SECONDS)
        self.settled.forget(receipt.key)
        return receipt

    async def _looked_up(self, receipt: Receipt) -> Receipt:
        """The receipt as it is in the store; a message that was divided is settled when its pieces are."""
        known = await self.inbox.receipt(receipt.hospital, receipt.receipt)
        if known.state is State.DIVIDED:
            waiting = {"hospital": known.hospital, "whole": known.receipt, "state": str(State.RECEIVED)}
            if await self.inbox.store.notes(SHELF, waiting, "", 1):
                return receipt
        return known

    async def room(self, hospital: str) -> None:
        """Wait until the translator has caught up: for doors that can leave a message where it is."""
        while True:
            try:
                return await self.backlog.admit(hospital)
            except Behind:
                await asyncio.sleep(ROOM_SECONDS)

    async def accept_patiently(self, caller: Caller, handed: Handed, wait_seconds: float = 0.0) -> tuple[Receipt, bool]:
        """As ``accept``, but waits while too much waits: for a message that was read already."""
        while True:
            await self.room(handed.hospital)
            try:
                return await self.accept(caller, handed, wait_seconds)
            except Behind:
                continue
