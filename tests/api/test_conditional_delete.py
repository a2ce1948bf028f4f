"""DELETE by condition: of one resource, or of several where the policy says so."""

from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest
from starlette.applications import Starlette

from fhir_gateway.api.routes import fhir_routes
from fhir_gateway.api.services import Services

pytestmark = pytest.mark.anyio

SYSTEM = "http://mrn"


async def stored(client: httpx.AsyncClient, count: int) -> None:
    for number in range(count):
        patient = {"resourceType": "Patient", "id": f"p{number}", "identifier": [{"system": SYSTEM, "value": "1"}]}
        assert (await client.put(f"/fhir/Patient/p{number}", json=patient)).status_code == 201


@pytest.fixture
def lavish(services: Services) -> httpx.AsyncClient:
    """The administrator at a gateway whose policy lets three go at once."""
    several = replace(services, limits=replace(services.limits, deletions=3))
    token = services.tokens.development_token("admin")
    headers = {"authorization": f"Bearer {token}", "content-type": "application/fhir+json"}
    transport = httpx.ASGITransport(app=Starlette(routes=fhir_routes(several)))
    return httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=headers)


async def test_one_is_deleted_and_several_are_refused(admin: httpx.AsyncClient) -> None:
    await stored(admin, 2)
    several = await admin.delete(f"/fhir/Patient?identifier={SYSTEM}|1")
    await admin.delete("/fhir/Patient/p0")
    one = await admin.delete(f"/fhir/Patient?identifier={SYSTEM}|1")
    none = await admin.delete(f"/fhir/Patient?identifier={SYSTEM}|1")

    assert [answer.status_code for answer in (several, one, none)] == [412, 204, 204]
    assert (await admin.get("/fhir/Patient/p1")).status_code == 410


async def test_a_policy_lets_several_go_together(lavish: httpx.AsyncClient) -> None:
    await stored(lavish, 3)
    answer = await lavish.delete(f"/fhir/Patient?identifier={SYSTEM}|1")
    declared = (await lavish.get("/fhir/metadata")).json()["rest"][0]["resource"]

    assert answer.status_code == 204
    assert [(await lavish.get(f"/fhir/Patient/p{number}")).status_code for number in range(3)] == [410] * 3
    assert next(each for each in declared if each["type"] == "Patient")["conditionalDelete"] == "multiple"


async def test_more_than_the_policy_allows_is_refused_and_nothing_goes(lavish: httpx.AsyncClient) -> None:
    await stored(lavish, 4)
    answer = await lavish.delete(f"/fhir/Patient?identifier={SYSTEM}|1")

    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (403, "too-costly")
    assert (await lavish.get("/fhir/Patient")).json()["total"] == 4


@pytest.mark.parametrize("query", ["", "?identifier=", "?nonsense=1"])
async def test_a_delete_without_a_condition_that_counts_is_refused(
    lavish: httpx.AsyncClient, client_of: Callable[[str], httpx.AsyncClient], query: str
) -> None:
    for client in (lavish, client_of("admin")):
        assert (await client.delete(f"/fhir/Patient{query}")).status_code == 400
