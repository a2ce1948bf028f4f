"""The counter where messages are handed in, whichever door they came through: kept, acknowledged, awaited."""

from dataclasses import dataclass

from fhir_gateway.exchange.house import House
from fhir_gateway.exchange.inbox import Inbox, Receipt, State, number
from fhir_gateway.exchange.worker import Bell, Settled
from fhir_gateway.security.access import may_ingest
from fhir_gateway.security.audit import Act
from fhir_gateway.security.caller import Caller


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

    async def accept(self, caller: Caller, handed: Handed, wait_seconds: float = 0.0) -> tuple[Receipt, bool]:
        """The receipt, durable, and whether the same bytes were here before.

        With ``wait_seconds`` the settled receipt, if it settles in that time. Raises Forbidden, NotFound, BadRequest
        or TooLarge.
        """
        may_ingest(caller, handed.hospital)
        self.house.directory.hospital(handed.hospital)
        key = f"{handed.hospital}/{number(handed.body)[0]}"
        if wait_seconds:
            self.settled.expect(key)
        act = Act("ingest", caller, 202, handed.address, request=handed.request, query=f"ingest/{key}")
        receipt, repeated = await self.inbox.receive(
            handed.hospital, handed.media_type, handed.body, self.house.clock(), self.house.event(act)
        )
        self.bell.ring()
        if wait_seconds and receipt.state is State.RECEIVED:
            receipt = await self.settled.wait(key, wait_seconds) or await self.inbox.receipt(*key.split("/"))
        return receipt, repeated
