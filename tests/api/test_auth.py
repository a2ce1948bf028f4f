"""Tokens: who gets one, and what is closed without."""

import time
from base64 import urlsafe_b64encode
from collections.abc import Callable

import httpx
import pytest

from fhir_gateway.api.services import Services
from fhir_gateway.security.assertion import assertion
from fhir_gateway.security.keys import KeyRing

pytestmark = pytest.mark.anyio

FORM = {"content-type": "application/x-www-form-urlencoded"}


def proof(ring: KeyRing, services: Services) -> dict[str, str]:
    return {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion("bai-chay", ring.client("bai-chay"), services.tokens.url, time.time()),
        "scope": "system/*.rs",
    }


async def test_a_proven_client_gets_a_token_that_opens_what_its_scope_says(
    client_of: Callable[[str], httpx.AsyncClient], ring: KeyRing, services: Services
) -> None:
    nobody = client_of("")

    answer = await nobody.post("/auth/token", data=proof(ring, services), headers=FORM)
    bearer = {"authorization": f"Bearer {answer.json()['access_token']}"}
    found = await nobody.get("/fhir/Patient", headers=bearer)
    refused = await nobody.post("/fhir/Patient", json={"resourceType": "Patient"}, headers=bearer)

    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.json()["expires_in"] == 300
    assert (found.status_code, refused.status_code) == (200, 403)


async def test_a_proof_counts_once(
    client_of: Callable[[str], httpx.AsyncClient], ring: KeyRing, services: Services
) -> None:
    shown = proof(ring, services)

    first = await client_of("").post("/auth/token", data=shown, headers=FORM)
    second = await client_of("").post("/auth/token", data=shown, headers=FORM)

    assert (first.status_code, second.status_code) == (200, 401)
    assert second.json()["error"] == "invalid_client"


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"grant_type": "password"}, (400, "unsupported_grant_type")),
        ({"client_assertion": "nonsense"}, (401, "invalid_client")),
        ({"scope": "everything"}, (400, "invalid_scope")),
    ],
)
async def test_a_refusal_is_worded_as_oauth_does(
    client_of: Callable[[str], httpx.AsyncClient],
    ring: KeyRing,
    services: Services,
    change: dict[str, str],
    refusal: tuple[int, str],
) -> None:
    answer = await client_of("").post("/auth/token", data=proof(ring, services) | change, headers=FORM)

    assert (answer.status_code, answer.json()["error"]) == refusal


async def test_a_token_request_must_be_a_form(client_of: Callable[[str], httpx.AsyncClient]) -> None:
    assert (await client_of("").post("/auth/token", json={})).status_code == 415


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/fhir/Patient"),
        ("GET", "/fhir/Patient/1"),
        ("POST", "/fhir"),
        ("POST", "/fhir/Patient/_search"),
        ("DELETE", "/fhir/Patient/1"),
        ("GET", "/fhir/AuditEvent"),
        ("GET", "/metrics"),
        ("GET", "/nothing"),
        ("GET", "/fhir/metadata/more"),
    ],
)
async def test_without_a_token_nothing_opens(
    client_of: Callable[[str], httpx.AsyncClient], method: str, path: str
) -> None:
    bare = await client_of("").request(method, path)
    forged = await client_of("").request(method, path, headers={"authorization": "Bearer a.b.c"})

    assert (bare.status_code, forged.status_code) == (401, 401)
    assert bare.headers["www-authenticate"].startswith("Bearer")
    assert bare.json()["issue"][0]["code"] == "login"


@pytest.mark.parametrize(
    "header",
    [b"", b"Bearer", b"Bearer ", b"Basic YTpi", b"Bearer \xe9\xff", b"Bearer a.b.c.d.e", b"Bearer " + b"x" * 9000],
)
async def test_no_authorization_header_makes_a_fault(
    client_of: Callable[[str], httpx.AsyncClient], header: bytes
) -> None:
    answer = await client_of("").get("/fhir/Patient", headers=[(b"authorization", header)])

    assert answer.status_code == 401


@pytest.mark.parametrize("claims", [b"[]", b"{}", b'{"iss":[]}', b"\xff", b'{"client_id":{},"scope":3}'])
async def test_no_forged_token_makes_a_fault(client_of: Callable[[str], httpx.AsyncClient], claims: bytes) -> None:
    parts = (b'{"alg":"none","typ":"at+jwt"}', claims, b"x")
    token = b".".join(urlsafe_b64encode(part).rstrip(b"=") for part in parts)

    bearer = await client_of("").get("/fhir/Patient", headers=[(b"authorization", b"Bearer " + token)])
    asked = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": token.decode(),
    }
    proven = await client_of("").post("/auth/token", data=asked, headers=FORM)

    assert (bearer.status_code, proven.status_code) == (401, 401)


async def test_a_client_finds_out_by_itself_where_its_token_is(
    client_of: Callable[[str], httpx.AsyncClient], services: Services
) -> None:
    answer = await client_of("").get("/fhir/.well-known/smart-configuration")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["token_endpoint"] == services.tokens.url
    assert "client-confidential-asymmetric" in answer.json()["capabilities"]
