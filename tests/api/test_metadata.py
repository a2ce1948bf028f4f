"""The CapabilityStatement says what is wired, and only that."""

from collections.abc import Callable

import httpx
import pytest

from fhir_gateway.fhir.validation import validate

pytestmark = pytest.mark.anyio


async def test_anybody_may_read_what_the_server_can_do(client_of: Callable[[str], httpx.AsyncClient]) -> None:
    answer = await client_of("").get("/fhir/metadata")

    assert (answer.status_code, answer.json()["fhirVersion"], answer.json()["format"][0]) == (
        200,
        "4.0.1",
        "application/fhir+json",
    )
    assert "application/fhir+xml" in answer.json()["format"]
    assert "application/json-patch+json" in answer.json()["patchFormat"]
    assert validate(answer.json()) == ()


async def test_every_type_is_there_with_what_its_routes_do(client_of: Callable[[str], httpx.AsyncClient]) -> None:
    rest = (await client_of("").get("/fhir/metadata")).json()["rest"][0]
    types = {each["type"]: each for each in rest["resource"]}

    assert len(types) == 146
    offered = {each["code"] for each in types["Patient"]["interaction"]}
    assert offered == {
        "read",
        "vread",
        "history-instance",
        "history-type",
        "search-type",
        "create",
        "update",
        "patch",
        "delete",
    }
    assert {each["code"] for each in rest["interaction"]} == {"transaction", "batch", "history-system", "search-system"}
    assert types["Patient"]["conditionalDelete"] == "single"
    assert {"name": "birthdate", "type": "date"}.items() <= next(
        each for each in types["Patient"]["searchParam"] if each["name"] == "birthdate"
    ).items()
    assert "Observation:subject" in types["Observation"]["searchInclude"]
    assert types["Patient"]["searchRevInclude"] == ["*"]


async def test_nobody_is_told_that_the_audit_trail_can_be_written(
    client_of: Callable[[str], httpx.AsyncClient],
) -> None:
    rest = (await client_of("").get("/fhir/metadata")).json()["rest"][0]
    trail = next(each for each in rest["resource"] if each["type"] == "AuditEvent")

    assert {each["code"] for each in trail["interaction"]} == {
        "read",
        "vread",
        "history-instance",
        "history-type",
        "search-type",
    }


async def test_the_statement_names_the_token_endpoint(client_of: Callable[[str], httpx.AsyncClient]) -> None:
    assert b"http://gateway/auth/token" in (await client_of("").get("/fhir/metadata")).content


async def test_what_the_terminology_service_can_do_is_told_too(client_of: Callable[[str], httpx.AsyncClient]) -> None:
    told = (await client_of("").get("/fhir/metadata?mode=terminology")).json()

    assert told["resourceType"] == "TerminologyCapabilities"
    assert {"uri": "http://hl7.org/fhir/administrative-gender"} in told["codeSystem"]
    assert {"name": "filter"} in told["expansion"]["parameter"]
    assert validate(told) == ()
    assert (await client_of("").get("/fhir/metadata?mode=normative")).json()["resourceType"] == "CapabilityStatement"
    assert (await client_of("").get("/fhir/metadata?mode=half")).status_code == 400
