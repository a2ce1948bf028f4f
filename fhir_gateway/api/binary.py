"""A Binary as the content it holds: sent and fetched in its own media type, or as a resource by who asks for FHIR.

https://hl7.org/fhir/R4/binary.html#rest
"""

import base64
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from fhir_gateway.api import resources
from fhir_gateway.api.answer import Answer
from fhir_gateway.api.door import Asked, Door
from fhir_gateway.api.negotiation import FHIR_JSON, FHIR_XML, JSON_TYPES, XML_TYPES, body, form
from fhir_gateway.api.services import Services
from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import BadRequest, UnsupportedMedia

TYPE = "Binary"
SECURITY_CONTEXT = "x-security-context"
# A browser shows what is stored here as nothing but a file.
AS_A_FILE = (
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", "sandbox; default-src 'none'"),
    ("content-disposition", "attachment"),
)
_MEDIA_TYPE = re.compile(r"[\w.+!#$&^-]{1,127}/[\w.+!#$&^-]{1,127}(\s*;[^\x00-\x1f\x7f-\U0010ffff]{0,200})?", re.ASCII)
_RESOURCE = re.compile(rb"\A\s*(<\?[^>]*>\s*)*<(\w+:)?Binary\b")

Act = Callable[[Services, Asked], Awaitable[Answer]]


async def read(services: Services, asked: Asked) -> Answer:
    """The content of a Binary; the resource for those who ask for FHIR, JSON or XML, or for nothing in particular."""
    return await _fetched(resources.read, services, asked)


async def vread(services: Services, asked: Asked) -> Answer:
    """The content of a version."""
    return await _fetched(resources.vread, services, asked)


async def create(services: Services, asked: Asked) -> Answer:
    """A new Binary: the resource, or any content in its own media type (X-Security-Context as its securityContext)."""
    return await _kept(resources.create_from, services, asked)


async def update(services: Services, asked: Asked) -> Answer:
    """The next version of a Binary, sent as a resource or as content."""
    return await _kept(resources.update_from, services, asked)


class BinaryDoor(Door):
    """The door of an address that says Binary where others leave the type open."""

    __slots__ = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["path_params"] = {**scope.get("path_params", {}), "type": TYPE}
        await super().__call__(scope, receive, send)


async def _fetched(act: Act, services: Services, asked: Asked) -> Answer:
    answer = await act(services, asked)
    accept = asked.headers.get("accept", "")
    if asks_for_resource(accept) or asked.pairs:
        form(accept, asked.pairs)
        return answer
    return answer if answer.status != 200 else as_content(answer)


def asks_for_resource(accept: str) -> bool:
    """Whether an Accept header names a media type of FHIR; a client that says nothing gets the resource too."""
    named = {offer.partition(";")[0].strip().lower() for offer in accept.split(",")}
    return not accept.strip() or bool(named & (JSON_TYPES | XML_TYPES))


def as_content(answer: Answer) -> Answer:
    """The answer with the content instead of the resource around it."""
    binary = decode_resource(answer.body)
    content = base64.b64decode(binary.get("data", ""))
    return replace(answer, body=content, headers=(*answer.headers, *AS_A_FILE), media_type=binary["contentType"])


async def _kept(
    act: Callable[[Services, Asked, Resource], Awaitable[Answer]], services: Services, asked: Asked
) -> Answer:
    media_type = asked.headers.get("content-type", "")
    plain = media_type.partition(";")[0].strip().lower()
    if plain in JSON_TYPES or plain == FHIR_XML:
        return await act(services, asked, await resources.sent(services, asked, TYPE))
    content = await body(asked.request, services.limits.body)
    if plain in XML_TYPES and _RESOURCE.match(content):
        raise UnsupportedMedia(f"a Binary resource in XML is sent as {FHIR_XML}", "Content-Type")
    identity = {"id": asked.path("id")} if "id" in asked.params else {}
    return await act(services, asked, of_content(media_type, content, asked.headers) | identity)


def of_content(media_type: str, content: bytes, headers: Headers) -> Resource:
    """The Binary around some content. Raises BadRequest for what is no media type or no reference."""
    if not _MEDIA_TYPE.fullmatch(media_type):
        raise BadRequest(f"the content needs a media type; a resource is sent as {FHIR_JSON}", "Content-Type")
    binary: dict[str, Any] = {"resourceType": TYPE, "contentType": media_type}
    if context := headers.get(SECURITY_CONTEXT):
        binary["securityContext"] = {"reference": context}
    return {**binary, "data": base64.b64encode(content).decode("ascii")} if content else binary
