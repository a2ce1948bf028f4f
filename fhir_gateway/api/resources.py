"""One resource: read, vread, history, create, update, delete.

https://hl7.org/fhir/R4/http.html#3.1.0
"""

from dataclasses import replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlencode

from starlette.datastructures import Headers

from fhir_gateway.api.answer import Answer, deleted, etag, of_version, preference, written
from fhir_gateway.api.door import Asked
from fhir_gateway.api.negotiation import (
    FHIR_JSON,
    FHIR_XML,
    JSON_TYPES,
    PRESENTATION,
    SUBSETS,
    XML_TYPES,
    must_send,
    without_presentation,
)
from fhir_gateway.api.presentation import part
from fhir_gateway.api.services import Services
from fhir_gateway.fhir.definitions import resource_types
from fhir_gateway.fhir.patch import document
from fhir_gateway.fhir.resource import Resource, is_id
from fhir_gateway.fhir.subset import Subset, wanted
from fhir_gateway.problem import BadRequest, NotFound, NotSupported
from fhir_gateway.records import read as records
from fhir_gateway.records import write
from fhir_gateway.records.step import Step, version_number
from fhir_gateway.store.port import Version

PATCHES = {
    **{kind: kind for kind in document.MEDIA_TYPES},
    **dict.fromkeys(JSON_TYPES - {FHIR_JSON}, document.ANY_JSON),
    **dict.fromkeys(XML_TYPES, FHIR_XML),
}


async def read(services: Services, asked: Asked) -> Answer:
    """The newest version; 304 when the client has it."""
    type_, identity = _place(asked)
    subset = _subset(asked, type_)
    version = await records.read(services.desk, asked.visit, type_, identity)
    return _cut(unless_known(version, asked.headers), subset)


async def vread(services: Services, asked: Asked) -> Answer:
    """A version by its number."""
    type_, identity = _place(asked)
    subset = _subset(asked, type_)
    number = asked.path("version")
    if not number.isascii() or not number.isdecimal() or len(number) > 9:
        raise NotFound("versions are numbered 1, 2, 3 ...", "Resource.meta.versionId")
    version = await records.vread(services.desk, asked.visit, f"{type_}/{identity}", int(number))
    return _cut(unless_known(version, asked.headers), subset)


async def create(services: Services, asked: Asked) -> Answer:
    """A new resource under an id of ours; with If-None-Exist only where nothing matches."""
    type_ = known_type(asked.path("type"))
    return await create_from(services, asked, await sent(services, asked, type_))


async def create_from(services: Services, asked: Asked, resource: Resource) -> Answer:
    """The same of a resource that was read from the body already."""
    result = await write.create(services.desk, asked.visit, resource, _unless(asked))
    assert result.version is not None
    return written(services.desk, result.version, result.status, _wanted(asked))


async def update(services: Services, asked: Asked) -> Answer:
    """The next version of a resource, or its first under the client's id."""
    type_, _ = _place(asked)
    return await update_from(services, asked, await sent(services, asked, type_))


async def update_from(services: Services, asked: Asked, resource: Resource) -> Answer:
    """The same of a resource that was read from the body already."""
    type_, identity = _place(asked)
    _no_arguments(asked)
    result = await write.update(services.desk, asked.visit, f"{type_}/{identity}", resource, _replacing(asked))
    assert result.version is not None
    return written(services.desk, result.version, result.status, _wanted(asked))


async def delete(services: Services, asked: Asked) -> Answer:
    """A deletion: the history stays."""
    type_, identity = _place(asked)
    _no_arguments(asked)
    number = version_number(asked.headers.get("if-match"))
    await write.delete(services.desk, asked.visit, f"{type_}/{identity}", number)
    return deleted(_wanted(asked))


async def update_matching(services: Services, asked: Asked) -> Answer:
    """The next version of the one resource that meets the condition, or a new one when none does."""
    type_ = known_type(asked.path("type"))
    resource = await sent(services, asked, type_)
    number = version_number(asked.headers.get("if-match"))
    step = Step("PUT", type_, None, _condition(asked), resource, number)
    (result,) = await write.run(services.desk, asked.visit, [step], "update")
    assert result.version is not None
    return written(services.desk, result.version, result.status, _wanted(asked))


async def patch(services: Services, asked: Asked) -> Answer:
    """The newest version, changed by a JSON Patch, JSON Merge Patch, FHIRPath Patch or XML Patch."""
    type_, identity = _place(asked)
    _no_arguments(asked)
    return await _patched(services, asked, (type_, identity, None))


async def patch_matching(services: Services, asked: Asked) -> Answer:
    """The same for the one resource that meets the condition."""
    return await _patched(services, asked, (known_type(asked.path("type")), None, _condition(asked)))


