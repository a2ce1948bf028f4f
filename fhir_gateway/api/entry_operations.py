"""An operation asked for by an entry of a Bundle: by GET in both kinds, by POST in a batch.

https://hl7.org/fhir/R4/http.html#transaction
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from starlette.datastructures import Headers

from fhir_gateway.api import operations
from fhir_gateway.api.answer import Answer
from fhir_gateway.api.door import Asked
from fhir_gateway.api.negotiation import FHIR_JSON, Pairs
from fhir_gateway.api.services import Services
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import BadRequest, NotAllowed, NotSupported
from fhir_gateway.records.step import READS

# Its answer is no resource, so no entry can hold it.
GRAPHQL = "graphql"
_WITH_BODY = Headers({"content-type": FHIR_JSON, "transfer-encoding": "chunked"})


@dataclass(frozen=True, slots=True)
class Brought(Asked):
    """What an entry asks: its resource stands where a request has its body."""

    content: Resource | None = None

    async def body(self, limit: int, accepted: frozenset[str]) -> bytes:
        raise NotSupported("an operation inside a Bundle is asked with a resource", "Bundle.entry.resource")

    async def resource(self, limit: int, home: str = "") -> Resource:
        if self.content is None:
            raise BadRequest("the entry has no resource", "Bundle.entry.resource")
        return self.content


def is_operation(path: str) -> bool:
    """Whether the path of an entry's url ends in an operation."""
    return path.rpartition("/")[2].startswith("$")


async def operated(services: Services, asked: Asked, request: tuple[str, str, Pairs], content: Any = None) -> Answer:
    """What the operation answers; ``request`` is the entry's method, path and arguments."""
    method, path, pairs = request
    params = _params(path)
    name = params["operation"]
    changing = any(one.writes for one in operations.OPERATIONS if one.name == name)
    if method not in READS | {"POST"} or (changing and method != "POST"):
        raise NotAllowed("operations are asked by GET or POST, those that change a record by POST", "method")
    if name == GRAPHQL:
        raise NotSupported("a GraphQL answer is no resource: ask for it outside of a Bundle", "url")
    if content is not None and (not isinstance(content, dict) or "resourceType" not in content):
        raise BadRequest("the entry's resource is none", "Bundle.entry.resource")
    headers = _WITH_BODY if content is not None and method == "POST" else Headers({})
    return await operations.perform(services, Brought(asked.visit, asked.request, params, pairs, headers, content))


def _params(path: str) -> Mapping[str, str]:
    *place, last = [unquote(part) for part in path.split("/")]
    if len(place) > 2:
        raise BadRequest("there is nothing at this address", "url")
    return {**dict(zip(("type", "id"), place, strict=False)), "operation": last.removeprefix("$")}
