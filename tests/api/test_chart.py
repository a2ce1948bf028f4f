"""A patient's record as a whole, by HTTP."""

from urllib.parse import urlsplit

import httpx
import pytest

from fhir_gateway.fhir.validation import validate

pytestmark = pytest.mark.anyio

ABOUT = {"subject": {"reference": "Patient/p"}}


@pytest.fixture
async def chart(admin: httpx.AsyncClient) -> httpx.AsyncClient:
    await admin.put("/fhir/Patient/p", json={"resourceType": "Patient", "id": "p", "active": True,
                                             "identifier": [{"system": "urn:n", "value": "1"}]})  # fmt: skip
    for name in ("a", "b", "c"):
        facts = {"status": "final", "code": {"text": name}, "effectiveDateTime": "2026-01-01"}
        one = {"resourceType": "Observation", "id": name, **facts, **ABOUT}
        await admin.put(f"/fhir/Observation/{name}", json=one)
    return admin


async def test_following_next_gives_everything_once(chart: httpx.AsyncClient) -> None:
    url, found = "/fhir/Patient/p/$everything?_count=2", []
    while url:
        page = (await chart.get(url)).json()
        assert validate(page) == ()
        found += [entry["resource"]["id"] for entry in page["entry"]]
        following = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
        url = following and f"{urlsplit(following).path}?{urlsplit(following).query}"

    assert found == ["p", "a", "b", "c"]


async def test_everything_takes_its_arguments_from_parameters_too(chart: httpx.AsyncClient) -> None:
    sent = {"resourceType": "Parameters", "parameter": [{"name": "_type", "valueString": "Observation"}]}
    page = (await chart.post("/fhir/Patient/p/$everything", json=sent)).json()

    assert [entry["resource"]["id"] for entry in page["entry"]] == ["a", "b", "c"]
    assert page["total"] == 3


@pytest.mark.parametrize(
    ("query", "status"),
    [("_since=yesterday", 400), ("_type=Foo", 400), ("start=2026", 200), ("start=2026-13", 400),
     ("end=x", 400), ("nme=x", 400), ("_cursor=x", 400),
     ("_count=-1", 400), ("_since=2026-01-01", 200), ("_count=0", 200)],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused(chart: httpx.AsyncClient, query: str, status: int) -> None:
    assert (await chart.get(f"/fhir/Patient/p/$everything?{query}")).status_code == status


async def test_a_body_that_is_no_parameters_is_refused(chart: httpx.AsyncClient) -> None:
    assert (await chart.post("/fhir/Patient/p/$everything", json={"resourceType": "Patient"})).status_code == 400


async def test_a_summary_is_found_by_number_as_by_id(chart: httpx.AsyncClient) -> None:
    by_number = await chart.get("/fhir/Patient/$summary?identifier=urn:n|1")
    by_id = await chart.get("/fhir/Patient/p/$summary")

    assert (by_number.status_code, by_id.status_code) == (200, 200)
    assert by_number.json()["entry"][0]["resource"]["subject"] == {"reference": "Patient/p"}
    assert (await chart.get("/fhir/Patient/$summary?identifier=urn:n|2")).status_code == 404
    assert (await chart.get("/fhir/Patient/$summary")).status_code == 400


async def test_lastn_gives_one_of_each_code(chart: httpx.AsyncClient) -> None:
    page = (await chart.get("/fhir/Observation/$lastn?patient=p&max=1")).json()

    assert (page["total"], validate(page)) == (3, ())
    assert (await chart.get("/fhir/Observation/$lastn?patient=p&max=0")).status_code == 400


async def test_a_document_can_be_kept_as_a_bundle(chart: httpx.AsyncClient) -> None:
    composition = {"resourceType": "Composition", "id": "c", "status": "final", "type": {"text": "x"}, "title": "x",
                   "date": "2026", "author": [{"display": "BS"}], **ABOUT}  # fmt: skip
    await chart.put("/fhir/Composition/c", json=composition)
    made = (await chart.get("/fhir/Composition/c/$document?persist=true")).json()

    assert [entry["resource"]["resourceType"] for entry in made["entry"]] == ["Composition", "Patient"]
    assert (await chart.get(f"/fhir/Bundle/{made['id']}")).status_code == 200
