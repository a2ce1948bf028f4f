"""A quarantined message corrected by hand: the corrected bytes are a message of their own, and both are kept.

The wrong one says by which receipt it was corrected, the right one which receipt it corrects.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from fhir_gateway.exchange import inbox
from fhir_gateway.exchange.inbox import Inbox, Receipt, State, number
from fhir_gateway.problem import BadRequest, Conflict
from fhir_gateway.security.audit import Event
from fhir_gateway.store.port import Commit, Note


@dataclass(frozen=True, slots=True)
class Correction:
    """What was wrong, and what shall stand in its place."""

    wrong: Receipt
    media_type: str
    body: bytes


async def correct(letters: Inbox, correction: Correction, now: datetime, event: Event) -> tuple[Receipt, bool]:
    """The receipt of the corrected message, and whether those bytes were here before.

    Raises Conflict when the wrong message is not in quarantine, BadRequest when nothing was corrected.
    """
    letters.check(correction.body)
    wrong, (receipt, digest) = correction.wrong, number(correction.body)
    if receipt == wrong.receipt:
        raise BadRequest("these are the bytes of the quarantined message itself: nothing in them was corrected", "body")
    again = wrong.state is State.CORRECTED and wrong.corrected_by == receipt
    if wrong.state is not State.QUARANTINED and not again:
        raise Conflict(f"only a quarantined message can be corrected; this one is {wrong.state}", "receipt")
    if again:
        await letters.store.append([event])
        return await letters.receipt(wrong.hospital, receipt), True
    known = await letters.store.note(inbox.SHELF, f"{wrong.hospital}/{receipt}")
    if known is not None:
        await letters.store.commit(Commit(notes=(_corrected(wrong, receipt),), events=(event,)))
        return inbox.receipt_of(known), True
    received = now.isoformat(timespec="milliseconds")
    fresh = Receipt(wrong.hospital, receipt, digest, correction.media_type, len(correction.body), received)
    fresh = replace(fresh, corrects=wrong.receipt)
    arrival = inbox.arrival(fresh, correction.body, now, event)
    await letters.store.commit(replace(arrival, notes=(*arrival.notes, _corrected(wrong, receipt))))
    return fresh, False


def _corrected(wrong: Receipt, by: str) -> Note:
    content = {"state": str(State.CORRECTED), "corrected_by": by}
    return Note(inbox.SHELF, wrong.key, content, expected={"state": str(State.QUARANTINED)})
