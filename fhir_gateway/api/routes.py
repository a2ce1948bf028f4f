"""Every address under /fhir and what each method does there: the one table, which the CapabilityStatement is read from.

https://hl7.org/fhir/R4/http.html#summary
"""

from collections.abc import Mapping, Sequence

from starlette.routing import BaseRoute, Route

from fhir_gateway.api import auth, binary, bundles, health, histories, metadata, openapi, operations, resources, search
from fhir_gateway.api.door import Action, Door
from fhir_gateway.api.emergencies import emergency_routes
from fhir_gateway.api.services import Services

FHIR: Mapping[str, Mapping[str, Action]] = {
    "/fhir": {"GET": Action("search-system", search.search), "POST": Action("transaction", bundles.bundle)},
    "/fhir/_search": {"POST": Action("search-system", search.search_by_form)},
    "/fhir/_history": {"GET": Action("history-system", histories.history_of_all)},
    "/fhir/{type}": {
        "GET": Action("search-type", search.search),
        "POST": Action("create", resources.create),
        "PUT": Action("update", resources.update_matching),
        "PATCH": Action("patch", resources.patch_matching),
        "DELETE": Action("delete", resources.delete_matching),
    },
    "/fhir/{type}/_history": {"GET": Action("history-type", histories.history_of_type)},
    "/fhir/{type}/_search": {"POST": Action("search-type", search.search_by_form)},
    "/fhir/{type}/{id}": {
        "GET": Action("read", resources.read),
        "PUT": Action("update", resources.update),
        "PATCH": Action("patch", resources.patch),
        "DELETE": Action("delete", resources.delete),
    },
    "/fhir/{type}/{id}/_search": {"POST": Action("search-type", search.search_by_form)},
    "/fhir/{type}/{id}/_history": {"GET": Action("history-instance", histories.history)},
    "/fhir/{type}/{id}/_history/{version}": {"GET": Action("vread", resources.vread)},
    "/fhir/{type}/{id}/{inner}": {"GET": Action("search-type", search.search)},
    "/fhir/{type}/{id}/{inner}/_search": {"POST": Action("search-type", search.search_by_form)},
}
# Content is sent and fetched as what it is: these addresses are tried before those of every type.
CONTENT: Mapping[str, Mapping[str, Action]] = {
    "/fhir/Binary": {**FHIR["/fhir/{type}"], "POST": Action("create", binary.create, raw=True)},
    "/fhir/Binary/{id}": {
        **FHIR["/fhir/{type}/{id}"],
        "GET": Action("read", binary.read, raw=True),
        "PUT": Action("update", binary.update, raw=True),
    },
    "/fhir/Binary/{id}/_history/{version}": {"GET": Action("vread", binary.vread, raw=True)},
}
ANONYMOUS: Mapping[str, Mapping[str, Action]] = {
    "/health": {"GET": Action("health", health.live)},
    "/health/ready": {"GET": Action("health", health.ready)},
    "/auth/token": {"POST": Action("login", auth.token)},
    "/fhir/.well-known/smart-configuration": {"GET": Action("capabilities", auth.discovered, raw=True)},
}
INTERACTIONS = frozenset(action.interaction for actions in FHIR.values() for action in actions.values())
METADATA = "/fhir/metadata"
METRICS = "/metrics"
ANYWHERE = "/{address:path}"


def fhir_routes(services: Services) -> list[Route]:
    """The routes of the FHIR base, tokens, health and metrics, in the order they must be tried."""
    anonymous = [Route(path, Door(services, path, actions, anonymous=True)) for path, actions in ANONYMOUS.items()]
    capabilities = {"GET": Action("capabilities", metadata.serving(INTERACTIONS))}
    anonymous.append(Route(METADATA, Door(services, METADATA, capabilities, anonymous=True)))
    known = [Route(path, Door(services, path, actions)) for path, actions in FHIR.items()]
    known.append(Route("/fhir/", Door(services, "/fhir", FHIR["/fhir"])))
    known.append(Route(METRICS, Door(services, METRICS, {"GET": Action("metrics", health.metrics)})))
    asked = [Route(path, Door(services, path, actions)) for path, actions in operations.ROUTES.items()]
    contents = [Route(path, binary.BinaryDoor(services, path, actions)) for path, actions in CONTENT.items()]
    return [*anonymous, *asked, *contents, *known, *emergency_routes(services)]


def description_route(services: Services, routes: Sequence[BaseRoute]) -> Route:
    """The OpenAPI document of ``routes``; like the CapabilityStatement it is for anybody."""
    action = openapi.describing(routes)
    return Route(openapi.PATH, Door(services, openapi.PATH, {"GET": action}, anonymous=True))


def last_route(services: Services) -> Route:
    """Whatever no other route took: 404 as an OperationOutcome. Add it after all others."""
    return Route(ANYWHERE, Door(services, ANYWHERE, {}))
