"""PATCH of one resource, of the one that matches, and inside Bundles."""

import asyncio
from base64 import b64encode
from typing import Any

import httpx
import pytest

from fhir_gateway.fhir.codec import encode
from fhir_gateway.fhir.xml.writing import encode as encode_xml

pytestmark = pytest.mark.anyio

JSON_PATCH = {"content-type": "application/json-patch+json"}
IDENTIFIER = {"system": "http://mrn", "value": "1"}
PATIENT = {"resourceType": "Patient", "id": "p", "active": True, "identifier": [IDENTIFIER]}


def json_patch(*operations: dict[str, Any]) -> bytes:
    return encode(list(operations))


def male() -> bytes:
    return json_patch({"op": "add", "path": "/gender", "value": "male"})


def replacing(path: str, value: dict[str, Any]) -> dict[str, Any]:
    parts = [
        {"name": "type", "valueCode": "replace"},
        {"name": "path", "valueString": path},
        {"name": "value", **value},
    ]
    return {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]}


def bundle(kind: str, *entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def patching(url: str, resource: dict[str, Any], **request: str) -> dict[str, Any]:
    return {"resource": resource, "request": {"method": "PATCH", "url": url, **request}}


def binary(body: bytes, media_type: str = JSON_PATCH["content-type"]) -> dict[str, Any]:
    return {"resourceType": "Binary", "contentType": media_type, "data": b64encode(body).decode()}


@pytest.fixture(autouse=True)
async def stored(admin: httpx.AsyncClient) -> None:
    assert (await admin.put("/fhir/Patient/p", json=PATIENT)).status_code == 201


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/json-patch+json", json_patch({"op": "replace", "path": "/active", "value": False})),
        ("application/fhir+json", encode(replacing("Patient.active", {"valueBoolean": False}))),
        ("application/fhir+xml", encode_xml(replacing("Patient.active", {"valueBoolean": False}))),
        (
            "application/xml-patch+xml",
            b'<diff xmlns:f="http://hl7.org/fhir"><replace sel="f:Patient/f:active/@value">false</replace></diff>',
        ),
    ],
)
async def test_every_kind_of_patch_makes_the_next_version(
    admin: httpx.AsyncClient, media_type: str, body: bytes
) -> None:
    answer = await admin.patch("/fhir/Patient/p", content=body, headers={"content-type": media_type})

    assert (answer.status_code, answer.json()["active"]) == (200, False)
    assert (answer.headers["etag"], answer.json()["meta"]["versionId"]) == ('W/"2"', "2")
    assert (await admin.get("/fhir/Patient?active=false")).json()["total"] == 1


async def test_a_patch_names_the_version_it_is_meant_for(admin: httpx.AsyncClient) -> None:
    first = await admin.patch("/fhir/Patient/p", content=male(), headers={**JSON_PATCH, "if-match": 'W/"1"'})
    stale = json_patch({"op": "remove", "path": "/photo"})
    second = await admin.patch("/fhir/Patient/p", content=stale, headers={**JSON_PATCH, "if-match": 'W/"1"'})
    entry = patching("Patient/p", binary(male()), ifMatch='W/"1"')
    third = await admin.post("/fhir", json=bundle("transaction", entry))

    assert (first.status_code, second.status_code, third.status_code) == (200, 412, 412)
    assert third.json()["issue"][0]["expression"] == ["Bundle.entry[0].request.ifMatch"]


