"""The audit trail: who did what to which record, durable before the answer leaves.

https://hl7.org/fhir/R4/auditevent.html

The shape follows IHE's Basic Audit Log Patterns (https://profiles.ihe.net/ITI/BALP/): references, never content;
a search keeps its query, base64. All events waiting in a process are written together (group commit), to its journal
(``security/journal``) or straight into the store, so the price is paid once a batch. Those of one page are recorded at
the moment the page is, and called after it.
"""

import asyncio
import base64
import ipaddress
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import uuid4

from fhir_gateway.fhir.codec import encode
from fhir_gateway.fhir.resource import Resource, instant
from fhir_gateway.problem import Problem, Unavailable
from fhir_gateway.security.access import ACTIONS
from fhir_gateway.security.caller import Caller
from fhir_gateway.security.gathering import Gathering
from fhir_gateway.security.purpose import ACT_REASON, BREAK_THE_GLASS

TYPE = "http://terminology.hl7.org/CodeSystem/audit-event-type"
INTERACTION = "http://hl7.org/fhir/restful-interaction"
OWN_INTERACTION = "urn:fhir-gateway:interaction"
ENTITY = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
ENTITY_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
REQUEST_ID = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"
AGENT = "http://dicom.nema.org/resources/ontology/DCM"
SOURCE = "http://terminology.hl7.org/CodeSystem/security-source-type"
ROLE = "urn:fhir-gateway:role"
CLIENT = "urn:fhir-gateway:client"
ORGANIZATION = "urn:fhir-gateway:organization"

LETTERS = {
    "create": "C",
    "import": "C",
    "export": "R",
    "ingest": "C",
    "deliver": "C",
    "read": "R",
    "everything": "R",
    "update": "U",
    "move": "U",
    "delete": "D",
}
PAGE_EVENTS = 100
"""As many share a page; two digits number them."""
PAGE_BYTES = 2_000_000
"""A page that has grown beyond this takes no more: the database keeps 16 MB in one document."""
RECORDS_SENT = frozenset("R")
OWN_ACTIONS = frozenset({"move", "ingest", "deliver", "everything", "export", "import"})


