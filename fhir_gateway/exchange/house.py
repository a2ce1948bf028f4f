"""This gateway as a participant of the exchange: what every step of it works with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from fhir_gateway.exchange.directory import Directory
from fhir_gateway.identity.compare import Systems
from fhir_gateway.search.extract import index
from fhir_gateway.security.audit import Act, Draft, Event, event
from fhir_gateway.security.keys import KeyRing
from fhir_gateway.store.port import Store


@dataclass(frozen=True, slots=True)
class House:
    """``name`` is this gateway's name among its partners; ``base_url`` ends with ``/fhir``."""

    name: str
    base_url: str
    store: Store
    directory: Directory
    keys: KeyRing
    clock: Callable[[], datetime]

    @property
    def systems(self) -> Systems:
        """The identifier systems that prove identity, over all hospitals."""
        named = [self.directory.systems, *(hospital.systems for hospital in self.directory.hospitals.values())]
        return Systems(
            citizen=frozenset(s["cccd"] for s in named),
            insurance=frozenset(s[kind] for s in named for kind in ("bhyt", "bhyt-temporary")),
        )

    def event(self, act: Act) -> Event:
        """The AuditEvent of something done here, now."""
        return event(act, self.clock(), self.name, index)

    def draft(self, act: Act) -> Draft:
        """The same, where it may share a page with what others do at that time."""

        def make(name: str, recorded: datetime) -> Event:
            return event(act, recorded, self.name, index, name)

        return make, self.clock()