async def _patched(services: Services, asked: Asked, target: tuple[str, str | None, str | None]) -> Answer:
    type_, identity, condition = target
    media_type = must_send(asked.headers.get("content-type", ""), frozenset(PATCHES))
    change = document.read(PATCHES[media_type], await asked.body(services.limits.body, frozenset(PATCHES)))
    number = version_number(asked.headers.get("if-match"))
    step = Step("PATCH", type_, identity, condition, if_match=number, patch=change)
    result = await write.patch(services.desk, asked.visit, step)
    assert result.version is not None
    return written(services.desk, result.version, result.status, _wanted(asked))


async def delete_matching(services: Services, asked: Asked) -> Answer:
    """The deletion of what meets the condition, of one resource or of several as the policy says."""
    type_, limit = known_type(asked.path("type")), services.limits.deletions
    if limit > 1:
        await write.delete_all(services.desk, asked.visit, type_, _condition(asked), limit)
        return deleted(_wanted(asked))
    step = Step("DELETE", type_, None, _condition(asked))
    await write.run(services.desk, asked.visit, [step], "delete")
    return deleted(_wanted(asked))


def known_type(type_: str) -> str:
    """The type of a URL; NotFound when R4 has no such type."""
    if type_ not in resource_types():
        raise NotFound("FHIR R4 has no resource type of this name", "url")
    return type_


def unless_known(version: Version, headers: Headers) -> Answer:
    """The version, or 304 when the client's copy is as new. If-None-Match outranks If-Modified-Since."""
    answer = of_version(version)
    return Answer(304, headers=answer.headers) if _known(version, headers) else answer


def _known(version: Version, headers: Headers) -> bool:
    tags = headers.get("if-none-match")
    if tags is not None:
        return tags.strip() == "*" or etag(version) in (tag.strip() for tag in tags.split(","))
    since = headers.get("if-modified-since")
    moment = _date(since) if since else None
    return moment is not None and version.updated.replace(microsecond=0) <= moment


def _date(text: str) -> datetime | None:
    """An HTTP date, or an instant as in a Bundle; None for anything else, which HTTP tells servers to ignore."""
    try:
        moment = datetime.fromisoformat(text) if text[:1].isdigit() and "T" in text else parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _place(asked: Asked) -> tuple[str, str]:
    type_, identity = known_type(asked.path("type")), asked.path("id")
    if not is_id(identity):
        raise BadRequest("an id has 1 to 64 letters, digits, - and .", "url")
    return type_, identity


def _no_arguments(asked: Asked, allowed: frozenset[str] = PRESENTATION) -> None:
    for name, _ in asked.pairs:
        if name not in allowed:
            raise NotSupported(f"this interaction takes no parameters but {', '.join(sorted(allowed))}", name[:64])


def _unless(asked: Asked) -> str | None:
    """The condition that spares a create: the header If-None-Exist, or the URL, where some clients write it."""
    header, url = asked.headers.get("if-none-exist"), _condition(asked)
    if header is None:
        return url or None
    if url:
        raise BadRequest("a create takes one condition: the header If-None-Exist, or the URL", "If-None-Exist")
    return header.partition("?")[2] or header


def _subset(asked: Asked, type_: str) -> Subset:
    _no_arguments(asked, PRESENTATION | SUBSETS)
    subset = wanted(asked.pairs, type_)
    if subset.summary == "count":
        raise BadRequest("_summary=count is for searches", "_summary")
    return subset


def _cut(answer: Answer, subset: Subset) -> Answer:
    return answer if subset.is_whole else replace(answer, body=part(answer.body, subset))


async def sent(services: Services, asked: Asked, type_: str) -> Resource:
    """The resource in the body. Raises BadRequest unless it is of the type."""
    # A Bundle is kept to the letter: it may be a signed document.
    resource = await asked.resource(services.limits.body, "" if type_ == "Bundle" else services.desk.base_url)
    if resource["resourceType"] != type_:
        raise BadRequest("the resource is of another type than the url", "resourceType")
    return resource


def _replacing(asked: Asked) -> int | None:
    """The version an update must replace; 0 with ``If-None-Match: *``, which wants to create."""
    unless = asked.headers.get("if-none-match")
    if unless is None:
        return version_number(asked.headers.get("if-match"))
    if unless.strip() != "*":
        raise NotSupported("an update takes If-None-Match with * only", "If-None-Match")
    return 0


def _condition(asked: Asked) -> str:
    return urlencode(without_presentation(asked.pairs))


def _wanted(asked: Asked) -> str:
    return preference(asked.headers, "return") or "representation"
