"""JSON and XML, whole and in part, in and out."""

import httpx
import pytest

from fhir_gateway.fhir.codec import decode_resource as decode_json
from fhir_gateway.fhir.xml.reading import decode_resource
from fhir_gateway.fhir.xml.writing import encode

pytestmark = pytest.mark.anyio

XML = {"accept": "application/fhir+xml"}
DIV = '<div xmlns="http://www.w3.org/1999/xhtml">Sốt</div>'
OBSERVATION = {
    "resourceType": "Observation",
    "id": "o",
    "text": {"status": "generated", "div": DIV},
    "status": "final",
    "code": {"text": "Glucose"},
    "subject": {"display": "Lê An"},
}


@pytest.fixture
async def stored(admin: httpx.AsyncClient) -> None:
    body = encode(OBSERVATION).replace(
        b"</Observation>", b'<valueQuantity><value value="7.20"/></valueQuantity></Observation>'
    )
    answer = await admin.put("/fhir/Observation/o", content=body, headers={"content-type": "application/fhir+xml"})
    assert (answer.status_code, answer.json()["valueQuantity"]) == (201, {"value": 7.2})


@pytest.mark.usefixtures("stored")
async def test_what_came_as_xml_goes_out_in_both_forms_with_every_digit(admin: httpx.AsyncClient) -> None:
    as_json = await admin.get("/fhir/Observation/o")
    as_xml = await admin.get("/fhir/Observation/o", headers=XML)

    assert b'"value":7.20' in as_json.content
    assert b'<value value="7.20"/>' in as_xml.content
    assert DIV in as_xml.text
    assert as_xml.headers["content-type"] == "application/fhir+xml"
    assert as_xml.headers["etag"] == as_json.headers["etag"]
    assert decode_resource(as_xml.content) == decode_json(as_json.content)


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("path", ["/fhir/Observation?_id=o", "/fhir/Observation/o/_history", "/fhir/metadata"])
async def test_bundles_and_the_capabilities_go_out_as_xml(admin: httpx.AsyncClient, path: str) -> None:
    answer = await admin.get(path, params={"_format": "xml"} if "?" not in path else None, headers=XML)

    assert answer.status_code == 200
    assert decode_resource(answer.content)["resourceType"] in ("Bundle", "CapabilityStatement")


async def test_a_transaction_comes_and_goes_as_xml(admin: httpx.AsyncClient) -> None:
    request = {"method": "POST", "url": "Patient"}
    bundle = {"resourceType": "Bundle", "type": "transaction"}
    bundle["entry"] = [{"resource": {"resourceType": "Patient", "active": True}, "request": request}]  # type: ignore[assignment]
    answer = await admin.post("/fhir", content=encode(bundle), headers={"content-type": "application/xml", **XML})

    assert decode_resource(answer.content)["entry"][0]["response"]["status"] == "201 Created"


@pytest.mark.parametrize("path", ["/fhir/Patient/none", "/fhir/Patient?nam=x", "/fhir/Nothing"])
async def test_a_refusal_speaks_the_language_asked_for(admin: httpx.AsyncClient, path: str) -> None:
    answer = await admin.get(path, headers=XML)

    assert answer.status_code in (400, 404)
    assert decode_resource(answer.content)["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"<Patient xmlns='http://hl7.org/fhir'><colour value='x'/></Patient>", "Patient.colour"),
        (b"<!DOCTYPE a><Patient xmlns='http://hl7.org/fhir'/>", "line 1, column 1"),
    ],
)
async def test_a_fault_in_xml_is_told_with_its_place(admin: httpx.AsyncClient, body: bytes, where: str) -> None:
    answer = await admin.post("/fhir/Patient", content=body, headers={"content-type": "application/fhir+xml"})

    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (400, [where])


@pytest.mark.usefixtures("stored")
async def test_pretty_text_has_lines(admin: httpx.AsyncClient) -> None:
    plain = await admin.get("/fhir/Observation/o")
    as_json = await admin.get("/fhir/Observation/o?_pretty=true")
    as_xml = await admin.get("/fhir/Observation/o?_pretty=true&_format=xml")

    assert b'\n  "id": "o"' in as_json.content
    assert decode_json(as_json.content) == decode_json(plain.content)
    assert b"\n  <id " in as_xml.content
    assert (await admin.get("/fhir/Observation/o?_pretty=please")).status_code == 400


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("_summary=true", {"status", "code", "subject", "valueQuantity"}),
        ("_summary=text", {"text", "status", "code"}),
        ("_summary=data", {"status", "code", "subject", "valueQuantity"}),
        ("_elements=value", {"status", "code", "valueQuantity"}),
        ("_summary=false", {"text", "status", "code", "subject", "valueQuantity"}),
    ],
)
async def test_a_part_is_marked_and_nowhere_more_than_asked_for(
    admin: httpx.AsyncClient, query: str, names: set[str]
) -> None:
    read = (await admin.get(f"/fhir/Observation/o?{query}")).json()
    found = (await admin.get(f"/fhir/Observation?_id=o&{query}")).json()
    told = (await admin.get(f"/fhir/Observation/o/_history?{query}")).json()

    assert read.keys() - {"resourceType", "id", "meta"} == names
    assert [entry["resource"] for bundle in (found, told) for entry in bundle["entry"]] == [read, read]
    assert ("tag" in read["meta"]) == (query != "_summary=false")
    assert query in next(link["url"] for link in found["link"] if link["relation"] == "self")


@pytest.mark.usefixtures("stored")
async def test_a_count_has_no_entries(admin: httpx.AsyncClient) -> None:
    found = (await admin.get("/fhir/Observation?_summary=count")).json()

    assert (found["total"], "entry" in found) == (1, False)
    assert (await admin.get("/fhir/Observation/o?_summary=count")).status_code == 400


@pytest.mark.usefixtures("stored")
async def test_a_part_cannot_be_written_back_over_the_whole(admin: httpx.AsyncClient) -> None:
    part = (await admin.get("/fhir/Observation/o?_summary=true")).json()

    answer = await admin.put("/fhir/Observation/o", json=part)
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (422, ["meta.tag[0]"])


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("query", ["_elements=valeu", "_summary=yes", "_summary=text&_include=Observation:subject"])
async def test_what_is_not_understood_of_a_part_is_refused(admin: httpx.AsyncClient, query: str) -> None:
    assert (await admin.get(f"/fhir/Observation?{query}")).status_code == 400


@pytest.mark.usefixtures("stored")
async def test_a_form_may_ask_for_xml_and_parts(admin: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await admin.post("/fhir/Observation/_search", content="_id=o&_format=xml&_elements=code", headers=headers)

    (entry,) = decode_resource(answer.content)["entry"]
    assert "valueQuantity" not in entry["resource"]


@pytest.mark.usefixtures("stored")
async def test_head_has_the_headers_of_xml_and_no_body(admin: httpx.AsyncClient) -> None:
    whole = await admin.get("/fhir/Observation/o", headers=XML)
    head = await admin.head("/fhir/Observation/o", headers=XML)

    assert (head.content, head.headers["content-length"]) == (b"", str(len(whole.content)))
