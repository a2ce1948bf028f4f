"""A patient's record as a whole: everything, the summary, a document, the newest of each observation.

https://hl7.org/fhir/R4/operationslist.html
"""

from collections.abc import Iterable, Iterator
from urllib.parse import urlencode

from fhir_gateway.api.answer import Answer
from fhir_gateway.api.asked import answered, asked_with, reference
from fhir_gateway.api.door import Asked
from fhir_gateway.api.negotiation import Pairs
from fhir_gateway.api.services import Services
from fhir_gateway.fhir.bundle import Entry, Header, searchset
from fhir_gateway.fhir.parameters import Arguments
from fhir_gateway.problem import BadRequest
from fhir_gateway.records import document as documents
from fhir_gateway.records import everything as charts
from fhir_gateway.records import lastn as latest
from fhir_gateway.records import summary as summaries
from fhir_gateway.records.care_dates import care
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.everything import Portion, Wish
from fhir_gateway.search.cursor import CURSOR
from fhir_gateway.store.port import Version


async def everything(services: Services, asked: Asked) -> Answer:
    """Patient/$everything and Encounter/$everything."""
    given = await asked_with(services, asked)
    given.only({"_since", "_type", "_count", "start", "end", CURSOR})
    wish = Wish(
        charts.known_types(given.texts("_type")),
        given.instant("_since"),
        given.number("_count"),
        given.text(CURSOR) or "",
        care(given.text("start"), given.text("end")),
    )
    portion = await charts.everything(services.desk, asked.visit, reference(asked), wish)
    whole = not wish.position and not portion.following
    header = Header(len(portion.matches) if whole else None, _links(services.desk, asked, given, portion))
    return Answer(200, searchset(_entries(services.desk, portion), header))


def _links(desk: Desk, asked: Asked, given: Arguments, portion: Portion) -> list[tuple[str, str]]:
    base = f"{desk.base_url}/{reference(asked)}/$everything"
    pairs = [(name, str(value)) for name, value in given.entries if name != CURSOR]
    links = [("self", _url(base, [(name, str(value)) for name, value in given.entries]))]
    return [*links, ("next", _url(base, [*pairs, (CURSOR, portion.following)]))] if portion.following else links


def _url(base: str, pairs: Pairs) -> str:
    return f"{base}?{urlencode(pairs, safe=':/|,$')}" if pairs else base


def _entries(desk: Desk, portion: Portion) -> Iterator[Entry]:
    yield from _listed(desk, portion.matches, "match")
    yield from _listed(desk, portion.included, "include")


def _listed(desk: Desk, versions: Iterable[Version], mode: str) -> Iterator[Entry]:
    return (Entry(version.body, f"{desk.base_url}/{version.reference}", mode) for version in versions)


async def lastn(services: Services, asked: Asked) -> Answer:
    """Observation/$lastn: ``max`` of each code, and search parameters that narrow it."""
    given = await asked_with(services, asked)
    maximum = given.number("max")
    if maximum == 0:
        raise BadRequest("'max' needs a whole number from 1", "max")
    pairs = [(name, str(value)) for name, value in given.entries if name != "max"]
    found = await latest.lastn(services.desk, asked.visit, pairs, maximum or 1)
    link = ("self", _url(f"{services.desk.base_url}/Observation/$lastn", [(n, str(v)) for n, v in given.entries]))
    return Answer(200, searchset(_listed(services.desk, found, "match"), Header(len(found), [link])))


async def document(services: Services, asked: Asked) -> Answer:
    """Composition/$document; ``persist`` keeps the Bundle."""
    given = await asked_with(services, asked)
    given.only({"persist"}, {"graph", "id"})
    persist = given.flag("persist")
    made = await documents.document(services.desk, asked.visit, asked.path("id"), persist=persist)
    return answered(made)


async def summary(services: Services, asked: Asked) -> Answer:
    """Patient/[id]/$summary."""
    given = await asked_with(services, asked)
    given.only((), {"profile", "graph"})
    return answered(await summaries.summary(services.desk, asked.visit, asked.path("id")))


async def summary_of_identifier(services: Services, asked: Asked) -> Answer:
    """Patient/$summary?identifier=system|value."""
    given = await asked_with(services, asked)
    given.only({"identifier"}, {"profile", "graph"})
    identity = await summaries.identified(services.desk, asked.visit, _token(given))
    return answered(await summaries.summary(services.desk, asked.visit, identity))


def _token(given: Arguments) -> str:
    """The identifier as a search writes it; in Parameters it may be an Identifier."""
    found = given.all("identifier")
    if len(found) == 1 and isinstance(found[0], dict) and "value" in found[0]:
        return f"{found[0].get('system', '')}|{found[0]['value']}"
    return given.needed("identifier")
