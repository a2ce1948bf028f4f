"""The shortcut leads to the same doors as the table of addresses."""

from typing import Any

import pytest
from starlette.routing import Route

from fhir_gateway.api.front import ALL, ONE, Front

pytestmark = pytest.mark.anyio


class Spot:
    """Remembers the scopes that came to it."""

    def __init__(self) -> None:
        self.scopes: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)


async def _nothing() -> Any: ...


async def _nowhere(_: Any) -> None: ...


@pytest.mark.parametrize(
    ("path", "way", "params"),
    [
        ("/fhir/Patient/p-1.x", "one", {"type": "Patient", "id": "p-1.x"}),
        ("/fhir/Observation", "all", {"type": "Observation"}),
        ("/fhir/AuditEvent/a.01", "one", {"type": "AuditEvent", "id": "a.01"}),
        ("/fhir/Binary/b", "table", None),
        ("/fhir/Binary", "table", None),
        ("/fhir/Group/g", "one", {"type": "Group", "id": "g"}),
        ("/fhir/Patient/$everything", "table", None),
        ("/fhir/Patient/p/_history", "table", None),
        ("/fhir/Patient/_search", "table", None),
        ("/fhir/Patient/", "table", None),
        ("/fhir/metadata", "table", None),
        ("/fhir/Unknown/1", "table", None),
        ("/fhir/Patient/ô", "table", None),
        ("/fhir/Patient/a\n", "table", None),
        ("/fhir", "table", None),
    ],
)
async def test_only_a_record_and_a_type_take_the_shortcut(path: str, way: str, params: Any) -> None:
    spots = {"one": Spot(), "all": Spot(), "table": Spot()}
    routes = [
        Route(ONE, spots["one"]),
        Route(ALL, spots["all"]),
        Route("/fhir/Binary", Spot()),
        Route("/fhir/Binary/{id}", Spot()),
        Route("/fhir/Group/{id}/$export", Spot()),
    ]
    front = Front(spots["table"], routes)
    await front({"type": "http", "path": path}, _nothing, _nowhere)

    assert [name for name, spot in spots.items() if spot.scopes] == [way]
    assert spots[way].scopes[0].get("path_params") == params


async def test_what_is_no_request_goes_to_the_application() -> None:
    table, doors = Spot(), [Route(ONE, Spot()), Route(ALL, Spot())]
    await Front(table, doors)({"type": "lifespan"}, _nothing, _nowhere)
    assert [scope["type"] for scope in table.scopes] == ["lifespan"]
