"""The doors of the exchange: messages in and their receipts, cases and their moves, deliveries of partners.

https://hl7.org/fhir/R4/task.html
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from starlette.routing import Route

from fhir_gateway.api.answer import Answer
from fhir_gateway.api.door import Act, Action, Asked, Door
from fhir_gateway.api.negotiation import body
from fhir_gateway.api.pages import wants_page
from fhir_gateway.api.receipts_page import Shown, receipt_filters, receipts_page
from fhir_gateway.api.services import Services
from fhir_gateway.exchange import arrivals, casework, inbox, outbox
from fhir_gateway.exchange.arrived import arrived
from fhir_gateway.exchange.completeness import asked_day, today
from fhir_gateway.exchange.delivery import SEALED
from fhir_gateway.exchange.inbox import Receipt, receipt_of
from fhir_gateway.exchange.lanes import Bell
from fhir_gateway.exchange.people import Separation, separate
from fhir_gateway.exchange.reception import Handed, Reception
from fhir_gateway.exchange.slips import gather
from fhir_gateway.fhir.codec import decode, encode
from fhir_gateway.problem import BadRequest, Conflict, Forbidden, Malformed, UnsupportedMedia
from fhir_gateway.records import journal
from fhir_gateway.records.desk import attempts
from fhir_gateway.records.journal import Touched
from fhir_gateway.security.access import may, may_ingest
from fhir_gateway.security.audit import Act as Deed
from fhir_gateway.store.port import Commit

JSON = "application/json"
INGEST = "/ingest/{hospital}"
LIST_LIMIT = 100
DEFAULT_MEDIA_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class ExchangeDoors:
    """The handlers; ``outgoing`` wakes the dispatcher."""

    reception: Reception
    outgoing: Bell
    wait_seconds: float

    def routes(self, services: Services) -> list[Route]:
        """Every path of the exchange."""
        table: list[tuple[str, dict[str, tuple[str, Act]]]] = [
            (INGEST, {"POST": ("ingest", self.ingest), "GET": ("read", self.receipts)}),
            ("/exchange/cases/{task}", {"GET": ("read", self.case)}),
            ("/exchange/cases/{task}/{move}", {"POST": ("move", self.move), "GET": ("read", self.form)}),
            ("/exchange/teleconsults", {"POST": ("create", self.teleconsult)}),
            ("/exchange/deliveries", {"POST": ("deliver", self.deliver), "GET": ("read", self.deliveries)}),
            ("/exchange/persons/{person}/unlink", {"POST": ("update", self.unlink)}),
        ]
        return [
            Route(path, Door(services, path, {m: Action(*act, raw=path == INGEST) for m, act in actions.items()}))
            for path, actions in table
        ]

    async def ingest(self, services: Services, asked: Asked) -> Answer:
        """``POST /ingest/{hospital}``: 202 and a receipt; with ``?wait=true`` the final state."""
        request = asked.request
        wait = _flag(asked, "wait")
        media_type = request.headers.get("content-type", DEFAULT_MEDIA_TYPE)
        hospital = self._hospital(asked)
        await self.reception.backlog.admit(hospital)
        content = await body(request, self.reception.inbox.limit)
        handed = Handed(hospital, media_type, content, asked.visit.request, asked.visit.address)
        seconds = self.wait_seconds if wait else 0.0
        receipt, repeated = await self.reception.accept(asked.visit.caller, handed, seconds)
        location = ("location", f"/ingest/{receipt.key}")
        status = 202 if receipt.state is inbox.State.RECEIVED else _final_status(receipt)
        return _json({**receipt.content(), "repeated": repeated}, status, (location,))

    async def receipts(self, services: Services, asked: Asked) -> Answer:
        """``GET /ingest/{hospital}?date=&state=``: what came that day, newest first; without it, what is in a state.

        ``?whole=`` gives the pieces of a divided message, ``?after=`` the next page. A page without a filter is today.
        """
        house, name = self.reception.house, self._hospital(asked)
        hospital = house.directory.hospital(name)
        now = today(hospital, house.clock())
        given = receipt_filters(asked)
        if wants_page(asked) and not given:
            given["date"] = now.isoformat()
        if "date" in given:
            day = asked_day(hospital, given["date"], house.clock())
            found, after = await arrived(house.store, name, day, given, LIST_LIMIT)
        else:
            found, after = await self._kept(name, given)
        await _audited(services, asked)
        if wants_page(asked):
            return receipts_page(hospital, Shown(found, given, after, now))
        return _json({"receipts": [receipt.content() for receipt in found], "after": after or None})

    async def _kept(self, hospital: str, given: Mapping[str, str]) -> tuple[list[Receipt], str]:
        """Those of any day, a page in the order of their numbers; each page has its newest first."""
        asked = {name: value for name, value in given.items() if name != "after"}
        where = {"hospital": hospital, **asked}
        rows = await self.reception.house.store.notes(inbox.SHELF, where, given.get("after", ""), LIST_LIMIT)
        found = sorted((receipt_of(content) for _, content in rows), key=lambda one: one.received, reverse=True)
        return found, rows[-1][0] if len(rows) == LIST_LIMIT else ""

    async def case(self, services: Services, asked: Asked) -> Answer:
        """``GET /exchange/cases/{task}``: the Task and the moves open to the caller."""
        seen = await casework.view(self.reception.house, asked.visit.caller, asked.path("task"))
        await _audited(services, asked, f"Task/{asked.path('task')}")
        return _json(seen.plain())

    async def form(self, services: Services, asked: Asked) -> Answer:
        """``GET /exchange/cases/{task}/{form}``: the case as xml13, xml14, or either as the printed form (.pdf)."""
        media_type, content = await gather.slip(
            self.reception.house, asked.visit.caller, asked.path("task"), asked.path("move")
        )
        await _audited(services, asked, f"Task/{asked.path('task')}")
        return Answer(200, content, media_type=media_type)

    async def move(self, services: Services, asked: Asked) -> Answer:
        """``POST /exchange/cases/{task}/{move}`` with the inputs the move must bring."""
        given = await _object(asked, services.limits.body)
        house, caller = self.reception.house, asked.visit.caller
        seen = await casework.make_move(house, caller, asked.path("task"), asked.path("move"), given)
        self.outgoing.ring()
        return _json(seen.plain())

    async def teleconsult(self, services: Services, asked: Asked) -> Answer:
        """``POST /exchange/teleconsults``: ask another hospital for an opinion."""
        given = await _object(asked, services.limits.body)
        seen = await casework.ask_consultation(self.reception.house, asked.visit.caller, given)
        self.outgoing.ring()
        return _json(seen.plain(), 201, (("location", f"/exchange/cases/{seen.task['id']}"),))

    async def deliver(self, services: Services, asked: Asked) -> Answer:
        """``POST /exchange/deliveries``: a partner gateway's sealed message, taken exactly once."""
        house, caller = self.reception.house, asked.visit.caller
        may(caller, "deliver", "Bundle")
        partner = house.directory.partners.get(caller.organization)
        if partner is None:
            raise Forbidden("this gateway is not a partner", "Authorization")
        if asked.request.headers.get("content-type", "").split(";")[0].strip().lower() != SEALED:
            raise UnsupportedMedia(f"a delivery is {SEALED}", "Content-Type")
        envelope = (await body(asked.request, 4 * services.limits.body)).decode("ascii", "replace")
        letter = arrivals.opened(house, partner, envelope)
        deed = Deed(
            "deliver", caller, 200, asked.visit.address, (f"Task/{letter.resources[0]['id']}",), (), "", letter.identity
        )
        repeated = await self._filed(letter, deed)
        return _json({"delivery": letter.identity, "repeated": repeated})

    async def _filed(self, letter: arrivals.Letter, deed: Deed) -> bool:
        house = self.reception.house
        async for _ in attempts():
            commit = await arrivals.arrival(house, letter)
            event = house.event(deed)
            if commit is None:
                await house.store.append([event])
                return True
            with suppress(Conflict):
                await house.store.commit(_with_event(commit, event))
                return False
        raise Conflict("other writers were faster every time")

    async def deliveries(self, services: Services, asked: Asked) -> Answer:
        """``GET /exchange/deliveries?state=owed``: what this gateway owes its partners, and the last trouble."""
        reader = may(asked.visit.caller, "read", "Task").reader
        state = dict(asked.pairs).get("state")
        listed = await outbox.listed(self.reception.house, reader, state, LIST_LIMIT)
        await _audited(services, asked)
        return _json({"deliveries": listed})

    async def unlink(self, services: Services, asked: Asked) -> Answer:
        """``POST /exchange/persons/{person}/unlink`` {"patient": "Patient/…", "reason": "…"}: take a link back."""
        given = await _object(asked, services.limits.body)
        patient, reason = given.get("patient"), given.get("reason")
        if not isinstance(patient, str) or not isinstance(reason, str) or not reason.strip():
            raise BadRequest("'patient' and 'reason' are needed, as text", "patient")
        wish = Separation(f"Person/{asked.path('person')}", patient, reason.strip())
        touched = await separate(self.reception.house, asked.visit.caller, wish, asked.visit.request)
        return _json({"persons": touched})

    def _hospital(self, asked: Asked) -> str:
        hospital = asked.path("hospital")
        may_ingest(asked.visit.caller, hospital)
        return self.reception.house.directory.hospital(hospital).name


def _final_status(receipt: Receipt) -> int:
    return 200 if receipt.state in (inbox.State.STORED, inbox.State.DIVIDED) else 422


def _flag(asked: Asked, name: str) -> bool:
    value = dict(asked.pairs).get(name, "false").lower()
    if value not in ("true", "false"):
        raise BadRequest("must be true or false", name)
    return value == "true"


def _json(value: Mapping[str, Any], status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    return Answer(status, encode(value), headers, JSON)


async def _object(asked: Asked, limit: int) -> dict[str, Any]:
    content = await body(asked.request, limit)
    value = decode(content) if content.strip() else {}
    if not isinstance(value, dict):
        raise Malformed("the body must be a JSON object", "body")
    return value


async def _audited(services: Services, asked: Asked, *entities: str) -> None:
    await journal.record(services.desk, asked.visit, "read", Touched(entities, asked.request.url.path.lstrip("/")))


def _with_event(commit: Commit, event: Any) -> Commit:
    return replace(commit, events=(*commit.events, event))
