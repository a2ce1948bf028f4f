"""The audit trail: who did what to which record, durable before the answer leaves.

https://hl7.org/fhir/R4/auditevent.html

The shape follows IHE's Basic Audit Log Patterns (https://profiles.ihe.net/ITI/BALP/): references, never content;
a search keeps its query, base64. All events waiting in a process go out as one insert (group commit), so the price is
paid once a batch.
"""

import asyncio
import base64
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import uuid4

from fhir_gateway.fhir.codec import encode
from fhir_gateway.fhir.resource import Resource, instant
from fhir_gateway.problem import Problem, Unavailable
from fhir_gateway.security.access import ACTIONS
from fhir_gateway.security.caller import Caller

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

    ``caller`` is None when nobody proved who they are; ``query`` is the search as asked, after the base URL.
    """

    interaction: str
    caller: Caller | None
    status: int = 200
    address: str = ""
    entities: tuple[str, ...] = ()
    patients: tuple[str, ...] = ()
    query: str = ""
    request: str = ""


class Appends(Protocol):
    """Where durable events go; what it was given is durable when it returns."""

    async def append(self, events: Sequence[Event]) -> None: ...


class Trail:
    """The events of one process on their way into the store. Belongs to one event loop."""

    def __init__(self, store: Appends) -> None:
        self._store = store
        self._waiting: list[tuple[Event, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def record(self, *events: Event) -> None:
        """Return when the events are durable; Unavailable when they may not be, and then the answer must not leave."""
        if not events:
            return
        written = asyncio.get_running_loop().create_future()
        self._waiting += [(event, written) for event in events]
        self._start()
        # A client that hangs up cancels its own wait, never the batch its neighbours share.
        await written

    def _start(self) -> None:
        if self._waiting and (self._writer is None or self._writer.done()):
            self._writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        batch, self._waiting = self._waiting, []
        durable = False
        try:
            await self._store.append([event for event, _ in batch])
            durable = True
        except Problem:
            # Told to everybody who waits, below; an error that is no Problem is a fault and ends this task loudly.
            pass
        finally:
            self._writer = None
            for written in {id(future): future for _, future in batch}.values():
                _settle(written, durable)
            self._start()


def event(act: Act, recorded: datetime, gateway: str, index: Callable[[Resource], Mapping[str, Any]]) -> Event:
    """The AuditEvent of an act, as the gateway called ``gateway`` saw it; ``index`` gives its search keys."""
    recorded = recorded.replace(microsecond=recorded.microsecond // 1000 * 1000)
    resource = audit_event(act, recorded, gateway)
    return Event(resource["id"], recorded, encode(resource), index(resource))


def audit_event(act: Act, recorded: datetime, gateway: str) -> Resource:
    """The act as a FHIR R4 AuditEvent."""
    letter = LETTERS.get(ACTIONS.get(act.interaction, ""), "E")
    time = instant(recorded)
    resource = {
        "resourceType": "AuditEvent",
        "id": str(uuid4()),
        "meta": {"versionId": "1", "lastUpdated": time},
        "type": {"system": TYPE, "code": "rest", "display": "RESTful Operation"},
        "subtype": [_subtype(act.interaction)],
        "action": letter,
        "recorded": time,
        "outcome": _outcome(act.status),
        "outcomeDesc": f"HTTP {act.status}",
        "agent": [_requestor(act, letter in RECORDS_SENT), _server(gateway, letter in RECORDS_SENT)],
        "source": {
            "observer": {"display": gateway},
            "type": [{"system": SOURCE, "code": "4", "display": "Application Server"}],
        },
    }
    entities = _entities(act)
    return {**resource, "entity": entities} if entities else resource


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
