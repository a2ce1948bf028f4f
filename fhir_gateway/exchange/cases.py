"""Cases between hospitals: opened, moved, and everything a move brings about, as one commit each.

https://hl7.org/fhir/R4/task.html
The tables in ``referral`` and ``teleconsult`` say what may happen; here is what it causes: a new version of the Task,
the document it brings, the grant to the other side, the delivery owed to the other gateway.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fhir_gateway.exchange import answers, outbox, parts
from fhir_gateway.exchange.directory import Directory, Partner
from fhir_gateway.exchange.dossier import Dossier
from fhir_gateway.exchange.house import House
from fhir_gateway.exchange.referral import REFERRAL
from fhir_gateway.exchange.teleconsult import TELECONSULT
from fhir_gateway.exchange.workflow import RECEIVER, REQUESTER, Move, Workflow
from fhir_gateway.fhir.resource import Resource, instant, reference
from fhir_gateway.problem import Forbidden, NotFound, Unprocessable
from fhir_gateway.store.port import Grant

WORKFLOWS: Mapping[str, Workflow] = {workflow.name: workflow for workflow in (REFERRAL, TELECONSULT)}


UNFINISHED = {
    "ServiceRequest": ("active",),
    "Appointment": ("proposed", "pending", "booked", "arrived"),
    "Encounter": ("planned", "arrived", "in-progress"),
}
AFTER_SUCCESS = {"ServiceRequest": "completed", "Appointment": "fulfilled", "Encounter": "finished"}
AFTER_ANYTHING_ELSE = {"ServiceRequest": "revoked", "Appointment": "cancelled", "Encounter": "cancelled"}


@dataclass(frozen=True, slots=True)
class Effect:
    """What one step of a case asks to be committed; the Task comes first among the resources.

    ``contents`` are what its document holds: most is stored already, what was written for this step is not.
    """

    resources: tuple[Resource, ...]
    contents: tuple[Resource, ...] = ()
    grants: tuple[Grant, ...] = ()
    deliveries: tuple[outbox.Delivery, ...] = ()

    @property
    def task(self) -> Resource:
        return self.resources[0]


@dataclass(frozen=True, slots=True)
class Brought:
    """What a move brings: new resources for Task.output by kind, a signed document, a reason in words."""

    outputs: tuple[tuple[str, Resource], ...] = ()
    document: tuple[str, Dossier] | None = None
    reason: str = ""

    @property
    def kinds(self) -> tuple[str, ...]:
        documents = (self.document[0],) if self.document else ()
        return (*(kind for kind, _ in self.outputs), *documents, *(("reason",) if self.reason else ()))

    def resources(self) -> list[Resource]:
        """All of them, the document's Bundle and signatures included."""
        documents = [self.document[1].bundle, self.document[1].signatures] if self.document else []
        return [*(resource for _, resource in self.outputs), *documents]

    def rows(self) -> list[Resource]:
        """Task.output rows."""
        rows = [parts.output(kind, reference(resource)) for kind, resource in self.outputs]
        return rows + ([parts.output(self.document[0], self.document[1].reference)] if self.document else [])


def workflow_of(task: Mapping[str, Any]) -> Workflow:
    """The table a Task follows. Raises NotFound for a Task that is no case of this exchange."""
    name = str(task.get("instantiatesUri", "")).removeprefix(parts.WORKFLOW)
    if name not in WORKFLOWS:
        raise NotFound("this Task is not a case of the exchange", "Task.instantiatesUri")
    return WORKFLOWS[name]


def facilities(task: Mapping[str, Any]) -> tuple[str, str]:
    """Facility codes of requester and receiver."""
    return parts.facility_code(task.get("requester")), parts.facility_code(task.get("owner"))


def roles(directory: Directory, party: str, task: Mapping[str, Any]) -> set[str]:
    """Which side(s) of the case a party is; none for a stranger."""
    own = directory.facilities_of(party)
    requester, receiver = facilities(task)
    return {role for role, code in ((REQUESTER, requester), (RECEIVER, receiver)) if code in own}


def open_case(
    house: House, request: Resource, sides: tuple[str, str], dossier: Dossier, extra: Iterable[Resource]
) -> Effect:
    """A new case: its Task, document and signatures; owed to the receiver when it has a gateway of its own.

    ``request`` is the ServiceRequest, ``sides`` the facility codes of requester and receiver, ``extra`` what travels
    along (the original file).
    """
    now = house.clock()
    workflow = "teleconsult" if is_consultation(request) else "referral"
    ends = tuple(parts.facility(code, house.directory.title_of(code)) for code in sides)
    task = parts.task(workflow, request, (ends[0], ends[1]), instant(now))
    along = list(extra)
    task["input"] = [parts.output("document", dossier.reference)] + [
        parts.output("original", reference(r)) for r in along if r["resourceType"] == "DocumentReference"
    ]
    package = [task, request, dossier.bundle, dossier.signatures, *along]
    return _effect(house, f"{workflow}.open", package, dossier, now)