@dataclass(frozen=True, slots=True)
class Event:
    """An AuditEvent as stored: durable at once, sealed into a block later."""

    id: str
    recorded: datetime
    body: bytes
    index: Mapping[str, Any] = field(default_factory=dict)
    block: int | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """A link of the audit chain. ``root`` is the Merkle root of the events' bodies in the order of ``events``."""

    number: int
    previous: str
    root: str
    events: tuple[str, ...]
    sealed: datetime
    signature: str


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did. ``entities`` and ``patients`` are references; ``status`` is the HTTP status of the answer.

    ``caller`` is None when nobody proved who they are; ``query`` is the search as asked, after the base URL;
    ``purpose`` is the reason of a doctor who breaks the glass; ``times`` is how often it happened.
    """

    interaction: str
    caller: Caller | None
    status: int = 200
    address: str = ""
    entities: tuple[str, ...] = ()
    patients: tuple[str, ...] = ()
    query: str = ""
    request: str = ""
    purpose: str = ""
    times: int = 1


class Appends(Protocol):
    """Where durable events go; what it was given is durable when it returns."""

    async def append(self, events: Sequence[Event]) -> None: ...


Make = Callable[[str, datetime], Event]
"""Makes an event of the id and the time of recording that its page gives it."""


Draft = tuple[Make, datetime]
"""An event that gets its id from the page it comes to lie on, and the moment of what it tells."""
Entry = Event | Draft
Keep = Callable[[Sequence[Entry]], Awaitable[None]]
"""Makes entries durable elsewhere first; Unavailable when it could not."""
Waiting = tuple[Entry, asyncio.Future[None]]


class Trail:
    """The events of one process on their way into the store, or the journal before it. Belongs to one event loop."""

    def __init__(self, store: Appends, keep: Keep | None = None) -> None:
        self._store = store
        self._keep = keep or self._append
        self._gathering: Gathering[Waiting] = Gathering(self._write)

    async def record(self, *events: Event) -> None:
        """Return when the events are durable; Unavailable when they may not be, and then the answer must not leave."""
        if events:
            await self._written(events)

    async def enter(self, make: Make, moment: datetime) -> None:
        """As ``record``, for what was done at ``moment``: its event shares a page with those that wait too."""
        await self._written(((make, moment),))

    async def _written(self, entries: Sequence[Entry]) -> None:
        written = asyncio.get_running_loop().create_future()
        self._gathering.join(*((entry, written) for entry in entries))
        # A client that hangs up cancels its own wait, never the batch its neighbours share.
        await written

    async def _write(self, batch: list[Waiting]) -> None:
        durable = False
        try:
            await self._keep([entry for entry, _ in batch])
            durable = True
        except Problem:
            # Told to everybody who waits, below; an error that is no Problem is a fault and ends this task loudly.
            pass
        finally:
            for written in {id(future): future for _, future in batch}.values():
                _settle(written, durable)

    async def _append(self, entries: Sequence[Entry]) -> None:
        await self._store.append(made(entries))


def made(entries: Sequence[Entry]) -> list[Event]:
    """The events that came ready, and the others on pages, at the moment of the last of them."""
    events = [entry for entry in entries if isinstance(entry, Event)]
    drafts = [entry for entry in entries if not isinstance(entry, Event)]
    moment = max((moment for _, moment in drafts), default=None)
    page, number, size = uuid4(), 0, 0
    for make, recorded in drafts:
        if number == PAGE_EVENTS or size > PAGE_BYTES:
            page, number, size = uuid4(), 0, 0
        events.append(make(f"{page}.{number:02d}", moment or recorded))
        number, size = number + 1, size + len(events[-1].body)
    return events


def event(
    act: Act, recorded: datetime, gateway: str, index: Callable[[Resource], Mapping[str, Any]], name: str = ""
) -> Event:
    """The AuditEvent of an act, as the gateway called ``gateway`` saw it; ``index`` gives its search keys.

    ``name`` is its id, where that is settled already.
    """
    recorded = recorded.replace(microsecond=recorded.microsecond // 1000 * 1000)
    resource = audit_event(act, recorded, gateway)
    resource["id"] = name or resource["id"]
    return Event(resource["id"], recorded, encode(resource), index(resource))


def audit_event(act: Act, recorded: datetime, gateway: str) -> Resource:
    """The act as a FHIR R4 AuditEvent."""
    letter = LETTERS.get(ACTIONS.get(act.interaction, ""), "E")
    time = instant(recorded)
    resource: Resource = {
        "resourceType": "AuditEvent",
        "id": str(uuid4()),
        "meta": {"versionId": "1", "lastUpdated": time},
        "type": {"system": TYPE, "code": "rest", "display": "RESTful Operation"},
        "subtype": [_subtype(act.interaction)],
        "action": letter,
        "recorded": time,
        "outcome": _outcome(act.status),
        "outcomeDesc": f"HTTP {act.status}" + (f", {act.times} times" if act.times > 1 else ""),
        **_purpose(act.purpose),
        "agent": [_requestor(act, letter in RECORDS_SENT), _server(gateway, letter in RECORDS_SENT)],
        "source": {
            "observer": {"display": gateway},
            "type": [{"system": SOURCE, "code": "4", "display": "Application Server"}],
        },
    }
    entities = _entities(act)
    return {**resource, "entity": entities} if entities else resource


def _purpose(reason: str) -> Resource:
    if not reason:
        return {}
    coding = {"system": ACT_REASON, "code": BREAK_THE_GLASS, "display": "break the glass"}
    return {"purposeOfEvent": [{"coding": [coding], "text": reason}]}


def _subtype(interaction: str) -> dict[str, str]:
    if interaction in ACTIONS and ACTIONS[interaction] not in OWN_ACTIONS:
        return {"system": INTERACTION, "code": interaction}
    return {"system": OWN_INTERACTION, "code": interaction}


def _outcome(status: int) -> str:
    if status < 400:
        return "0"
    return "4" if status < 500 else "8"


def _requestor(act: Act, receives: bool) -> dict[str, Any]:
    agent: dict[str, Any] = {"type": _direction(source=not receives), "requestor": True}
    agent.update(_identity(act.caller) if act.caller else {"who": {"display": "unauthenticated"}})
    if act.address:
        agent["network"] = {"address": act.address, "type": "2" if _is_ip(act.address) else "1"}
    return agent


def _identity(caller: Caller) -> dict[str, Any]:
    identity: dict[str, Any] = {
        "who": {"identifier": {"system": CLIENT, "value": caller.client}},
        "role": [{"coding": [{"system": ROLE, "code": caller.role}]}],
    }
    if caller.organization:
        identity["who"]["identifier"]["assigner"] = {
            "identifier": {"system": ORGANIZATION, "value": caller.organization}
        }
    if caller.token:
        identity["policy"] = [f"urn:uuid:{caller.token}"]
    return identity


def _server(gateway: str, sends: bool) -> dict[str, Any]:
    return {"type": _direction(source=sends), "who": {"display": gateway}, "requestor": False}


def _direction(source: bool) -> dict[str, Any]:
    code, display = ("110153", "Source Role ID") if source else ("110152", "Destination Role ID")
    return {"coding": [{"system": AGENT, "code": code, "display": display}]}


def _entities(act: Act) -> list[dict[str, Any]]:
    entities = [_entity(reference, ("2", "System Object"), ("4", "Domain Resource")) for reference in act.entities]
    entities += [_entity(reference, ("1", "Person"), ("1", "Patient")) for reference in act.patients]
    if act.query:
        query = _entity(None, ("2", "System Object"), ("24", "Query"))
        entities.append({**query, "query": base64.b64encode(act.query.encode()).decode()})
    if act.request:
        what = {"identifier": {"value": act.request}}
        entities.append({"what": what, "type": {"system": REQUEST_ID, "code": "XrequestId"}})
    return entities


def _entity(reference: str | None, kind: tuple[str, str], role: tuple[str, str]) -> dict[str, Any]:
    what = {"what": {"reference": reference}} if reference else {}
    return {
        **what,
        "type": {"system": ENTITY, "code": kind[0], "display": kind[1]},
        "role": {"system": ENTITY_ROLE, "code": role[0], "display": role[1]},
    }


def _is_ip(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def _settle(written: asyncio.Future[None], durable: bool) -> None:
    if written.done():
        return
    if durable:
        written.set_result(None)
    else:
        written.set_exception(Unavailable("the audit trail cannot be written, so nothing may be answered"))
