"""What became of a message: receipts, ledgers and originals, as JSON or as pages; corrections and replays.

https://hl7.org/fhir/R4/operationoutcome.html
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from starlette.routing import Route

from fhir_gateway.api.answer import Answer
from fhir_gateway.api.binary import AS_A_FILE
from fhir_gateway.api.door import Act, Action, Asked, Door
from fhir_gateway.api.ledger_page import Lines, ledger_page
from fhir_gateway.api.negotiation import body, without_presentation
from fhir_gateway.api.pages import wants_page
from fhir_gateway.api.receipt_page import Viewpoint, receipt_page
from fhir_gateway.api.services import Services
from fhir_gateway.exchange import ledgers
from fhir_gateway.exchange.correction import Correction, correct
from fhir_gateway.exchange.inbox import Receipt, State
from fhir_gateway.exchange.lanes import Bell
from fhir_gateway.exchange.ledgers import FATES, Row
from fhir_gateway.exchange.reception import Reception
from fhir_gateway.exchange.replay import Replay, wanted
from fhir_gateway.exchange.translation import Adapters
from fhir_gateway.fhir.codec import decode, encode
from fhir_gateway.problem import BadRequest, Malformed
from fhir_gateway.records import journal
from fhir_gateway.records.journal import Touched
from fhir_gateway.security.access import may_ingest
from fhir_gateway.security.audit import Act as Deed

JSON = "application/json"
FILTERS = ("fate", "place", "start")


@dataclass(frozen=True, slots=True)
class ReceiptDoors:
    """The handlers; ``remapping`` wakes who maps stored messages again."""

    reception: Reception
    adapters: Adapters
    remapping: Bell

    def routes(self, services: Services) -> list[Route]:
        """Every path of receipts."""
        table: list[tuple[str, dict[str, tuple[str, Act]]]] = [
            ("/ingest/{hospital}/{receipt}", {"GET": ("read", self.receipt)}),
            ("/ingest/{hospital}/{receipt}/retry", {"POST": ("ingest", self.retry)}),
            ("/ingest/{hospital}/{receipt}/corrected", {"POST": ("ingest", self.corrected)}),
            ("/ingest/{hospital}/{receipt}/ledger", {"GET": ("read", self.ledger)}),
            ("/ingest/{hospital}/{receipt}/original", {"GET": ("read", self.original)}),
            ("/exchange/replay", {"POST": ("ingest", self.replay)}),
        ]
        return [
            Route(path, Door(services, path, {method: Action(*action, raw=True) for method, action in actions.items()}))
            for path, actions in table
        ]

    async def receipt(self, services: Services, asked: Asked) -> Answer:
        """``GET /ingest/{hospital}/{receipt}``: received, stored or quarantined, with everything known."""
        found = await self._receipt(asked)
        if not wants_page(asked):
            await audited(services, asked)
            return answered(found.content())
        rows: Sequence[Row] = ()
        if found.problems and found.ledger:
            rows = (await ledgers.opened(self.reception.inbox, self.adapters, found)).rows
        await audited(services, asked)
        return receipt_page(found, rows, Viewpoint(self._offset(asked), services.desk.base_url.removesuffix("/fhir")))

    async def ledger(self, services: Services, asked: Asked) -> Answer:
        """``GET /ingest/{hospital}/{receipt}/ledger``: every source field; ``?fate=``, ``?place=``."""
        given = _filters(asked)
        found = await self._receipt(asked)
        message = await ledgers.opened(self.reception.inbox, self.adapters, found)
        await audited(services, asked)
        counts = ledgers.counts(message.rows)
        rows = [row for row in message.rows if _is_wanted(row, given)]
        if wants_page(asked):
            return ledger_page(found, Lines(counts, rows, given), self._offset(asked))
        told = {"receipt": found.receipt, "mapping": found.mapping, "counts": counts}
        return answered({**told, "accounts": rows[int(given.get("start", "0")) :]})

    async def retry(self, services: Services, asked: Asked) -> Answer:
        """``POST /ingest/{hospital}/{receipt}/retry``: translate a quarantined message again, as after a correction."""
        letters, house = self.reception.inbox, self.reception.house
        found = await self._receipt(asked)
        again = await letters.retry(found, house.clock(), house.event(_deed(asked)))
        self.reception.bell.ring()
        return answered(again.content(), 202)

    async def corrected(self, services: Services, asked: Asked) -> Answer:
        """``POST /ingest/{hospital}/{receipt}/corrected`` with the corrected bytes: both messages are kept."""
        wrong = await self._receipt(asked)
        media_type = asked.headers.get("content-type", wrong.media_type)
        content = await body(asked.request, self.reception.inbox.limit)
        house = self.reception.house
        correction = Correction(wrong, media_type, content)
        right, repeated = await correct(self.reception.inbox, correction, house.clock(), house.event(_deed(asked)))
        self.reception.bell.ring()
        return answered({**right.content(), "repeated": repeated}, 202, (("location", f"/ingest/{right.key}"),))

    async def original(self, services: Services, asked: Asked) -> Answer:
        """``GET /ingest/{hospital}/{receipt}/original``: the bytes exactly as they came."""
        media_type, content = await self.reception.inbox.original(self._hospital(asked), asked.path("receipt"))
        await audited(services, asked)
        # A sender chooses the media type: a browser saves the file and runs nothing in it.
        return Answer(200, bytes(content), AS_A_FILE, media_type)

    async def replay(self, services: Services, asked: Asked) -> Answer:
        """``POST /exchange/replay`` with a query as JSON: every message it meets is put to work again.

        As on the command line these are the quarantined ones, unless ``state`` says otherwise; ``""`` is both states.
        """
        given = decode(await body(asked.request, services.limits.body) or b"{}")
        if not isinstance(given, dict):
            raise Malformed("the body must be a JSON object", "body")
        dry_run = given.pop("dry_run", False)
        if not isinstance(dry_run, bool):
            raise BadRequest("must be true or false", "dry_run")
        wish = wanted({"state": str(State.QUARANTINED), **given})
        owed = await Replay(self.reception.house, self.reception.inbox, asked.visit.caller).all(wish, dry_run)
        await audited(services, asked)
        self.reception.bell.ring()
        self.remapping.ring()
        return answered({**asdict(owed), "dry_run": dry_run}, 200 if dry_run else 202)

    async def _receipt(self, asked: Asked) -> Receipt:
        return await self.reception.inbox.receipt(self._hospital(asked), asked.path("receipt"))

    def _offset(self, asked: Asked) -> str:
        return self.reception.house.directory.hospital(asked.path("hospital")).offset

    def _hospital(self, asked: Asked) -> str:
        hospital = asked.path("hospital")
        may_ingest(asked.visit.caller, hospital)
        return self.reception.house.directory.hospital(hospital).name


def _filters(asked: Asked) -> dict[str, str]:
    """The filter of a ledger. Raises BadRequest for a name or a fate there is not."""
    given = dict(without_presentation(asked.pairs))
    unknown = next((name for name in given if name not in FILTERS), None)
    if unknown is not None:
        raise BadRequest(f"a ledger is filtered by {', '.join(FILTERS)}", unknown[:60])
    if given.get("fate", FATES[0]) not in FATES:
        raise BadRequest(f"a fate is one of {', '.join(FATES)}", "fate")
    if not given.get("start", "0").isdecimal():
        raise BadRequest("is a number", "start")
    return given


def _is_wanted(row: Row, given: dict[str, str]) -> bool:
    return given.get("fate", row["fate"]) == row["fate"] and given.get("place", "") in row["place"]


def answered(value: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """Plain values as JSON."""
    return Answer(status, encode(value), headers, JSON)


async def audited(services: Services, asked: Asked, *entities: str) -> None:
    await journal.record(services.desk, asked.visit, "read", Touched(entities, asked.request.url.path.lstrip("/")))


def _deed(asked: Asked) -> Deed:
    visit = asked.visit
    return Deed("ingest", visit.caller, 202, visit.address, query=asked.request.url.path.lstrip("/"))
