"""Which scripts of which pages may call, as a browser asks before it lets them."""

from dataclasses import replace

import httpx
import pytest
from starlette.applications import Starlette

from fhir_gateway.api.browsers import open_to, origins
from fhir_gateway.api.routes import fhir_routes, last_route
from fhir_gateway.api.services import Services

pytestmark = pytest.mark.anyio

OWN, FOREIGN = "https://app.hospital.vn", "https://evil.example"
ASKING = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization,if-match"}


def _client(services: Services, allowed: str) -> httpx.AsyncClient:
    known = origins(allowed)
    services = replace(services, limits=replace(services.limits, browsers=bool(known)))
    app = open_to(Starlette(routes=[*fhir_routes(services), last_route(services)]), known)
    token = services.tokens.development_token("admin")
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway", headers=headers)


async def test_a_page_of_a_named_origin_may_write_and_read_the_version(services: Services) -> None:
    async with _client(services, f"https://other.example, {OWN}/") as client:
        asked = await client.options("/fhir/Patient/p", headers={"Origin": OWN, **ASKING})
        made = await client.put("/fhir/Patient/p", json={"resourceType": "Patient", "id": "p"}, headers={"Origin": OWN})

    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == OWN
    assert "PUT" in asked.headers["access-control-allow-methods"]
    assert asked.headers["access-control-allow-headers"].lower() == "authorization,if-match"
    assert made.status_code == 201
    assert made.headers["access-control-allow-origin"] == OWN
    assert "ETag" in made.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in made.headers


async def test_a_page_of_another_origin_may_not(services: Services) -> None:
    async with _client(services, OWN) as client:
        asked = await client.options("/fhir/Patient/p", headers={"Origin": FOREIGN, **ASKING})
        read = await client.get("/fhir/Patient", headers={"Origin": FOREIGN})

    assert asked.status_code == 400
    assert "access-control-allow-origin" not in asked.headers
    assert "access-control-allow-origin" not in read.headers


async def test_a_refusal_can_be_read_by_the_page_too(services: Services) -> None:
    async with _client(services, "*") as client:
        found = await client.get("/fhir/Patient/nobody", headers={"Origin": FOREIGN})

    assert found.status_code == 404
    assert found.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(("allowed", "said"), [("", False), (OWN, True)])
async def test_metadata_says_whether_browsers_may_call(services: Services, allowed: str, said: bool) -> None:
    async with _client(services, allowed) as client:
        statement = (await client.get("/fhir/metadata")).json()

    assert statement["rest"][0]["security"]["cors"] is said


async def test_without_an_origin_in_the_settings_nothing_is_wrapped() -> None:
    async def app(*_: object) -> None: ...

    assert open_to(app, origins(" , ")) is app
