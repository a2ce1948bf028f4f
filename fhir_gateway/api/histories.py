"""The versions of one resource as a history Bundle, newest first, a page at a time.

https://hl7.org/fhir/R4/http.html#history
"""

from collections.abc import Mapping

from fhir_gateway.api.answer import Answer, etag
from fhir_gateway.api.door import Asked
from fhir_gateway.api.negotiation import without_presentation
from fhir_gateway.api.resources import known_type
from fhir_gateway.api.services import Services
from fhir_gateway.fhir.bundle import Entry, Header, Response
from fhir_gateway.fhir.bundle import history as history_bundle
from fhir_gateway.problem import BadRequest, NotSupported
from fhir_gateway.records import read as records
from fhir_gateway.records.desk import Desk
from fhir_gateway.store.port import Version

BEFORE = "_before"
KNOWN = ("_count", BEFORE)


async def history(services: Services, asked: Asked) -> Answer:
    """A page of versions; ``_before`` is the version number the page before ended with."""
    desk, reference = services.desk, f"{known_type(asked.path('type'))}/{asked.path('id')}"
    asked_for = _numbers(asked)
    size = min(asked_for.get("_count", desk.page_size), desk.page_limit)
    newest, versions = await records.history(desk, asked.visit, reference, asked_for.get(BEFORE), size)
    links = _links(desk, reference, asked_for | {"_count": size}, versions)
    header = Header(newest.number, links, timestamp=desk.now())
    return Answer(200, history_bundle((_entry(desk, version) for version in versions), header))


def _numbers(asked: Asked) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, value in without_presentation(asked.pairs):
        if name not in KNOWN:
            raise NotSupported(f"history takes {' and '.join(KNOWN)}", name[:64])
        if not value.isascii() or not value.isdecimal() or len(value) > 9:
            raise BadRequest("must be a whole number", name)
        found[name] = int(value)
    return found


def _links(desk: Desk, reference: str, used: Mapping[str, int], versions: list[Version]) -> list[tuple[str, str]]:
    base = f"{desk.base_url}/{reference}/_history"
    query = "&".join(f"{name}={value}" for name, value in used.items())
    links = [("self", f"{base}?{query}"), ("first", f"{base}?_count={used['_count']}")]
    if versions and versions[-1].number > 1:
        links.append(("next", f"{base}?_count={used['_count']}&{BEFORE}={versions[-1].number}"))
    return links


def _entry(desk: Desk, version: Version) -> Entry:
    method = "DELETE" if version.deleted else "PUT"
    status = "204 No Content" if version.deleted else "201 Created" if version.number == 1 else "200 OK"
    return Entry(
        version.body,
        f"{desk.base_url}/{version.reference}",
        request=(method, version.reference),
        response=Response(status, etag=etag(version), modified=version.updated),
    )
