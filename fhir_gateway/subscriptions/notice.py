"""Notifications: a history Bundle whose first entry says which subscription, which kind of notice, which events.

https://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition-backport-subscription-notification-r4.html
https://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition-backport-subscription-status-r4.html
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from fhir_gateway.fhir.bundle import Entry, Header, Response, history
from fhir_gateway.fhir.codec import encode
from fhir_gateway.fhir.parameters import parameter
from fhir_gateway.fhir.resource import Resource, instant
from fhir_gateway.security.caller import Caller
from fhir_gateway.store.port import Records, Version
from fhir_gateway.subscriptions.office import may_see
from fhir_gateway.subscriptions.register import ACTIVE, FAILING, OFF, REFUSED, Happening, Progress, Register
from fhir_gateway.subscriptions.terms import BACKPORT, EMPTY, FULL
from fhir_gateway.subscriptions.topics import CREATE, DELETE

HANDSHAKE, HEARTBEAT, EVENT = "handshake", "heartbeat", "event-notification"
QUERY_STATUS, QUERY_EVENT = "query-status", "query-event"
REQUESTED = "requested"
PROFILE = f"{BACKPORT}/backport-subscription-status-r4"
ERRORS = "http://terminology.hl7.org/CodeSystem/subscription-error"
OWN_ERRORS, REMOVED = "urn:fhir-gateway:subscription-error", "events-removed"
# What R4 calls each state of the register.
STATUSES = {ACTIVE: "active", FAILING: "error", REFUSED: "error", OFF: "off", REQUESTED: "requested"}
_METHODS = {CREATE: "POST", DELETE: "DELETE"}
_ANSWERS = {CREATE: "201", DELETE: "204"}


@dataclass(frozen=True, slots=True)
class Told:
    """One event with the version it is about; without it where the reader may not see it, or it is not there."""

    event: Happening
    version: Version | None


async def told(records: Records, events: Sequence[Happening], reader: Caller) -> list[Told]:
    """The events with what ``reader`` may see of them now; the current versions come in one round trip."""
    current = await records.currents(list(dict.fromkeys(event.reference for event in events)))
    found = []
    for event in events:
        version = current.get(event.reference)
        if version is not None and version.number != event.version:
            version = await records.version(event.reference, event.version)
        found.append(Told(event, version if version is not None and may_see(reader, version) else None))
    return found


@dataclass(frozen=True, slots=True)
class Notice:
    """What is to be said of a subscription now. ``content`` is how much of the events is told.

    ``removed`` are the numbers asked for whose events are kept no longer.
    """

    register: Register
    progress: Progress
    kind: str
    time: datetime
    events: tuple[Told, ...] = ()
    content: str = ""
    removed: range = range(0)

    @property
    def amount(self) -> str:
        return EMPTY if self.register.trouble else self.content or self.register.terms.content

    @property
    def id(self) -> str:
        """The same for the same events, so that a receiver knows a repeat; any other notice stands for itself."""
        if not self.events:
            return str(uuid4())
        numbers = f"{self.events[0].event.number}-{self.events[-1].event.number}"
        return str(uuid5(NAMESPACE_URL, f"{self.register.id}/{self.kind}/{numbers}"))


def status(base_url: str, notice: Notice) -> Resource:
    """The Parameters that stand for R5's SubscriptionStatus."""
    register, known = notice.register, notice.progress
    topic = register.terms.topic if notice.amount != EMPTY else ""
    rows = [
        parameter("subscription", "Reference", {"reference": f"{base_url}/Subscription/{register.id}"}),
        *([parameter("topic", "Canonical", topic)] if topic else []),
        parameter("status", "Code", STATUSES[register.state]),
        parameter("type", "Code", notice.kind),
        parameter("events-since-subscription-start", "String", str(known.count)),
        *(parameter("notification-event", "part", _event(base_url, notice.amount, one)) for one in notice.events),
        *([parameter("error", "CodeableConcept", _error(known.trouble))] if known.trouble else []),
        *([parameter("error", "CodeableConcept", _gap(notice.removed))] if notice.removed else []),
    ]
    return {"resourceType": "Parameters", "id": str(uuid4()), "meta": {"profile": [PROFILE]}, "parameter": rows}


def _error(trouble: str) -> dict[str, Any]:
    return {"coding": [{"system": ERRORS, "code": "no-response"}], "text": trouble}


def _gap(removed: range) -> dict[str, Any]:
    text = f"events {removed.start} to {removed.stop - 1} are kept no longer"
    return {"coding": [{"system": OWN_ERRORS, "code": REMOVED}], "text": text}


def _event(base_url: str, content: str, one: Told) -> list[dict[str, Any]]:
    parts = [
        parameter("event-number", "String", str(one.event.number)),
        parameter("timestamp", "Instant", instant(one.event.time)),
    ]
    if content != EMPTY and one.version is not None:
        parts.append(parameter("focus", "Reference", {"reference": f"{base_url}/{one.event.reference}"}))
    return parts


def notification(base_url: str, notice: Notice) -> bytes:
    """The notification Bundle."""
    first = status(base_url, notice)
    url = f"{base_url}/Subscription/{notice.register.id}/$status"
    head = Entry(encode(first), f"urn:uuid:{first['id']}", request=("GET", url), response=Response("200"))
    full = notice.amount == FULL
    rest = [_entry(base_url, one.event, one.version) for one in notice.events if full and one.version is not None]
    return history([head, *rest], Header(id=notice.id, timestamp=notice.time))


def _entry(base_url: str, event: Happening, version: Version) -> Entry:
    method = _METHODS.get(event.interaction, "PUT")
    url = version.type if method == "POST" else version.reference
    answer = Response(_ANSWERS.get(event.interaction, "200"), modified=version.updated)
    return Entry(version.body, f"{base_url}/{version.reference}", request=(method, url), response=answer)
