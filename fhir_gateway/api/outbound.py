"""The door for hospitals that fetch what became of their cases, as HL7 v2 messages, instead of being called.

https://www.hl7.eu/HL7v2x/v251/std251/ch11.html
"""

from dataclasses import dataclass

from starlette.routing import Route

from adapters.contract import Untranslatable
from fhir_gateway.api.answer import Answer
from fhir_gateway.api.door import Act, Action, Asked, Door
from fhir_gateway.api.receipts import answered, audited
from fhir_gateway.api.services import Services
from fhir_gateway.exchange import answers
from fhir_gateway.exchange.answering import told
from fhir_gateway.exchange.house import House
from fhir_gateway.exchange.outbox import STATES
from fhir_gateway.problem import BadRequest, Conflict, Unprocessable
from fhir_gateway.security.access import may_ingest
from fhir_gateway.store.port import Commit

HL7 = "application/hl7-v2"
LIST_LIMIT = 200


@dataclass(frozen=True, slots=True)
class OutboundDoors:
    """The handlers; ``renderer`` writes the hospital's format."""

    house: House
    renderer: answers.Renderer

    def routes(self, services: Services) -> list[Route]:
        """Every path of answers to a hospital."""
        table: list[tuple[str, dict[str, tuple[str, Act]]]] = [
            ("/ingest/{hospital}/outbound", {"GET": ("read", self.waiting)}),
            ("/ingest/{hospital}/outbound/{answer}", {"GET": ("read", self.message)}),
            ("/ingest/{hospital}/outbound/{answer}/taken", {"POST": ("ingest", self.taken)}),
        ]
        return [
            Route(path, Door(services, path, {method: Action(*action) for method, action in actions.items()}))
            for path, actions in table
        ]

    async def waiting(self, services: Services, asked: Asked) -> Answer:
        """``GET /ingest/{hospital}/outbound?state=owed``: the messages to this hospital, oldest first."""
        state = dict(asked.pairs).get("state")
        if state not in (None, *STATES):
            raise BadRequest(f"a state is one of {', '.join(STATES)}", "state")
        rows = await answers.listed(self.house, self._hospital(asked), state, LIST_LIMIT)
        await audited(services, asked)
        return answered({"messages": rows})

    async def message(self, services: Services, asked: Asked) -> Answer:
        """``GET /ingest/{hospital}/outbound/{answer}``: the message itself, in the hospital's own encoding."""
        summary = await answers.one(self.house, self._hospital(asked), asked.path("answer"))
        try:
            body, _ = await answers.rendered(self.house, self.renderer, summary)
        except Untranslatable as refusal:
            raise Unprocessable(refusal.reason, refusal.where) from refusal
        await audited(services, asked, f"Task/{summary['task']}")
        return Answer(200, body, media_type=HL7)

    async def taken(self, services: Services, asked: Asked) -> Answer:
        """``POST /ingest/{hospital}/outbound/{answer}/taken``: the hospital has it; said twice is said once."""
        hospital, identity = self._hospital(asked), asked.path("answer")
        if (await answers.one(self.house, hospital, identity))["state"] == "owed":
            try:
                await self._take(hospital, identity, (f"{answers.QUEUE}/{identity}",))
            except Conflict:
                # The worker puts the job of a fetched answer aside when it meets it: before this, or meanwhile.
                await self._take(hospital, identity, ())
        return answered(dict(await answers.one(self.house, hospital, identity)))

    async def _take(self, hospital: str, identity: str, jobs: tuple[str, ...]) -> None:
        summary = await answers.one(self.house, hospital, identity)
        if summary["state"] == "owed":
            note = answers.settled(identity, "delivered", "", self.house.clock())
            event = self.house.event(told(summary, taken=True))
            await self.house.store.commit(Commit(notes=(note,), settled=jobs, events=(event,)))

    def _hospital(self, asked: Asked) -> str:
        hospital = asked.path("hospital")
        may_ingest(asked.visit.caller, hospital)
        return self.house.directory.hospital(hospital).name
