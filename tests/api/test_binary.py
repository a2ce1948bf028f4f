"""Binary content: sent and fetched as what it is, or as a resource."""

from base64 import b64encode

import httpx
import pytest

pytestmark = pytest.mark.anyio

PDF = b"%PDF-1.7 \xff\x00 text"
AS_PDF = {"content-type": "application/pdf"}
PATIENT = {"resourceType": "Patient", "id": "p"}


async def test_content_comes_back_byte_for_byte(admin: httpx.AsyncClient) -> None:
    made = await admin.post("/fhir/Binary", content=PDF, headers=AS_PDF)
    assert made.status_code == 201
    assert made.json()["contentType"] == "application/pdf"

    fetched = await admin.get(f"/fhir/Binary/{made.json()['id']}", headers={"accept": "application/pdf"})
    assert fetched.content == PDF
    assert fetched.headers["content-type"] == "application/pdf"
    assert fetched.headers["etag"] == 'W/"1"'
    # Nobody's browser runs what was stored.
    assert fetched.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in fetched.headers["content-security-policy"]


async def test_who_asks_for_fhir_gets_the_resource(admin: httpx.AsyncClient) -> None:
    made = await admin.put("/fhir/Binary/b", content=PDF, headers=AS_PDF)
    assert made.status_code == 201
    data = b64encode(PDF).decode()
    for accept in ("application/fhir+json", "application/json", "text/html, application/fhir+json;q=0.5"):
        assert (await admin.get("/fhir/Binary/b", headers={"accept": accept})).json()["data"] == data
    assert (await admin.get("/fhir/Binary/b?_format=json")).json()["data"] == data
    xml = await admin.get("/fhir/Binary/b", headers={"accept": "application/fhir+xml"})
    assert '<contentType value="application/pdf"/>' in xml.text


async def test_a_resource_is_taken_as_ever(admin: httpx.AsyncClient) -> None:
    binary = {"resourceType": "Binary", "id": "b", "contentType": "text/plain", "data": b64encode(b"xin chao").decode()}
    assert (await admin.put("/fhir/Binary/b", json=binary)).status_code == 201
    assert (await admin.get("/fhir/Binary/b", headers={"accept": "text/plain"})).content == b"xin chao"
    assert (await admin.put("/fhir/Binary/b", content=PDF, headers=AS_PDF)).status_code == 200
    old = await admin.get("/fhir/Binary/b/_history/1", headers={"accept": "text/*"})
    assert old.content == b"xin chao"


async def test_xml_of_others_is_content_and_a_resource_in_it_is_told_how(admin: httpx.AsyncClient) -> None:
    headers = {"content-type": "text/xml"}
    cda = await admin.post("/fhir/Binary", content=b"<ClinicalDocument/>", headers=headers)
    assert cda.json()["contentType"] == "text/xml"
    refused = await admin.post("/fhir/Binary", content=b'<?xml version="1.0"?><Binary xmlns="x"/>', headers=headers)
    assert refused.status_code == 415
    assert "application/fhir+xml" in refused.text


async def test_the_security_context_is_kept(admin: httpx.AsyncClient) -> None:
    await admin.put("/fhir/Patient/p", json=PATIENT)
    made = await admin.post("/fhir/Binary", content=PDF, headers={**AS_PDF, "x-security-context": "Patient/p"})
    assert made.json()["securityContext"] == {"reference": "Patient/p"}


async def test_content_without_a_media_type_is_refused(admin: httpx.AsyncClient) -> None:
    for media_type in ("", "pdf", "application/pdf\t"):
        refused = await admin.post("/fhir/Binary", content=PDF, headers={"content-type": media_type})
        assert refused.status_code in (400, 415), media_type


async def test_a_type_search_and_a_deletion_work_as_for_any_type(admin: httpx.AsyncClient) -> None:
    await admin.put("/fhir/Binary/b", content=PDF, headers=AS_PDF)
    assert (await admin.get("/fhir/Binary")).json()["total"] == 1
    assert (await admin.delete("/fhir/Binary/b")).status_code == 204
    gone = await admin.get("/fhir/Binary/b", headers={"accept": "application/pdf"})
    assert gone.status_code == 410
    assert gone.json()["resourceType"] == "OperationOutcome"
