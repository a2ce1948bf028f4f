"""Whether all that a hospital sent is here: the signed statement of a day, and the state of all feeds.

https://hl7.org/fhir/R4/provenance-definitions.html#Provenance.signature
"""

from dataclasses import dataclass

from starlette.routing import Route

from fhir_gateway.api.answer import Answer
from fhir_gateway.api.completeness_page import feeds_page, statement_page
from fhir_gateway.api.door import Action, Asked, Door
from fhir_gateway.api.pages import wants_page
from fhir_gateway.api.services import Services
from fhir_gateway.exchange.completeness import asked_day, signed, statement
from fhir_gateway.exchange.feeds import Feeds
from fhir_gateway.fhir.codec import encode
from fhir_gateway.problem import Forbidden
from fhir_gateway.records import journal
from fhir_gateway.records.journal import Touched
from fhir_gateway.security.access import WATCHERS, is_sender, may_ingest
from fhir_gateway.security.caller import Caller

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class CompletenessDoors:
    """The handlers. Its routes come before those of receipts, whose numbers never spell their names."""

    feeds: Feeds

    def routes(self, services: Services) -> list[Route]:
        actions = {
            "/ingest/{hospital}/completeness": self.statement,
            "/exchange/feeds": self.all,
        }
        return [
            Route(path, Door(services, path, {"GET": Action("read", act, raw=True)})) for path, act in actions.items()
        ]

    async def statement(self, services: Services, asked: Asked) -> Answer:
        """``GET /ingest/{hospital}/completeness?date=``: what came that day and what became of it, signed."""
        name = asked.path("hospital")
        _may_see(asked.visit.caller, name)
        house = self.feeds.house
        hospital = house.directory.hospital(name)
        day = asked_day(hospital, dict(asked.pairs).get("date", ""), house.clock())
        told = signed(house, await statement(house, hospital, day))
        await _audited(services, asked)
        if not wants_page(asked):
            return Answer(200, encode(told), media_type=JSON)
        await self.feeds.fresh()
        feed = self.feeds.current.get(name)
        silent = feed.plain()["silent"] if feed and feed.when.isoformat() == told["date"] else None
        return statement_page(told, silent)

    async def all(self, services: Services, asked: Asked) -> Answer:
        """``GET /exchange/feeds``: the feeds that the caller may see, as of the last look."""
        await self.feeds.fresh()
        seen = [feed.plain() for feed in self.feeds.current.values() if _sees(asked.visit.caller, feed.hospital.name)]
        if not seen:
            raise Forbidden("no feed is yours to look at")
        await _audited(services, asked)
        return feeds_page(seen) if wants_page(asked) else Answer(200, encode({"feeds": seen}), media_type=JSON)


def _may_see(caller: Caller, hospital: str) -> None:
    if caller.role not in WATCHERS:
        may_ingest(caller, hospital)


def _sees(caller: Caller, hospital: str) -> bool:
    return caller.role in WATCHERS or is_sender(caller, hospital)


async def _audited(services: Services, asked: Asked) -> None:
    await journal.record(services.desk, asked.visit, "read", Touched((), asked.request.url.path.lstrip("/")))
