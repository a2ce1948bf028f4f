"""The OpenAPI document: every address, read from the doors themselves, so that it cannot promise what is not wired.

https://spec.openapis.org/oas/v3.1.0
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from importlib.metadata import version
from inspect import getdoc
from typing import Any

from starlette.routing import BaseRoute, Route

from fhir_gateway.api.answer import Answer
from fhir_gateway.api.door import Action, Asked, Door
from fhir_gateway.api.negotiation import FHIR_JSON, FHIR_XML, FORM, PRESENTATION
from fhir_gateway.api.operations import OPERATIONS, PERFORM
from fhir_gateway.api.services import Services
from fhir_gateway.fhir.codec import encode
from fhir_gateway.fhir.definitions import resource_types
from fhir_gateway.fhir.patch.document import MEDIA_TYPES
from fhir_gateway.problem import Problem, Unauthenticated

Described = dict[str, Any]

PATH = "/openapi.json"
JSON = "application/json"
SCHEME = "SMART Backend Services"
TEXT: Described = {"type": "string"}
ID: Described = {"type": "string", "pattern": r"^[A-Za-z0-9\-.]{1,64}$"}

_NAMES = re.compile(r"\{(\w+)(?::path)?\}")
_SUBSETS = {
    "_elements": TEXT,
    "_summary": {"type": "string", "enum": ["true", "false", "text", "data", "count"]},
}
_SEARCH = {
    **_SUBSETS,
    "_id": TEXT,
    "_lastUpdated": TEXT,
    "_count": {"type": "integer", "minimum": 0},
    "_sort": TEXT,
    "_include": TEXT,
    "_revinclude": TEXT,
    "_has": TEXT,
    "_filter": TEXT,
    "_text": TEXT,
    "_content": TEXT,
    "_list": TEXT,
    "_total": {"type": "string", "enum": ["none", "estimate", "accurate"]},
    "_explain": {"type": "boolean"},
}
_HISTORY = {**_SUBSETS, "_count": {"type": "integer", "minimum": 0}, "_since": TEXT, "_at": TEXT}
ARGUMENTS: Mapping[str, Mapping[str, Described]] = {
    "read": _SUBSETS,
    "vread": _SUBSETS,
    "search-type": _SEARCH,
    "search-system": {**_SEARCH, "_type": TEXT},
    "history-instance": _HISTORY,
    "history-type": _HISTORY,
    "history-system": _HISTORY,
    "capabilities": {"mode": TEXT},
}
CONDITIONS = {"read": ("If-None-Match",), "update": ("If-Match",), "patch": ("If-Match",), "delete": ("If-Match",)}
BODIES = {
    "create": (FHIR_JSON, FHIR_XML),
    "update": (FHIR_JSON, FHIR_XML),
    "transaction": (FHIR_JSON, FHIR_XML),
    "patch": tuple(sorted(MEDIA_TYPES)),
    "search-type": (FORM,),
    "search-system": (FORM,),
    "operation": (FHIR_JSON, FHIR_XML, FORM),
    "login": (FORM,),
    "ingest": ("application/octet-stream",),
}


def describing(routes: Iterable[BaseRoute]) -> Action:
    """The action that answers with the description of ``routes``; the text is made when it is first asked for."""
    told: list[bytes] = []
    make = partial(document, list(routes))

    async def described(services: Services, asked: Asked) -> Answer:
        """This document."""
        if not told:
            told.append(encode(make(services.desk.base_url)))
        return Answer(200, told[0], media_type=JSON)

    return Action("capabilities", described, raw=True)


def document(routes: Iterable[BaseRoute], base_url: str) -> Described:
    """The whole description. ``base_url`` is that of the FHIR interface; addresses are given from its root."""
    doors = [route.app for route in routes if isinstance(route, Route) and isinstance(route.app, Door)]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "FHIR gateway",
            "version": version("fhir-gateway"),
            "summary": "FHIR R4 records of the province, messages in, referrals and teleconsultations out",
        },
        "servers": [{"url": base_url.removesuffix("/fhir")}],
        "paths": dict(_paths(doors)),
        "components": {
            "schemas": {"Resource": _RESOURCE, "OperationOutcome": _OUTCOME},
            "responses": dict(_refusals()),
            "securitySchemes": {
                SCHEME: {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "an access token of POST /auth/token (private_key_jwt)",
                }
            },
        },
    }


def _paths(doors: Iterable[Door]) -> Iterator[tuple[str, Described]]:
    for door in doors:
        if not door.actions or door.path == "/fhir/":
            continue
        methods = {
            method.lower(): _operation(door.path, method, action, door.anonymous)
            for method, action in door.actions.items()
            if method != "HEAD"
        }
        yield _NAMES.sub(r"{\1}", door.path), {"parameters": [*_named(door)], **methods}


def _named(door: Door) -> Iterator[Described]:
    level = len(_NAMES.findall(door.path))
    for name in _NAMES.findall(door.path):
        yield {"name": name, "in": "path", "required": True, "schema": _part(name, level, door)}


def _part(name: str, level: int, door: Door) -> Described:
    if name == "type":
        return {"type": "string", "enum": sorted(resource_types())}
    if name == "operation":
        return {"type": "string", "enum": sorted(_offered(("system", "type", "instance")[level - 1]))}
    return ID if name in ("id", "task", "person") else TEXT


def _offered(level: str) -> set[str]:
    return {one.name for one in OPERATIONS if getattr(one, level) is not None}


def _operation(path: str, method: str, action: Action, anonymous: bool) -> Described:
    first, _, rest = (getdoc(action.act) or "").partition("\n\n")
    described: Described = {
        "operationId": f"{method.lower()} {path}",
        "summary": " ".join(first.split()),
        "description": rest,
        "tags": [path.split("/")[1]],
        "parameters": [*_arguments(action, method)],
        "responses": _responses(action),
        "security": [] if anonymous else [{SCHEME: []}],
    }
    if method in ("POST", "PUT", "PATCH"):
        media_types = BODIES.get(action.interaction, (JSON,))
        media_types = ("*/*", *media_types) if action.raw and FHIR_JSON in media_types else media_types
        content = {one: {"schema": _body(one)} for one in media_types}
        described["requestBody"] = {"required": action is not PERFORM, "content": content}
    return described


def _body(media_type: str) -> Described:
    if media_type == FHIR_JSON:
        return {"$ref": "#/components/schemas/Resource"}
    if media_type == FORM:
        return {"type": "object", "additionalProperties": TEXT}
    return {"type": "object"} if media_type == JSON else {}


def _arguments(action: Action, method: str) -> Iterator[Described]:
    queries = dict(ARGUMENTS.get(action.interaction, {})) if method == "GET" else {}
    if not action.raw:
        queries |= dict.fromkeys(sorted(PRESENTATION), TEXT)
    for name, schema in queries.items():
        yield {"name": name, "in": "query", "schema": schema}
    for name in CONDITIONS.get(action.interaction, ()):
        yield {"name": name, "in": "header", "schema": TEXT}


def _responses(action: Action) -> Described:
    content: Described = {one: {"schema": {"$ref": "#/components/schemas/Resource"}} for one in (FHIR_JSON,)}
    if not action.raw:
        content[FHIR_XML] = {}
    content["*/*"] = {}
    success = {"description": "done, found or taken", "content": content}
    refusals = {str(kind.status): {"$ref": f"#/components/responses/{kind.__name__}"} for kind in _kinds()}
    nothing = {"description": "done; there is nothing to say about it"}
    elsewhere = {"description": "not changed, or elsewhere"}
    return {"204": nothing, "2XX": success, "3XX": elsewhere, **dict(sorted(refusals.items()))}


def _kinds() -> list[type[Problem]]:
    """One kind of problem for each status, the widest first."""
    found: dict[int, type[Problem]] = {}
    waiting: list[type[Problem]] = [Problem]
    while waiting:
        kind = waiting.pop(0)
        found.setdefault(kind.status, kind)
        waiting += kind.__subclasses__()
    return list(found.values())


def _refusals() -> Iterator[tuple[str, Described]]:
    schema = {"$ref": "#/components/schemas/OperationOutcome"}
    for kind in _kinds():
        challenge = {"WWW-Authenticate": {"schema": TEXT}} if kind is Unauthenticated else {}
        text = " ".join((kind.__doc__ or kind.code).split())
        yield (
            kind.__name__,
            {"description": text, "headers": challenge, "content": {FHIR_JSON: {"schema": schema}, "*/*": {}}},
        )


_RESOURCE: Described = {
    "type": "object",
    "description": "a FHIR R4 resource; its profile is at http://hl7.org/fhir/R4/",
    "required": ["resourceType"],
    "properties": {"resourceType": TEXT, "id": ID},
}
_OUTCOME: Described = {
    "type": "object",
    "required": ["resourceType", "issue"],
    "properties": {
        "resourceType": {"const": "OperationOutcome"},
        "issue": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["severity", "code"],
                "properties": {
                    "severity": {"enum": ["fatal", "error", "warning", "information"]},
                    "code": TEXT,
                    "diagnostics": TEXT,
                    "expression": {"type": "array", "items": TEXT},
                },
            },
        },
    },
}
