"""The shortest way in: what is asked most, one record or one type, goes to its door past the table of addresses.

https://hl7.org/fhir/R4/http.html#summary

The table has some ninety rows, tried one after the other behind six layers of framework: 0.15 ms a request.
"""

import re
from collections.abc import Mapping, Sequence

from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from fhir_gateway.fhir.definitions import resource_types

ONE, ALL = "/fhir/{type}/{id}", "/fhir/{type}"
_PATH = re.compile(r"/fhir/([A-Za-z]+)(?:/([A-Za-z0-9\-.]{1,64}))?")


class Front:
    """The application and its shortcut; types that have a row of their own in the table do not take it."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        doors = {route.path: route.app for route in routes if isinstance(route, Route)}
        self._app = app
        self._one, self._all = doors[ONE], doors[ALL]
        self._types = {
            type_ for type_ in resource_types() if not doors.keys() & {f"/fhir/{type_}", f"/fhir/{type_}/{{id}}"}
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = _PATH.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if found is None or found[1] not in self._types:
            await self._app(scope, receive, send)
            return
        named: Mapping[str, str] = {"type": found[1], "id": found[2]} if found[2] else {"type": found[1]}
        await (self._one if found[2] else self._all)({**scope, "path_params": named}, receive, send)
