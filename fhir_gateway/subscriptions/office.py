"""What every step of a subscription works with, and how what it does is put on record."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import uuid4

from fhir_gateway.problem import Forbidden
from fhir_gateway.search.extract import index
from fhir_gateway.security.access import may
from fhir_gateway.security.audit import Act, Event, event
from fhir_gateway.security.caller import Caller
from fhir_gateway.store.port import Store, Version
from fhir_gateway.store.sight import sees
from fhir_gateway.subscriptions.endpoints import Endpoints
from fhir_gateway.subscriptions.pulse import Pulse
from fhir_gateway.subscriptions.register import Register
from fhir_gateway.subscriptions.terms import Terms


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent: a request by ``method`` to ``url``; a ping has no body."""

    method: str
    url: str
    body: bytes = b""


class Undelivered(Exception):  # noqa: N818 - an outcome of sending, never a problem for callers
    """The subscriber did not take it: ``reason`` says why, in words that hold no record."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Carrier(Protocol):
    """Carries a letter to a rest-hook; raises Undelivered unless the answer is a success."""

    async def carry(self, terms: Terms, letter: Letter) -> None: ...


@dataclass(frozen=True, slots=True)
class Office:
    """``base_url`` ends with ``/fhir``; a failed notification waits ``first_seconds``, then twice as long each time.

    Events are ``kept`` so long. ``today`` is the client as it is registered now, with the scopes it asked with; one
    that is registered no more may see nothing.
    """

    name: str
    base_url: str
    store: Store
    clock: Callable[[], datetime]
    pulse: Pulse
    carrier: Carrier
    endpoints: Endpoints
    first_seconds: float = 1.0
    longest_seconds: float = 3600.0
    lease_seconds: float = 10.0
    kept: timedelta = timedelta(days=30)
    owner: str = field(default_factory=lambda: str(uuid4()))
    today: Callable[[Caller], Caller] = lambda caller: caller

    def trouble(self, register: Register) -> str:
        """Why a subscription cannot go on; empty when it can."""
        return register.trouble or ("" if self.today(register.asker).role else "the client is registered no more")

    def event(self, caller: Caller, entities: tuple[str, ...], interaction: str = "notify", status: int = 200) -> Event:
        """The AuditEvent of something sent to, or done for, the client that subscribed."""
        others = tuple(reference for reference in entities if not reference.startswith("Patient/"))
        patients = tuple(reference for reference in entities if reference.startswith("Patient/"))
        act = Act(interaction, caller, status, entities=others, patients=patients)
        return event(act, self.clock(), self.name, index)


def may_see(caller: Caller, version: Version) -> bool:
    """Whether the client may read this version: its role, its token's scope and the record's readers all say so."""
    try:
        reader = may(caller, "read", version.type).reader
    except Forbidden:
        return False
    return sees(reader, version)
