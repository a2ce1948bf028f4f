"""The worker that tells hospitals what became of their cases, in order, until their system has taken it.

https://www.hl7.eu/HL7v2x/v251/std251/ch02.html#Heading33
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from adapters.contract import Untranslatable
from fhir_gateway.exchange import answers
from fhir_gateway.exchange.delivery import Answer, Undelivered
from fhir_gateway.exchange.house import House
from fhir_gateway.exchange.mllp import hand_over
from fhir_gateway.problem import Conflict, Problem, Unavailable
from fhir_gateway.security.audit import Act
from fhir_gateway.security.caller import Caller
from fhir_gateway.store.port import Commit, Job

log = structlog.get_logger()
# After so many errors of the hospital's own system the message is set aside: it holds up all that come after it.
ERRORS = 10


@dataclass(frozen=True, slots=True)
class Answering:
    """Carries answers; a failure waits longer each time and is visible meanwhile."""

    house: House
    renderer: answers.Renderer
    first_seconds: float
    longest_seconds: float

    async def do(self, job: Job) -> bool:
        """Try one answer; False when it is to be tried again."""
        try:
            await self._carry(job)
        except (Undelivered, Unavailable, Conflict) as trouble:
            delay = min(self.longest_seconds, self.first_seconds * 2 ** min(job.attempts, 20))
            log.warning("answer not delivered", answer=job.content["answer"], trouble=trouble.text)
            with suppress(Problem):
                due = self.house.clock() + timedelta(seconds=delay)
                await self.house.store.postpone(job.id, due, trouble.text)
            return False
        return True

    async def _carry(self, job: Job) -> None:
        identity = str(job.content["answer"])
        summary = await self.house.store.note(answers.SHELF, identity) or {}
        known = self.house.directory.hospitals.get(str(summary.get("hospital", "")))
        address = known.outbound.get("v2", "") if known else ""
        if summary.get("state") != "owed" or address in ("", answers.FETCHED):
            # A hospital that fetches its answers takes them by itself; the note waits for it.
            await self.house.store.settle(job.id)
            return
        await self._settle(job, summary, await self._handed(job, summary))

    async def _handed(self, job: Job, summary: Mapping[str, Any]) -> Answer:
        try:
            body, control = await answers.rendered(self.house, self.renderer, summary)
        except Untranslatable as refusal:
            return Answer(False, f"{refusal.where}: {refusal.reason}")
        try:
            return await hand_over(self.house.directory.hospital(summary["hospital"]).outbound, body, control)
        except Undelivered as trouble:
            if job.attempts + 1 < ERRORS or trouble.issues[0].where != "MSA-1":
                raise
            return Answer(False, trouble.text)

    async def _settle(self, job: Job, summary: Mapping[str, Any], answer: Answer) -> None:
        state = "delivered" if answer.taken else "refused"
        note = answers.settled(summary["answer"], state, answer.reason, self.house.clock())
        event = self.house.event(told(summary, answer.taken))
        await self.house.store.commit(Commit(notes=(note,), settled=(job.id,), events=(event,)))


def told(summary: Mapping[str, Any], taken: bool) -> Act:
    """The audit entry of an answer that was handed over, or refused."""
    caller = Caller(summary["hospital"], "hospital", summary["hospital"])
    entities = (f"Task/{summary['task']}",)
    return Act("deliver", caller, 200 if taken else 409, entities=entities, request=summary["answer"])
