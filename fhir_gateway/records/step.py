"""One thing asked of the records: a request line, its conditions and its resource, from REST or a Bundle entry.

https://hl7.org/fhir/R4/bundle.html#bundle-unique
"""

import re
from dataclasses import dataclass
from typing import Any

from fhir_gateway.fhir.elements import members
from fhir_gateway.fhir.patch.document import Patch, of_binary, of_parameters, within
from fhir_gateway.fhir.resource import Resource, is_id
from fhir_gateway.problem import BadRequest, Malformed, NotSupported, Problem, TooLarge

# The order FHIR prescribes inside a transaction; reads see what was written.
ORDER = {"DELETE": 0, "POST": 1, "PUT": 2, "PATCH": 2, "GET": 3, "HEAD": 3}
READS = frozenset({"GET", "HEAD"})
FRESHNESS = (("if-none-match", "ifNoneMatch"), ("if-modified-since", "ifModifiedSince"))
_ETAG = re.compile(r'(?:W/)?"([0-9]{1,18})"')
_TYPE = re.compile(r"[A-Z][A-Za-z]{1,63}")


@dataclass(frozen=True, slots=True)
class Step:
    """``condition`` is the query of a conditional interaction; ``full_url`` what the Bundle calls the resource.

    ``where`` is the FHIRPath put before the place of a fault; ``unless`` are the headers of a conditional read.
    """

    method: str
    type: str
    id: str | None = None
    condition: str | None = None
    resource: Resource | None = None
    if_match: int | None = None
    full_url: str | None = None
    where: str = ""
    url: str = ""
    unless: tuple[tuple[str, str], ...] = ()
    patch: Patch | None = None

    @property
    def reference(self) -> str:
        return f"{self.type}/{self.id}"


def version_number(etag: str | None, where: str = "If-Match") -> int | None:
    """The version an ETag names (``W/"3"`` → 3); None without one."""
    if etag is None:
        return None
    found = _ETAG.fullmatch(etag.strip())
    if found is None:
        raise BadRequest('an entity tag looks like W/"3"', where)
    return int(found[1])


def entries(bundle: Resource, limit: int) -> list[dict[str, Any]]:
    """The entries of a batch or transaction Bundle. Raises when they are none, or more than ``limit``."""
    _must_be_known(bundle, "Bundle", "Bundle")
    found = bundle.get("entry", [])
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise Malformed("entry must be a list of objects", "Bundle.entry")
    if len(found) > limit:
        raise TooLarge(f"a Bundle may have {limit} entries", "Bundle.entry")
    return found


def steps(bundle: Resource, limit: int, base_url: str) -> list[Step]:
    """All entries as Steps, in request order. Raises when one is no request at all."""
    return [step(entry, f"Bundle.entry[{place}]", base_url) for place, entry in enumerate(entries(bundle, limit))]


def step(entry: dict[str, Any], where: str, base_url: str) -> Step:
    """One entry as a Step. Raises BadRequest naming the part that makes no sense."""
    request = entry.get("request")
    if not isinstance(request, dict):
        raise BadRequest("an entry of a batch or transaction needs a request", f"{where}.request")
    _must_be_known(entry, "Bundle.entry", where)
    _must_be_known(request, "Bundle.entry.request", f"{where}.request")
    method, url = _text(request, "method", where), _text(request, "url", where)
    if method not in ORDER:
        raise NotSupported("the method must be GET, HEAD, POST, PUT, PATCH or DELETE", f"{where}.request.method")
    path, _, query = url.removeprefix(base_url).strip("/").partition("?")
    if method not in READS and path.rpartition("/")[2].startswith("$"):
        raise NotSupported("a transaction asks for operations by GET only", f"{where}.request.url")
    if method in READS:
        unless = tuple((header, value) for header, name in FRESHNESS if (value := _optional(request, name, where)))
        return Step(
            method, path.partition("/")[0], where=where, url=f"{path}?{query}" if query else path, unless=unless
        )
    return _writing(entry, method, (path, query), where)


def _must_be_known(element: dict[str, Any], kind: str, where: str) -> None:
    """A misspelt member must not be taken for one that is not there."""
    known = members(kind)
    for name in element:
        if name.removeprefix("_") not in known and name != "resourceType":
            raise BadRequest("there is no such member here", f"{where}.{name[:64]}")


def _text(request: dict[str, Any], name: str, where: str) -> str:
    value = request.get(name)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"the request has no {name}", f"{where}.request.{name}")
    return value


def _writing(entry: dict[str, Any], method: str, url: tuple[str, str], where: str) -> Step:
    request = entry["request"]
    type_, identity = _target(url[0], method, f"{where}.request.url")
    condition = _optional(request, "ifNoneExist", where) if method == "POST" else url[1] or None
    if method != "POST" and (identity is None) == (condition is None):
        raise BadRequest(f"{method} needs Type/id or Type?condition", f"{where}.request.url")
    return Step(
        method,
        type_,
        identity,
        condition.removeprefix(type_).removeprefix("?") if condition else None,
        _resource(entry, type_, where) if method in ("POST", "PUT") else None,
        _replacing(request, method, where),
        _full_url(entry, where),
        where,
        patch=_patch(entry, where) if method == "PATCH" else None,
    )


def _patch(entry: dict[str, Any], where: str) -> Patch:
    """A FHIRPath Patch as Parameters; a JSON or XML Patch as the content of a Binary."""
    resource = entry.get("resource")
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    if not isinstance(resource, dict) or kind not in ("Parameters", "Binary"):
        raise BadRequest("a patch is a Parameters or Binary resource", f"{where}.resource")
    try:
        return of_parameters(resource) if kind == "Parameters" else of_binary(resource)
    except Problem as problem:
        raise within(problem, f"{where}.resource") from None


def _replacing(request: dict[str, Any], method: str, where: str) -> int | None:
    """The version that must be there; 0 with ifNoneMatch ``*`` on PUT, which wants to create."""
    unless = _optional(request, "ifNoneMatch", where)
    if unless is None:
        return version_number(_optional(request, "ifMatch", where), f"{where}.request.ifMatch")
    if unless != "*" or method != "PUT":
        raise NotSupported("a write takes ifNoneMatch only on PUT, and only *", f"{where}.request.ifNoneMatch")
    return 0


def _optional(request: dict[str, Any], name: str, where: str) -> str | None:
    value = request.get(name)
    if value is not None and not isinstance(value, str):
        raise BadRequest(f"{name} must be a string", f"{where}.request.{name}")
    return value


def _target(path: str, method: str, where: str) -> tuple[str, str | None]:
    type_, *rest = path.split("/")
    if not _TYPE.fullmatch(type_) or len(rest) > (0 if method == "POST" else 1):
        raise BadRequest("the url must name a resource type, and for PUT and DELETE its id", where)
    if rest and not is_id(rest[0]):
        raise BadRequest("an id has 1 to 64 letters, digits, - and .", where)
    return type_, rest[0] if rest else None


def _resource(entry: dict[str, Any], type_: str, where: str) -> Resource:
    resource = entry.get("resource")
    if not isinstance(resource, dict):
        raise BadRequest("the entry has no resource", f"{where}.resource")
    if resource.get("resourceType") != type_:
        raise BadRequest("the resource is of another type than the url", f"{where}.resource.resourceType")
    return resource


def _full_url(entry: dict[str, Any], where: str) -> str | None:
    value = entry.get("fullUrl")
    if value is not None and not isinstance(value, str):
        raise BadRequest("fullUrl must be a string", f"{where}.fullUrl")
    return value