async def test_patches_at_the_same_time_are_all_kept(admin: httpx.AsyncClient) -> None:
    bodies = [json_patch({"op": "add", "path": "/name/-", "value": {"text": str(number)}}) for number in range(8)]
    await admin.patch(
        "/fhir/Patient/p",
        content=json_patch({"op": "add", "path": "/name", "value": [{"text": "x"}]}),
        headers=JSON_PATCH,
    )

    answers = await asyncio.gather(
        *(admin.patch("/fhir/Patient/p", content=body, headers=JSON_PATCH) for body in bodies)
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len((await admin.get("/fhir/Patient/p")).json()["name"]) == 9


async def test_a_condition_finds_what_is_patched(admin: httpx.AsyncClient) -> None:
    found = await admin.patch("/fhir/Patient?identifier=http://mrn|1", content=male(), headers=JSON_PATCH)
    none = await admin.patch("/fhir/Patient?identifier=http://mrn|2", content=male(), headers=JSON_PATCH)
    await admin.post("/fhir/Patient", json={"resourceType": "Patient", "identifier": [IDENTIFIER]})
    several = await admin.patch("/fhir/Patient?identifier=http://mrn|1", content=male(), headers=JSON_PATCH)

    assert (found.status_code, found.json()["id"]) == (200, "p")
    assert (none.status_code, several.status_code) == (404, 412)


@pytest.mark.parametrize(
    ("path", "body", "status", "where"),
    [
        ("p", b"{}", 400, "patch"),
        ("p", json_patch({"op": "remove", "path": "/photo"}), 422, "patch[0].path"),
        ("p", json_patch({"op": "add", "path": "/colour", "value": 1}), 422, "Patient.colour"),
        ("p", json_patch({"op": "add", "path": "/gender", "value": "x"}), 422, "Patient.gender"),
        ("p", json_patch({"op": "replace", "path": "/id", "value": "q"}), 422, "id"),
        ("none", male(), 404, "Patient.id"),
    ],
)
async def test_a_patch_that_cannot_be_done_changes_nothing(
    admin: httpx.AsyncClient, path: str, body: bytes, status: int, where: str
) -> None:
    answer = await admin.patch(f"/fhir/Patient/{path}", content=body, headers=JSON_PATCH)

    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (status, [where])
    assert (await admin.get("/fhir/Patient/p")).json()["meta"]["versionId"] == "1"


async def test_what_is_deleted_is_gone_for_a_patch_too(admin: httpx.AsyncClient) -> None:
    await admin.delete("/fhir/Patient/p")

    assert (await admin.patch("/fhir/Patient/p", content=male(), headers=JSON_PATCH)).status_code == 410


async def test_a_body_of_another_kind_is_no_patch(admin: httpx.AsyncClient) -> None:
    answer = await admin.patch("/fhir/Patient/p", content=b"x", headers={"content-type": "text/plain"})

    assert answer.status_code == 415


async def test_a_transaction_patches_with_links_to_its_own_entries(admin: httpx.AsyncClient) -> None:
    organization = {
        "fullUrl": "urn:uuid:0b8e2d2e-6f1c-4b0e-9d9b-3c6d8f0b7a11",
        "resource": {"resourceType": "Organization", "name": "O"},
        "request": {"method": "POST", "url": "Organization"},
    }
    link = {"op": "add", "path": "/managingOrganization", "value": {"reference": organization["fullUrl"]}}
    sent = bundle("transaction", patching("Patient/p", binary(json_patch(link))), organization)
    answer = await admin.post("/fhir", json=sent)

    assert [entry["response"]["status"] for entry in answer.json()["entry"]] == ["200 OK", "201 Created"]
    made = answer.json()["entry"][1]["response"]["location"].split("/_history")[0].rpartition("Organization/")[2]
    patient = (await admin.get("/fhir/Patient/p")).json()
    assert patient["managingOrganization"] == {"reference": f"Organization/{made}"}


async def test_a_bundle_takes_fhirpath_patches_and_conditions(admin: httpx.AsyncClient) -> None:
    entry = patching("Patient?identifier=http://mrn|1", replacing("Patient.active", {"valueBoolean": False}))
    for kind in ("transaction", "batch"):
        answer = await admin.post("/fhir", json=bundle(kind, entry))
        assert answer.json()["entry"][0]["response"]["status"] == "200 OK"
    assert (await admin.get("/fhir/Patient/p")).json()["meta"]["versionId"] == "3"


@pytest.mark.parametrize(
    ("resource", "status", "where"),
    [
        (PATIENT, 400, "Bundle.entry[1].resource"),
        (binary(b"x", "text/plain"), 400, "Bundle.entry[1].resource: Binary.contentType"),
        (binary(b"{}"), 400, "Bundle.entry[1].resource: patch"),
        (
            replacing("Patient.photo", {"valueString": "x"}),
            422,
            "Bundle.entry[1].resource: Parameters.parameter[0].part('path')",
        ),
    ],
)
async def test_a_patch_that_fails_fails_its_transaction(
    admin: httpx.AsyncClient, resource: dict[str, Any], status: int, where: str
) -> None:
    create = {
        "resource": {"resourceType": "Organization", "name": "O"},
        "request": {"method": "POST", "url": "Organization"},
    }
    answer = await admin.post("/fhir", json=bundle("transaction", create, patching("Patient/p", resource)))

    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (status, [where])
    assert (await admin.get("/fhir/Organization")).json()["total"] == 0


async def test_a_merge_patch_says_what_shall_be(admin: httpx.AsyncClient) -> None:
    await admin.put("/fhir/Patient/p", json=PATIENT)
    change = encode({"gender": "male", "active": None})
    merged = await admin.patch(
        "/fhir/Patient/p", content=change, headers={"content-type": "application/merge-patch+json"}
    )

    assert merged.json()["gender"] == "male"
    assert "active" not in merged.json()
    assert merged.json()["identifier"] == [IDENTIFIER]


async def test_plain_json_is_the_patch_that_it_looks_like(admin: httpx.AsyncClient) -> None:
    await admin.put("/fhir/Patient/p", json=PATIENT)
    headers = {"content-type": "application/json"}
    for change in (male(), encode({"gender": "female"}), encode(replacing("Patient.gender", {"valueCode": "other"}))):
        answer = await admin.patch("/fhir/Patient/p", content=change, headers=headers)
        assert answer.status_code == 200, answer.text
    assert answer.json()["gender"] == "other"
    assert answer.json()["identifier"] == [IDENTIFIER]
