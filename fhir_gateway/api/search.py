"""Search by GET and by POST: a searchset Bundle joined from stored texts.

https://hl7.org/fhir/R4/http.html#search
"""

from collections.abc import Iterator
from urllib.parse import urlencode

from fhir_gateway.api.answer import Answer, preference
from fhir_gateway.api.door import Asked
from fhir_gateway.api.negotiation import FORM, Pairs, arguments, must_accept, wanted_format, without_presentation
from fhir_gateway.api.resources import known_type
from fhir_gateway.api.services import Services
from fhir_gateway.fhir.bundle import Entry, Header, searchset
from fhir_gateway.records import find
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.find import CURSOR, Page


async def search(services: Services, asked: Asked) -> Answer:
    """GET [base]/[type]?..."""
    return await _found(services, asked, asked.pairs)


async def search_by_form(services: Services, asked: Asked) -> Answer:
    """POST [base]/[type]/_search: the arguments of the URL and those of the form together."""
    form = await asked.body(services.limits.form, frozenset({FORM}))
    pairs = [*asked.pairs, *arguments(form, services.limits.parameters)]
    must_accept(asked.headers.get("accept", ""), wanted_format(pairs))
    return await _found(services, asked, pairs)


async def _found(services: Services, asked: Asked, pairs: Pairs) -> Answer:
    type_ = known_type(asked.path("type"))
    lenient = preference(asked.headers, "handling") == "lenient"
    page = await find.search(services.desk, asked.visit, type_, without_presentation(pairs), lenient)
    position = next((value for name, value in pairs if name == CURSOR), "")
    header = Header(page.total, _links(services.desk, page, position))
    return Answer(200, searchset(_entries(services.desk, page), header))


def _entries(desk: Desk, page: Page) -> Iterator[Entry]:
    for mode, versions in (("match", page.matches), ("include", page.included)):
        for version in versions:
            yield Entry(version.body, f"{desk.base_url}/{version.reference}", mode)


def _links(desk: Desk, page: Page, position: str) -> list[tuple[str, str]]:
    """The self link shows what was understood, which with lenient handling may be less than was asked."""
    base, used = f"{desk.base_url}/{page.query.type}", list(page.query.used)
    links = [("self", _url(base, used, position)), ("first", _url(base, used, ""))]
    return [*links, ("next", _url(base, used, page.following))] if page.following else links


def _url(base: str, used: Pairs, position: str) -> str:
    query = urlencode([*used, (CURSOR, position)] if position else used, safe=":/|,$")
    return f"{base}?{query}" if query else base
