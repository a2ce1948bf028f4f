"""What happened to one resource, to all of a type, to all there are: a history Bundle, newest first.

https://hl7.org/fhir/R4/http.html#history
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from fhir_gateway.api.answer import Answer, etag
from fhir_gateway.api.door import Asked
from fhir_gateway.api.negotiation import PRESENTATION, SUBSETS
from fhir_gateway.api.presentation import part
from fhir_gateway.api.resources import known_type
from fhir_gateway.api.services import Services
from fhir_gateway.fhir.bundle import Entry, Header, Response
from fhir_gateway.fhir.bundle import history as history_bundle
from fhir_gateway.fhir.subset import Subset, wanted
from fhir_gateway.problem import BadRequest, NotSupported
from fhir_gateway.records import history as records
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.history import Chapter
from fhir_gateway.search.cursor import CURSOR
from fhir_gateway.search.kinds.date import requested
from fhir_gateway.store.port import Timeline, Version

KNOWN = ("_count", "_since", "_at", CURSOR)

# A random UUID, as records/targets assigns them; adapters name theirs by content, in another version of UUID.
_MADE_UP = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_YEAR_ONE = datetime(1, 1, 1, tzinfo=UTC)


async def history(services: Services, asked: Asked) -> Answer:
    """The versions of one resource."""
    type_ = known_type(asked.path("type"))
    return await _told(services, asked, type_, f"{type_}/{asked.path('id')}")


async def history_of_type(services: Services, asked: Asked) -> Answer:
    """The versions of all resources of a type."""
    return await _told(services, asked, known_type(asked.path("type")), None)


async def history_of_all(services: Services, asked: Asked) -> Answer:
    """The versions of all resources but AuditEvents, which have a history of their type."""
    return await _told(services, asked, None, None)


async def _told(services: Services, asked: Asked, type_: str | None, reference: str | None) -> Answer:
    desk, texts = services.desk, _texts(asked)
    subset = wanted(asked.pairs, type_)
    size = min(_count(texts.get("_count"), desk.page_size), desk.page_limit)
    size = 0 if subset.summary == "count" else size
    timeline = Timeline(size, type_, reference, _since(texts.get("_since")), _during(texts.get("_at")))
    chapter = await records.history(desk, asked.visit, timeline, texts.get(CURSOR))
    address = "/".join(filter(None, (desk.base_url, reference or type_, "_history")))
    header = Header(chapter.total, _links(address, asked, chapter), timestamp=desk.now())
    return Answer(200, history_bundle([_entry(desk, version, subset) for version in chapter.versions], header))


def _texts(asked: Asked) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, value in asked.pairs:
        if name in PRESENTATION or name in SUBSETS:
            continue
        if name not in KNOWN:
            raise NotSupported(f"history takes {', '.join(name for name in KNOWN if name != CURSOR)}", name[:64])
        if name in found:
            raise BadRequest("the parameter is given more than once", name)
        found[name] = value
    return found


def _count(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise BadRequest("must be a whole number", "_count")
    return int(text)


def _since(text: str | None) -> datetime | None:
    return None if text is None else _moment(requested(text, "_since")[0])


def _during(text: str | None) -> tuple[datetime, datetime] | None:
    if text is None:
        return None
    start, end = requested(text, "_at")
    return _moment(start), _moment(max(end, start + 1000))


def _moment(microseconds: int) -> datetime:
    try:
        return _YEAR_ONE + timedelta(microseconds=microseconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def _links(address: str, asked: Asked, chapter: Chapter) -> list[tuple[str, str]]:
    used = [pair for pair in asked.pairs if pair[0] != CURSOR]
    links = [("self", _url(address, asked.pairs)), ("first", _url(address, used))]
    around = (("previous", chapter.preceding), ("next", chapter.following))
    return [*links, *((name, _url(address, [*used, (CURSOR, cursor)])) for name, cursor in around if cursor)]


def _url(address: str, pairs: list[tuple[str, str]]) -> str:
    return f"{address}?{urlencode(pairs, safe=':')}" if pairs else address


def _entry(desk: Desk, version: Version, subset: Subset) -> Entry:
    status = "204 No Content" if version.deleted else "201 Created" if version.number == 1 else "200 OK"
    return Entry(
        part(version.body, subset),
        f"{desk.base_url}/{version.reference}",
        request=_request(version),
        response=Response(status, etag=etag(version), modified=version.updated),
    )


def _request(version: Version) -> tuple[str, str]:
    """What led to the version; an id that was made up here came of a create."""
    if version.deleted:
        return "DELETE", version.reference
    if version.number == 1 and _MADE_UP.fullmatch(version.id):
        return "POST", version.type
    return "PUT", version.reference
