"""The CapabilityStatement: what is wired, and nothing else.

https://hl7.org/fhir/R4/http.html#capabilities
"""

from collections.abc import Awaitable, Callable, Iterator
from functools import cache
from importlib.metadata import version
from typing import Any

from fhir_gateway.api import operations
from fhir_gateway.api.answer import Answer
from fhir_gateway.api.door import Asked
from fhir_gateway.api.services import Services
from fhir_gateway.api.subscriptions import socket_url
from fhir_gateway.fhir.codec import encode
from fhir_gateway.fhir.definitions import resource_types
from fhir_gateway.fhir.patch.document import MEDIA_TYPES
from fhir_gateway.fhir.resource import instant
from fhir_gateway.problem import BadRequest
from fhir_gateway.search.registry import parameters
from fhir_gateway.subscriptions.terms import BACKPORT
from fhir_gateway.subscriptions.topics import topics
from fhir_gateway.terminology.capabilities import statement as capabilities_of_terms

SOFTWARE = "fhir-gateway"
SMART = "http://terminology.hl7.org/CodeSystem/restful-security-service"
OAUTH = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
WEBSOCKET = "http://hl7.org/fhir/StructureDefinition/capabilitystatement-websocket"
TOPIC = f"{BACKPORT}/capabilitystatement-subscriptiontopic-canonical"
OF_THE_SYSTEM = frozenset({"transaction", "batch", "search-system", "history-system"})
# Nobody writes the audit trail by REST.
READ_ONLY = {"AuditEvent": frozenset({"read", "vread", "search-type", "history-instance", "history-type"})}
# All that is offered is of R4, so its normative part is not cut out.
MODES = ("full", "normative")
FORMATS = ("application/fhir+json", "application/fhir+xml", "json", "xml")


def serving(interactions: frozenset[str]) -> Callable[[Services, Asked], Awaitable[Answer]]:
    """The act that answers /metadata; the text is made once for each gateway."""

    @cache
    def text(desk: tuple[str, str], started: str, deletions: int, browsers: bool) -> bytes:
        return encode(statement(interactions, desk, started, deletions, browsers))

    starts: dict[int, str] = {}

    async def capabilities(services: Services, asked: Asked) -> Answer:
        """The CapabilityStatement; with mode=terminology the TerminologyCapabilities."""
        desk, mode = services.desk, next((value for name, value in asked.pairs if name == "mode"), "full")
        started = starts.setdefault(id(services), instant(desk.now()))
        if mode == "terminology":
            return Answer(200, encode(capabilities_of_terms(desk.base_url, desk.name, started)))
        if mode not in MODES:
            raise BadRequest("mode is full, normative or terminology", "mode")
        limits = services.limits
        return Answer(200, text((desk.base_url, desk.name), started, limits.deletions, limits.browsers))

    return capabilities


def statement(
    interactions: frozenset[str], desk: tuple[str, str], date: str, deletions: int = 1, browsers: bool = False
) -> dict[str, Any]:
    """The CapabilityStatement of a gateway that offers ``interactions``; ``desk`` is its address and its name."""
    base_url, name = desk
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": date,
        "kind": "instance",
        "instantiates": ["http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data"],
        "software": {"name": SOFTWARE, "version": version(SOFTWARE)},
        "implementation": {"description": name, "url": base_url},
        "fhirVersion": "4.0.1",
        "format": list(FORMATS),
        "patchFormat": sorted(MEDIA_TYPES),
        "rest": [
            {
                "mode": "server",
                "security": {"cors": browsers, **_security(base_url)},
                "resource": [_resource(type_, interactions, deletions) for type_ in sorted(resource_types())],
                "interaction": [{"code": code} for code in sorted(_system(interactions))],
                "operation": list(operations.of_system()),
                "extension": [{"url": WEBSOCKET, "valueUri": socket_url(desk[0])}],
            }
        ],
    }


def _system(interactions: frozenset[str]) -> frozenset[str]:
    """One address takes both kinds of Bundle."""
    return (interactions & OF_THE_SYSTEM) | ({"batch"} if "transaction" in interactions else set())


def _security(base_url: str) -> dict[str, Any]:
    root = base_url.removesuffix("/fhir")
    uris = [{"url": "token", "valueUri": f"{root}/auth/token"}]
    return {
        "extension": [{"url": OAUTH, "extension": uris}],
        "service": [{"coding": [{"system": SMART, "code": "SMART-on-FHIR"}]}],
        "description": "SMART Backend Services: private_key_jwt at the token endpoint, then a bearer token."
        " Records labelled R or V are hidden from other hospitals; a doctor breaks the glass by X-Purpose-Of-Use: BTG",
    }


def _resource(type_: str, interactions: frozenset[str], deletions: int) -> dict[str, Any]:
    offered = (interactions - OF_THE_SYSTEM) & READ_ONLY.get(type_, interactions)
    writable = "update" in offered
    watched = [{"url": TOPIC, "valueCanonical": url} for url in topics()] if type_ == "Subscription" else []
    return {
        **({"extension": watched} if watched else {}),
        "type": type_,
        "interaction": [{"code": code} for code in sorted(offered)],
        "versioning": "versioned-update" if writable else "versioned",
        "readHistory": "history-instance" in offered,
        "updateCreate": writable,
        "conditionalCreate": writable,
        "conditionalRead": "full-support",
        "conditionalUpdate": writable,
        "conditionalDelete": ("multiple" if deletions > 1 else "single") if writable else "not-supported",
        "referencePolicy": ["literal", "logical", "local"],
        "searchInclude": ["*", *_links(type_)],
        "searchRevInclude": ["*"],
        "searchParam": list(_parameters(type_)),
        "operation": list(operations.of_type(type_)),
    }


def _links(type_: str) -> Iterator[str]:
    return (f"{type_}:{one.code}" for one in parameters(type_).values() if one.searchable and one.kind == "reference")


def _parameters(type_: str) -> Iterator[dict[str, str]]:
    for one in parameters(type_).values():
        if one.searchable:
            yield {"name": one.code, "definition": one.definition, "type": one.kind}