def is_consultation(request: Mapping[str, Any]) -> bool:
    """Whether a ServiceRequest asks for advice (SNOMED CT 11429006) and not for the patient to be taken over."""
    return _has_category(request, "11429006")


def is_referral(request: Mapping[str, Any]) -> bool:
    """Whether a ServiceRequest is a patient referral (SNOMED CT 3457005)."""
    return _has_category(request, "3457005")


def _has_category(request: Mapping[str, Any], code: str) -> bool:
    rows = [row for category in request.get("category", ()) for row in category.get("coding", ())]
    return any(row.get("code") == code and row.get("system") == "http://snomed.info/sct" for row in rows)


def move(house: House, task: Resource, name: str, party: str, brought: Brought) -> Effect:
    """Make a move on this gateway's own case. Raises IllegalMove, Forbidden or BadRequest, naming what is legal."""
    _check_home(house, party)
    step = step_of(house, task, name, party, brought.kinds)
    now = house.clock()
    changed = moved(task, step, brought, now)
    document = brought.document[1] if brought.document else None
    package = [changed, *brought.resources()]
    return _effect(house, f"{workflow_of(task).name}.{name}", package, document, now)


def step_of(house: House, task: Mapping[str, Any], name: str, party: str, kinds: Iterable[str]) -> Move:
    """The table's answer to a move asked by ``party``. Raises Forbidden for a stranger to the case."""
    sides = roles(house.directory, party, task)
    if not sides:
        raise Forbidden("only the requesting and the receiving hospital may move this case", "Task")
    return workflow_of(task).step(task["status"], name, sides, tuple(kinds))


def moved(task: Resource, step: Move, brought: Brought, now: datetime) -> Resource:
    """The Task after the move."""
    workflow = workflow_of(task).name
    changed = {**task, "status": step.target, "lastModified": instant(now)}
    changed["businessStatus"] = parts.business_status(workflow, step.business or step.target)
    if rows := brought.rows():
        changed["output"] = [*task.get("output", ()), *rows]
    if brought.reason:
        changed["statusReason"] = {"text": brought.reason}
    return changed


def ended(task: Mapping[str, Any], concerned: Iterable[Resource]) -> list[Resource]:
    """What a case that just ended leaves behind in its request, appointment and visit; nothing while it goes on.

    Each gateway does this to its own copies, because neither may write the other's records.
    """
    workflow = workflow_of(task)
    if any(task["status"] in move.origins for move in workflow.moves):
        return []
    statuses = AFTER_SUCCESS if task["status"] == "completed" else AFTER_ANYTHING_ELSE
    return [
        {**resource, "status": statuses[resource["resourceType"]]}
        for resource in concerned
        if resource.get("status") in UNFINISHED.get(resource["resourceType"], ())
    ]


def concerned(task: Mapping[str, Any]) -> list[str]:
    """The request of a case and what its moves brought."""
    return [task["focus"]["reference"], *(ref for ref in outputs(task) if ref.partition("/")[0] in UNFINISHED)]


def outputs(task: Mapping[str, Any]) -> list[str]:
    """References to everything the moves of a case brought."""
    return [row["valueReference"]["reference"] for row in task.get("output", ()) if "valueReference" in row]


def _check_home(house: House, party: str) -> None:
    partner = house.directory.partners.get(party)
    if partner and partner.url:
        raise Unprocessable(f"{party} works through its own gateway: make the move there", "move")


def _effect(house: House, event: str, package: list[Resource], document: Dossier | None, now: datetime) -> Effect:
    task = package[0]
    inside = document.contents if document else []
    shared = {reference(r): None for r in [*package, *inside]}
    readers = [party for code in facilities(task) if (party := house.directory.party_of(code))]
    grants = tuple(Grant(ref, reader) for ref in shared for reader in dict.fromkeys(readers))
    deliveries = tuple(outbox.delivery(house, p.name, event, package, now) for p in _elsewhere(house, task))
    told = answers.owed(house, event, task, now)
    return Effect(tuple(package), tuple(inside), grants, (*deliveries, *told))


def _elsewhere(house: House, task: Mapping[str, Any]) -> list[Partner]:
    """The partner gateways that keep a copy of this case."""
    away = [code for code in facilities(task) if not house.directory.is_local(code)]
    found = [house.directory.partner_of(code) for code in away]
    return list({p.name: p for p in found if p is not None}.values())
