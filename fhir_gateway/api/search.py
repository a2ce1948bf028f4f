"""Search by GET and by POST: a searchset Bundle joined from stored texts.

https://hl7.org/fhir/R4/http.html#search
"""

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlencode

from fhir_gateway.api.answer import Answer, preference
from fhir_gateway.api.door import Asked
from fhir_gateway.api.negotiation import FORM, Pairs, arguments, form, without_subsets
from fhir_gateway.api.presentation import part
from fhir_gateway.api.resources import known_type
from fhir_gateway.api.services import Services
from fhir_gateway.fhir.bundle import Entry, Header, searchset
from fhir_gateway.fhir.subset import Subset, wanted
from fhir_gateway.problem import BadRequest
from fhir_gateway.records import find
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.find import Page
from fhir_gateway.records.ground import EVERYTHING, Ground
from fhir_gateway.records.nearness import distance_told
from fhir_gateway.search.cursor import CURSOR

_PLAIN = ":/|,$"


async def search(services: Services, asked: Asked) -> Answer:
    """GET [base]/[type]?..., [base]?..., [base]/[compartment]/[id]/[type]?..."""
    return await _found(services, asked, asked.pairs)


async def search_by_form(services: Services, asked: Asked) -> Answer:
    """POST to any of these with /_search: the arguments of the URL and those of the form together."""
    sent = await asked.body(services.limits.form, frozenset({FORM}))
    pairs = [*asked.pairs, *arguments(sent, services.limits.parameters)]
    wanted_form = form(asked.headers.get("accept", ""), pairs)
    return replace(await _found(services, asked, pairs), form=wanted_form)


async def _found(services: Services, asked: Asked, pairs: Pairs) -> Answer:
    ground = _ground(asked)
    lenient = preference(asked.headers, "handling") == "lenient"
    subset = _subset(pairs, ground.type or None)
    page = await find.search_on(services.desk, asked.visit, ground, without_subsets(pairs), lenient)
    position = next((value for name, value in pairs if name == CURSOR), "")
    shown = [pair for pair in pairs if pair not in without_subsets(pairs)]
    header = Header(page.total, _links(services.desk, page, position, shown))
    return Answer(200, searchset(_entries(services.desk, page, subset), header))


def _ground(asked: Asked) -> Ground:
    """Where the address says to look; ``inner`` is the type within a compartment, or any."""
    if "type" not in asked.params:
        return Ground()
    type_ = known_type(asked.path("type"))
    if "id" not in asked.params:
        return Ground(type_)
    inner = asked.params.get("inner", EVERYTHING)
    return Ground("" if inner == EVERYTHING else known_type(inner), f"{type_}/{asked.path('id')}")


def _subset(pairs: Pairs, type_: str | None) -> Subset:
    subset = wanted(pairs, type_)
    if subset.summary == "text" and any(name.startswith(("_include", "_revinclude")) for name, _ in pairs):
        raise BadRequest("_summary=text goes with neither _include nor _revinclude", "_summary")
    return subset


def _entries(desk: Desk, page: Page, subset: Subset) -> Iterator[Entry]:
    for mode, versions, kept in (("match", page.matches, subset), ("include", page.included, subset.beside())):
        for version in versions:
            told = distance_told(page.query.criteria, version.body) if mode == "match" else ()
            yield Entry(part(version.body, kept), f"{desk.base_url}/{version.reference}", mode, told=told)
    if page.explanation:
        yield Entry(page.explanation, "", "outcome")


def _links(desk: Desk, page: Page, position: str, shown: Pairs) -> list[tuple[str, str]]:
    """The self link shows what was understood, which with lenient handling may be less than was asked."""
    base, used = f"{desk.base_url}/{page.path}".rstrip("/"), urlencode([*page.query.used, *shown], safe=_PLAIN)
    around = [("next", page.following), ("previous", page.preceding)]
    known = [("self", position), ("first", ""), *((relation, there) for relation, there in around if there)]
    return [(relation, _url(base, used, there)) for relation, there in known]


def _url(base: str, used: str, position: str) -> str:
    query = "&".join(part for part in (used, urlencode({CURSOR: position}) if position else "") if part)
    return f"{base}?{query}" if query else base
