"""The standing of a subscription: requested, active, error, off; in the register and in the resource, in one commit.

https://hl7.org/fhir/R4/subscription.html#lifecycle
"""

from contextlib import suppress
from dataclasses import replace

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.problem import Conflict
from fhir_gateway.records.revision import revision
from fhir_gateway.store.port import Commit, Note, Version
from fhir_gateway.subscriptions.notice import STATUSES
from fhir_gateway.subscriptions.office import Office
from fhir_gateway.subscriptions.register import SHELF, Register


async def turn(office: Office, register: Register, state: str, trouble: str = "") -> None:
    """Bring a subscription into another state; one that was changed or deleted meanwhile is left to its enrolment."""
    current = await office.store.current(f"Subscription/{register.id}")
    if current is None or current.deleted or current.number != register.version:
        return
    with suppress(Conflict):
        await office.store.commit(turned(office, replace(register, state=state), current, trouble, register.version))


def turned(office: Office, register: Register, current: Version, trouble: str, replaces: int | None) -> Commit:
    """The commit that writes the state of ``register`` into the resource; ``replaces`` is the version it stood for."""
    resource = decode_resource(current.body)
    resource.pop("error", None)
    resource["status"] = STATUSES[register.state]
    resource |= {"error": trouble} if trouble else {}
    change = revision(resource, current.reference, current, office.clock(), ())
    kept = replace(register, version=change.version.number, body=change.version.body)
    event = office.event(register.asker, (f"{current.reference}/_history/{change.version.number}",), "update")
    return Commit(changes=(change,), notes=(entered(kept, replaces),), events=(event,))


def entered(register: Register, replaces: int | None) -> Note:
    """The register's note; None replaces nothing."""
    return Note(SHELF, register.id, register.content(), None if replaces is None else {"version": replaces})
