"""Search over HTTP: pages, links, totals, what is brought along, what is refused."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.anyio


async def _patients(admin: httpx.AsyncClient, count: int) -> list[str]:
    bodies = [
        {"resourceType": "Patient", "id": f"p{number:02}", "name": [{"family": "Trần", "given": [f"Số {number}"]}]}
        for number in range(count)
    ]
    answers = await asyncio.gather(*(admin.put(f"/fhir/Patient/{body['id']}", json=body) for body in bodies))
    assert {answer.status_code for answer in answers} == {201}
    return [str(body["id"]) for body in bodies]


def ids(bundle: dict[str, Any], mode: str = "match") -> list[str]:
    return [entry["resource"]["id"] for entry in bundle.get("entry", ()) if entry["search"]["mode"] == mode]


def link(bundle: dict[str, Any], relation: str) -> str:
    return next((each["url"] for each in bundle["link"] if each["relation"] == relation), "")


async def test_pages_follow_each_other_without_gap_or_repeat(admin: httpx.AsyncClient) -> None:
    expected = await _patients(admin, 7)
    seen, sizes, address = [], [], "/fhir/Patient?family=tran&_count=3"
    while address:
        page = (await admin.get(address)).json()
        assert (page["type"], page["total"]) == ("searchset", 7)
        seen += ids(page)
        sizes.append(len(ids(page)))
        address = link(page, "next")

    assert (sorted(seen), sizes) == (expected, [3, 3, 1])


async def test_a_page_of_a_sorted_search_goes_on_where_the_last_ended(admin: httpx.AsyncClient) -> None:
    expected = await _patients(admin, 5)
    first = (await admin.get("/fhir/Patient?_sort=-given&_count=2")).json()
    second = (await admin.get(link(first, "next"))).json()
    third = (await admin.get(link(second, "next"))).json()

    assert ids(first) + ids(second) + ids(third) == expected[::-1]


async def test_the_first_link_leads_back(admin: httpx.AsyncClient) -> None:
    await _patients(admin, 3)
    first = (await admin.get("/fhir/Patient?_count=2")).json()
    second = (await admin.get(link(first, "next"))).json()

    assert ids((await admin.get(link(second, "first"))).json()) == ids(first)
    assert ids((await admin.get(link(second, "self"))).json()) == ids(second)


async def test_the_body_of_a_match_is_the_stored_text(admin: httpx.AsyncClient) -> None:
    content = (
        '{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"valueQuantity":{"value":7.20}}'
    )
    await admin.put("/fhir/Observation/o", content=content)

    found = await admin.get("/fhir/Observation?_id=o")

    assert (await admin.get("/fhir/Observation/o")).content in found.content
    assert b'"value":7.20' in found.content


async def test_post_and_get_find_the_same(admin: httpx.AsyncClient) -> None:
    await _patients(admin, 2)
    form = {"content-type": "application/x-www-form-urlencoded"}

    posted = await admin.post("/fhir/Patient/_search?_count=1", content="family=tran", headers=form)
    got = await admin.get("/fhir/Patient?family=tran&_count=1")

    assert posted.status_code == 200
    assert ids(posted.json()) == ids(got.json())


async def test_what_cannot_be_searched_is_refused_with_the_nearest_name(admin: httpx.AsyncClient) -> None:
    wrong = await admin.get("/fhir/Patient?famly=tran")
    lenient = await admin.get("/fhir/Patient?famly=tran&gender=male", headers={"prefer": "handling=lenient"})

    assert wrong.status_code == 400
    assert "family" in wrong.json()["issue"][0]["diagnostics"]
    assert wrong.json()["issue"][0]["expression"] == ["famly"]
    assert lenient.status_code == 200
    assert "famly" not in link(lenient.json(), "self")


async def test_the_distance_of_a_place_stands_beside_it_in_json_and_xml(admin: httpx.AsyncClient) -> None:
    position = {"latitude": 20.9578, "longitude": 107.0203}
    await admin.put("/fhir/Location/l", json={"resourceType": "Location", "id": "l", "position": position})
    address = "/fhir/Location?near=20.9712|107.0448|10|km"

    search = (await admin.get(address)).json()["entry"][0]["search"]
    written = (await admin.get(f"{address}&_format=xml")).text

    assert search["mode"] == "match"
    assert search["extension"][0]["url"].endswith("/location-distance")
    assert search["extension"][0]["valueDistance"]["value"] == pytest.approx(2.95, abs=0.02)
    assert '<extension url="http://hl7.org/fhir/StructureDefinition/location-distance"><valueDistance>' in written
    assert "extension" not in (await admin.get("/fhir/Location")).json()["entry"][0]["search"]


async def test_a_contained_resource_has_the_address_of_its_container(admin: httpx.AsyncClient) -> None:
    medication = {"resourceType": "Medication", "id": "m1", "code": {"text": "x"}, "status": "active"}
    facts = {"status": "active", "intent": "order", "subject": {"reference": "Patient/p"}}
    request = {"resourceType": "MedicationRequest", "id": "23", "contained": [medication], **facts}
    await admin.put("/fhir/MedicationRequest/23", json={**request, "medicationReference": {"reference": "#m1"}})
    asked = "/fhir/Medication?status=active&_contained=true"

    alone = (await admin.get(f"{asked}&_containedType=contained")).json()
    whole = (await admin.get(f"{asked}&_summary=true")).json()
    in_xml = await admin.get(f"{asked}&_containedType=contained&_format=xml")
    form = {"content-type": "application/x-www-form-urlencoded"}
    posted = await admin.post("/fhir/Medication/_search", content="status=active&_contained=both", headers=form)

    (entry,) = alone["entry"]
    assert entry["fullUrl"].endswith("/fhir/MedicationRequest/23#m1")
    assert (entry["resource"], entry["search"]) == (medication, {"mode": "match"})
    assert link(alone, "self").endswith("Medication?status=active&_contained=true&_containedType=contained")
    assert [one["resource"]["resourceType"] for one in whole["entry"]] == ["MedicationRequest"]
    assert "MedicationRequest/23#m1" in in_xml.text
    assert posted.json()["total"] == 1
    assert (await admin.get("/fhir?_type=Medication&_contained=true")).status_code == 400
    assert (await admin.get("/fhir/Patient/p/MedicationRequest?_contained=true")).status_code == 400


async def test_the_total_is_a_number_unless_nobody_wants_it(admin: httpx.AsyncClient) -> None:
    await _patients(admin, 3)

    assert (await admin.get("/fhir/Patient?_count=2")).json()["total"] == 3
    assert "total" not in (await admin.get("/fhir/Patient?_count=2&_total=none")).json()
    counted = (await admin.get("/fhir/Patient?_count=0")).json()
    assert (counted["total"], "entry" in counted) == (3, False)
    assert (await admin.get("/fhir/Patient?_summary=count")).json()["total"] == 3


async def test_referred_and_referring_records_come_along(admin: httpx.AsyncClient) -> None:
    await _patients(admin, 2)
    observation = {
        "resourceType": "Observation",
        "id": "o",
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": "Patient/p00"},
    }
    await admin.put("/fhir/Observation/o", json=observation)

    forward = (await admin.get("/fhir/Observation?_id=o&_include=Observation:subject")).json()
    backward = (await admin.get("/fhir/Patient?_id=p00&_revinclude=Observation:subject")).json()

    assert (ids(forward), ids(forward, "include")) == (["o"], ["p00"])
    assert (ids(backward), ids(backward, "include")) == (["p00"], ["o"])
    assert backward["total"] == 1


@pytest.mark.parametrize(
    "query",
    [
        "birthdate=yesterday",
        "_count=-1",
        "_sort=nothing",
        "_include=Patient",
        "_cursor=bm90aGluZw",
        "name=%FF",
        "name=%00",
        "family:above=x",
        "&".join(["gender=male"] * 30),
        f"name={'x' * 3000}",
    ],
)
async def test_a_search_that_makes_no_sense_is_refused(admin: httpx.AsyncClient, query: str) -> None:
    answer = await admin.get(f"/fhir/Patient?{query}")

    assert answer.status_code in (400, 413)
    assert answer.json()["resourceType"] == "OperationOutcome"


async def test_a_cursor_of_another_search_is_refused(admin: httpx.AsyncClient) -> None:
    await _patients(admin, 2)
    page = (await admin.get("/fhir/Patient?family=tran&_count=1")).json()
    cursor = link(page, "next").partition("_cursor=")[2]

    assert (await admin.get(f"/fhir/Patient?family=le&_count=1&_cursor={cursor}")).status_code == 400


async def test_a_hospital_finds_its_own_alone(client_of: Callable[[str], httpx.AsyncClient]) -> None:
    bai_chay, san_nhi = client_of("bai-chay"), client_of("san-nhi")
    own = (await bai_chay.post("/fhir/Patient", json={"resourceType": "Patient", "name": [{"family": "Lê"}]})).json()
    await san_nhi.post("/fhir/Patient", json={"resourceType": "Patient", "name": [{"family": "Lê"}]})

    found = (await bai_chay.get("/fhir/Patient?family=le")).json()

    assert (ids(found), found["total"]) == ([own["id"]], 1)


async def test_an_include_does_not_open_what_is_hidden(client_of: Callable[[str], httpx.AsyncClient]) -> None:
    bai_chay, san_nhi = client_of("bai-chay"), client_of("san-nhi")
    hidden = (await san_nhi.post("/fhir/Patient", json={"resourceType": "Patient"})).json()["id"]
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": f"Patient/{hidden}"},
    }
    await bai_chay.post("/fhir/Observation", json=observation)

    found = (await bai_chay.get("/fhir/Observation?_include=Observation:subject")).json()

    assert (len(ids(found)), ids(found, "include")) == (1, [])


async def test_the_previous_link_leads_back(admin: httpx.AsyncClient) -> None:
    await _patients(admin, 5)
    first = (await admin.get("/fhir/Patient?_sort=given&_count=2&family=tran")).json()
    second = (await admin.get(link(first, "next"))).json()
    back = (await admin.get(link(second, "previous"))).json()

    assert (link(first, "previous"), ids(back)) == ("", ids(first))
    assert ids((await admin.get(link(back, "next"))).json()) == ids(second)


async def test_an_explanation_comes_as_an_outcome_beside_the_matches(admin: httpx.AsyncClient) -> None:
    await _patients(admin, 20)
    page = (await admin.get("/fhir/Patient?given=so 7&_explain=true")).json()
    (told,) = [entry["resource"] for entry in page["entry"] if entry["search"]["mode"] == "outcome"]

    assert told["resourceType"] == "OperationOutcome"
    assert "index keys" in told["issue"][0]["diagnostics"]
    assert (page["total"], len(ids(page))) == (1, 1)


async def test_the_whole_system_and_a_compartment_are_searched(admin: httpx.AsyncClient) -> None:
    await _patients(admin, 2)
    await admin.put("/fhir/Observation/o", json={**OBSERVATION, "id": "o", "subject": {"reference": "Patient/p00"}})
    form = {"content-type": "application/x-www-form-urlencoded"}

    whole = (await admin.get("/fhir?_type=Patient,Observation&_count=2")).json()
    posted = (await admin.post("/fhir/_search", content="_type=Patient,Observation&_count=2", headers=form)).json()
    inside = (await admin.get("/fhir/Patient/p00/Observation?status=final")).json()
    all_inside = (await admin.get("/fhir/Patient/p00/*")).json()

    assert (ids(whole), whole["total"]) == (["o", "p00"], 3)
    assert ids(posted) == ids(whole)
    assert ids((await admin.get(link(whole, "next"))).json()) == ["p01"]
    assert link(whole, "self") == "http://gateway/fhir?_type=Patient,Observation&_count=2"
    assert ids(inside) == ["o"]
    assert link(inside, "self") == "http://gateway/fhir/Patient/p00/Observation?status=final"
    assert sorted(ids(all_inside)) == ["o", "p00"]
    assert (await admin.get("/fhir/Patient/p00/Nothing")).status_code == 404


async def test_chains_and_value_sets_are_searched(admin: httpx.AsyncClient) -> None:
    await _patients(admin, 2)
    await admin.put("/fhir/Observation/o", json={**OBSERVATION, "id": "o", "subject": {"reference": "Patient/p00"}})

    assert ids((await admin.get("/fhir/Observation?subject:Patient.family=tran")).json()) == ["o"]
    assert ids((await admin.get("/fhir/Patient?_has:Observation:patient:status=final")).json()) == ["p00"]
    unknown = await admin.get("/fhir/Observation?code:in=http://nowhere")
    assert (unknown.status_code, unknown.json()["issue"][0]["code"]) == (404, "not-found")


OBSERVATION = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}


async def test_a_batch_searches_the_system_and_compartments_too(admin: httpx.AsyncClient) -> None:
    await _patients(admin, 1)
    await admin.put("/fhir/Observation/o", json={**OBSERVATION, "id": "o", "subject": {"reference": "Patient/p00"}})
    asked = ("?_type=Patient,Observation", "Patient/p00/Observation", "Observation?subject.name=tran")
    entries = [{"request": {"method": "GET", "url": url}} for url in asked]

    answer = await admin.post("/fhir", json={"resourceType": "Bundle", "type": "batch", "entry": entries})

    assert [entry["resource"]["total"] for entry in answer.json()["entry"]] == [2, 1, 1]


async def test_an_own_address_in_a_record_is_found_as_its_type_and_id(admin: httpx.AsyncClient) -> None:
    await admin.put("/fhir/Patient/a", json={"resourceType": "Patient", "id": "a"})
    base = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    sent = {**base, "subject": {"reference": "http://gateway/fhir/Patient/a"}}
    request = {"method": "POST", "url": "Observation"}
    kept = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": sent}]}
    await admin.post("/fhir/Observation", json=sent)
    await admin.post("/fhir", json={**kept, "type": "transaction", "entry": [{"resource": sent, "request": request}]})
    stored = await admin.post("/fhir/Bundle", json=kept)

    found = (await admin.get("/fhir/Observation?subject=Patient/a&_include=Observation:subject")).json()

    assert (found["total"], ids(found, "include")) == (2, ["a"])
    assert stored.json()["entry"][0]["resource"]["subject"] == sent["subject"]
