"""What this gateway owes its partners: each delivery a frozen message, owed until it is answered.

https://build.fhir.org/ig/HL7/bser/ - the push pattern with message Bundles
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fhir_gateway.exchange import parts
from fhir_gateway.exchange.house import House
from fhir_gateway.fhir.codec import encode
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import BadRequest
from fhir_gateway.security.sight import Reader
from fhir_gateway.store.port import Job, Note
from fhir_gateway.store.sight import sees

SHELF = "outbox"
PACKAGES = "packages"
DELIVER = "deliver"
STATES = ("owed", "delivered", "refused")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one partner, as it will be committed: the note people see, the frozen bytes, the work owed."""

    notes: tuple[Note, ...]
    job: Job


def delivery(house: House, partner: str, event: str, resources: Sequence[Resource], now: datetime) -> Delivery:
    """Owe ``resources`` (the Task first) to a partner; the same Task version and event is the same delivery.

    The moves of one case are one group of jobs, so they leave in the order they were made.
    """
    task = resources[0]
    identity = parts.part_id("delivery", partner, task["id"], event, task["lastModified"])
    bundle = parts.message(identity, event, (house.name, house.base_url), partner, resources)
    summary = {"delivery": identity, "partner": partner, **promised(task, event, now)}
    notes = (Note(SHELF, identity, summary), Note(PACKAGES, identity, {"body": encode(bundle)}))
    return Delivery(
        notes, Job(f"{DELIVER}/{identity}", DELIVER, f"{partner}/{task['id']}", now, {"delivery": identity})
    )


def promised(task: Mapping[str, Any], event: str, now: datetime) -> dict[str, str]:
    """What a note says of a message about a case that nobody has taken yet."""
    created = now.isoformat(timespec="microseconds")
    return {"task": task["id"], "event": event, "created": created, "state": "owed", "trouble": "", "settled": ""}


def settled(identity: str, state: str, trouble: str, now: datetime) -> Note:
    """The note that ends a delivery: ``delivered`` or ``refused`` by the partner."""
    content = {"state": state, "trouble": trouble, "settled": now.isoformat(timespec="milliseconds")}
    return Note(SHELF, identity, content, expected={"state": "owed"})


async def listed(house: House, reader: Reader, state: str | None, limit: int) -> list[dict[str, Any]]:
    """The deliveries people look at, with attempts and last trouble; ``reader`` sees those of its own cases.

    Raises BadRequest for a state there is not.
    """
    if state and state not in STATES:
        raise BadRequest(f"a delivery is {', '.join(STATES)}", "state")
    rows = await house.store.notes(SHELF, {"state": state} if state else {}, "", limit)
    waiting = {job.content["delivery"]: job for job in await house.store.owed(DELIVER, limit)}
    tasks = await house.store.currents([f"Task/{content['task']}" for _, content in rows]) if reader is not None else {}
    return [
        _with_trouble(content, waiting.get(content["delivery"]))
        for _, content in rows
        if reader is None or sees(reader, tasks[f"Task/{content['task']}"])
    ]


def _with_trouble(content: Mapping[str, Any], job: Job | None) -> dict[str, Any]:
    waits = {"attempts": job.attempts, "trouble": job.trouble, "due": job.due.isoformat()} if job else {}
    return {**content, **waits}
