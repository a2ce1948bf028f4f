"""What hospitals that speak an older format are told of their cases: frozen when it happens, owed until it is taken.

https://www.hl7.eu/HL7v2x/v251/std251/ch11.html
A hospital whose file has ``[outbound] v2`` gets the answer to its referral as RRI^I12, the document that ends the case
as ORU^R01, a referral it receives as REF^I12: sent over MLLP, or kept until it fetches them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from adapters.contract import Hospital, Reply
from fhir_gateway.exchange import parts
from fhir_gateway.exchange.house import House
from fhir_gateway.exchange.outbox import Delivery, promised
from fhir_gateway.fhir.codec import decode_resource, encode
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import NotFound
from fhir_gateway.store.port import Job, Note

SHELF = "answers"
PACKAGES = "answer-packages"
QUEUE = "answer"
FETCHED = "fetch"
# Which events are told, and to which side of the case.
TOLD = {
    "referral.open": "owner",
    "teleconsult.open": "owner",
    "referral.accept": "requester",
    "referral.reject": "requester",
    "referral.admit": "requester",
    "referral.fail": "requester",
    "referral.complete": "requester",
    "teleconsult.schedule": "requester",
    "teleconsult.decline": "requester",
    "teleconsult.answer": "requester",
}
# MSH-10 holds twenty characters up to version 2.6.
CONTROL_LENGTH = 20


class Renderer(Protocol):
    """An adapter that also writes its format."""

    def render(self, reply: Reply) -> bytes:
        """The message. Raises Untranslatable where the hospital's settings cannot hold it."""
        ...


def owed(house: House, event: str, task: Resource, now: datetime) -> tuple[Delivery, ...]:
    """What an event of a case owes the hospital concerned: one message, or nothing where none is wanted."""
    hospital = _told(house, event, task)
    if hospital is None:
        return ()
    identity = parts.part_id("answer", hospital.name, task["id"], event, task["lastModified"])
    content = {"answer": identity, "hospital": hospital.name, **promised(task, event, now)}
    notes = (Note(SHELF, identity, content), Note(PACKAGES, identity, {"body": encode(task)}))
    # One group a hospital: its messages leave in the order things happened.
    return (Delivery(notes, Job(f"{QUEUE}/{identity}", QUEUE, hospital.name, now, {"answer": identity})),)


def _told(house: House, event: str, task: Mapping[str, Any]) -> Hospital | None:
    """The hospital of this gateway that is to be told, where its file says that it wants to be."""
    code = parts.facility_code(task.get(TOLD.get(event, ""))) if event in TOLD else ""
    here = [h for h in house.directory.hospitals.values() if h.facility_code == code and h.outbound.get("v2")]
    return here[0] if here else None


async def rendered(house: House, renderer: Renderer, summary: Mapping[str, Any]) -> tuple[bytes, str]:
    """The message of an answer, and its number, which every try has. Raises Untranslatable."""
    identity = str(summary["answer"])
    package = await house.store.note(PACKAGES, identity) or {}
    control = identity.replace("-", "")[:CONTROL_LENGTH].upper()
    hospital = house.directory.hospital(summary["hospital"])
    resources = await _gathered(house, decode_resource(bytes(package["body"])))
    created = datetime.fromisoformat(summary["created"])
    return renderer.render(Reply(hospital, summary["event"], resources, control, created)), control


async def _gathered(house: House, task: Resource) -> tuple[Resource, ...]:
    """The Task as it was at the event, its request and patient, what the moves brought, who asked."""
    rows = [*task.get("input", ()), *task.get("output", ())]
    wanted = [task["focus"]["reference"], task["for"]["reference"]]
    wanted += [row["valueReference"]["reference"] for row in rows if "valueReference" in row]
    held = await _stored(house, wanted)
    asked_by = held.get(wanted[0], {}).get("requester", {}).get("reference", "")
    return (task, *held.values(), *(await _stored(house, [asked_by] if asked_by else [])).values())


async def _stored(house: House, wanted: Sequence[str]) -> dict[str, Resource]:
    found = await house.store.currents(list(dict.fromkeys(wanted)))
    return {ref: decode_resource(version.body) for ref, version in found.items() if not version.deleted}


def settled(identity: str, state: str, trouble: str, now: datetime) -> Note:
    """The note that ends an answer: ``delivered``, or ``refused`` by the hospital's system."""
    content = {"state": state, "trouble": trouble, "settled": now.isoformat(timespec="milliseconds")}
    return Note(SHELF, identity, content, expected={"state": "owed"})


async def one(house: House, hospital: str, identity: str) -> Mapping[str, Any]:
    """Raises NotFound where the hospital has no such answer."""
    summary = await house.store.note(SHELF, identity)
    if summary is None or summary["hospital"] != hospital:
        raise NotFound("no such message to this hospital", "answer")
    return summary


async def listed(house: House, hospital: str, state: str | None, limit: int) -> list[dict[str, Any]]:
    """What the hospital is to be told, oldest first, with attempts and the last trouble."""
    where = {"hospital": hospital} | ({"state": state} if state else {})
    rows = await house.store.notes(SHELF, where, "", limit)
    waiting = {job.content["answer"]: job for job in await house.store.owed(QUEUE, limit)}
    found = [_with_trouble(content, waiting.get(content["answer"])) for _, content in rows]
    return sorted(found, key=lambda content: str(content["created"]))


def _with_trouble(content: Mapping[str, Any], job: Job | None) -> dict[str, Any]:
    waits = {"attempts": job.attempts, "trouble": job.trouble, "due": job.due.isoformat()} if job else {}
    return {**content, **waits}
