"""The life of one resource over HTTP: https://hl7.org/fhir/R4/http.html"""

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.anyio

WEIGHT = (
    '{"resourceType":"Observation","status":"final","code":{"text":"potassium"},'
    '"valueQuantity":{"value":7.20,"unit":"mmol/L"}}'
)


def patient(family: str = "An", **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "name": [{"family": family}], **more}


async def created(client: httpx.AsyncClient, resource: dict[str, Any]) -> str:
    answer = await client.post(f"/fhir/{resource['resourceType']}", json=resource)
    assert answer.status_code == 201, answer.text
    return f"/fhir/{resource['resourceType']}/{answer.json()['id']}"


async def test_a_resource_lives_from_create_to_gone(admin: httpx.AsyncClient) -> None:
    made = await admin.post("/fhir/Patient", json=patient())
    place = made.headers["location"].removesuffix("/_history/1")
    read = await admin.get(place)
    changed = await admin.put(place, json={**read.json(), "gender": "male"})
    first = await admin.get(f"{place}/_history/1")
    removed = await admin.delete(place)
    gone = await admin.get(place)
    gone_version = await admin.get(f"{place}/_history/3")

    assert (made.status_code, made.headers["etag"]) == (201, 'W/"1"')
    assert read.json() == made.json()
    assert (changed.status_code, changed.headers["etag"], changed.json()["gender"]) == (200, 'W/"2"', "male")
    assert "gender" not in first.json()
    assert removed.status_code == 204
    assert (gone.status_code, gone_version.status_code) == (410, 410)
    assert gone.json()["issue"][0]["code"] == "deleted"


async def test_the_text_of_a_decimal_survives(admin: httpx.AsyncClient) -> None:
    made = await admin.post("/fhir/Observation", content=WEIGHT)
    read = await admin.get(made.headers["location"])

    assert b'"value":7.20,' in made.content
    assert made.content == read.content


async def test_a_client_that_knows_the_version_gets_304(admin: httpx.AsyncClient) -> None:
    place = await created(admin, patient())
    read = await admin.get(place)

    by_tag = await admin.get(place, headers={"if-none-match": read.headers["etag"]})
    by_date = await admin.get(place, headers={"if-modified-since": read.headers["last-modified"]})
    older = await admin.get(place, headers={"if-modified-since": "Mon, 01 Jan 2001 00:00:00 GMT"})
    nonsense = await admin.get(place, headers={"if-modified-since": "yesterday"})

    assert (by_tag.status_code, by_tag.content) == (304, b"")
    assert (by_date.status_code, older.status_code, nonsense.status_code) == (304, 200, 200)


async def test_head_answers_like_get_without_a_body(admin: httpx.AsyncClient) -> None:
    place = await created(admin, patient())

    head, get = await admin.head(place), await admin.get(place)

    assert head.content == b""
    assert head.headers["etag"] == get.headers["etag"]
    assert head.headers["content-length"] == str(len(get.content))


async def test_an_update_makes_a_resource_under_the_clients_id(admin: httpx.AsyncClient) -> None:
    answer = await admin.put("/fhir/Patient/mine", json=patient(id="mine"))
    again = await admin.put("/fhir/Patient/mine", json=patient(id="mine"))

    assert (answer.status_code, again.status_code) == (201, 200)


async def test_an_update_revives_what_was_deleted(admin: httpx.AsyncClient) -> None:
    await admin.put("/fhir/Patient/mine", json=patient(id="mine"))
    await admin.delete("/fhir/Patient/mine")
    answer = await admin.put("/fhir/Patient/mine", json=patient(id="mine"))

    assert (answer.status_code, answer.headers["etag"]) == (201, 'W/"3"')


async def test_an_update_of_another_version_is_refused(admin: httpx.AsyncClient) -> None:
    place = await created(admin, patient())
    body = (await admin.get(place)).json()

    fits = await admin.put(place, json=body, headers={"if-match": 'W/"1"'})
    late = await admin.put(place, json=body, headers={"if-match": 'W/"1"'})
    absent = await admin.put("/fhir/Patient/none", json=patient(id="none"), headers={"if-match": 'W/"1"'})
    odd = await admin.put(place, json=body, headers={"if-match": "one"})

    assert (fits.status_code, late.status_code, absent.status_code, odd.status_code) == (200, 412, 412, 400)
    assert late.json()["issue"][0]["expression"] == ["If-Match"]


async def test_an_update_that_wants_to_create_replaces_nothing(admin: httpx.AsyncClient) -> None:
    only_new = {"if-none-match": "*"}

    first = await admin.put("/fhir/Patient/mine", json=patient(id="mine"), headers=only_new)
    second = await admin.put("/fhir/Patient/mine", json=patient(id="mine"), headers=only_new)
    odd = await admin.put("/fhir/Patient/mine", json=patient(id="mine"), headers={"if-none-match": 'W/"1"'})

    assert (first.status_code, second.status_code, odd.status_code) == (201, 412, 400)


@pytest.mark.parametrize("sent", [patient(id="other"), patient()])
async def test_an_update_must_carry_the_id_of_its_url(admin: httpx.AsyncClient, sent: dict[str, Any]) -> None:
    answer = await admin.put("/fhir/Patient/mine", json=sent)

    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (400, ["id"])


async def test_a_deletion_has_something_to_say_when_asked_to(admin: httpx.AsyncClient) -> None:
    await admin.put("/fhir/Patient/p", json=patient(id="p"))
    told = await admin.delete("/fhir/Patient/p", headers={"prefer": "return=OperationOutcome"})

    assert (told.status_code, told.json()["resourceType"]) == (200, "OperationOutcome")
    assert (await admin.delete("/fhir/Patient/p")).status_code == 204


async def test_prefer_says_what_a_write_returns(admin: httpx.AsyncClient) -> None:
    small = await admin.post("/fhir/Patient", json=patient(), headers={"prefer": "return=minimal"})
    told = await admin.post("/fhir/Patient", json=patient(), headers={"prefer": "return=OperationOutcome"})

    assert (small.status_code, small.content) == (201, b"")
    assert told.json()["resourceType"] == "OperationOutcome"
    assert "location" in small.headers


async def test_the_same_condition_creates_once(admin: httpx.AsyncClient) -> None:
    body = patient(identifier=[{"system": "urn:mrn", "value": "1"}])
    condition = {"if-none-exist": "identifier=urn:mrn|1"}

    first = await admin.post("/fhir/Patient", json=body, headers=condition)
    second = await admin.post("/fhir/Patient", json=body, headers=condition)

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]


async def test_a_condition_that_was_met_once_can_be_met_again_after_the_deletion(admin: httpx.AsyncClient) -> None:
    body = patient(identifier=[{"system": "urn:mrn", "value": "1"}])
    condition = {"if-none-exist": "identifier=urn:mrn|1"}
    first = await admin.post("/fhir/Patient", json=body, headers=condition)
    await admin.delete(f"/fhir/Patient/{first.json()['id']}")

    second = await admin.post("/fhir/Patient", json=body, headers=condition)

    assert second.status_code == 201
    assert second.json()["id"] != first.json()["id"]


async def test_a_condition_that_several_meet_is_refused(admin: httpx.AsyncClient) -> None:
    body = patient(identifier=[{"system": "urn:mrn", "value": "1"}])
    await created(admin, body)
    await created(admin, body)

    answer = await admin.post("/fhir/Patient", json=body, headers={"if-none-exist": "identifier=urn:mrn|1"})

    assert answer.status_code == 412


async def test_an_unknown_parameter_in_a_condition_is_never_ignored(admin: httpx.AsyncClient) -> None:
    headers = {"if-none-exist": "identifer=urn:mrn|1", "prefer": "handling=lenient"}

    answer = await admin.post("/fhir/Patient", json=patient(), headers=headers)

    assert answer.status_code == 400
    assert "identifier" in answer.json()["issue"][0]["diagnostics"]


async def test_a_condition_in_the_url_of_a_create_holds_as_well(admin: httpx.AsyncClient) -> None:
    body = patient(identifier=[{"system": "urn:mrn", "value": "1"}])

    first = await admin.post("/fhir/Patient?identifier=urn:mrn|1&_format=json", json=body)
    second = await admin.post("/fhir/Patient?identifier=urn:mrn|1", json=body)
    both = await admin.post("/fhir/Patient?identifier=urn:mrn|1", json=body, headers={"if-none-exist": "_id=p"})

    assert (first.status_code, second.status_code, both.status_code) == (201, 200, 400)
    assert first.json()["id"] == second.json()["id"]


async def test_150_concurrent_conditional_creates_make_one_resource(admin: httpx.AsyncClient) -> None:
    body = patient(identifier=[{"system": "urn:mrn", "value": "150"}])
    headers = {"if-none-exist": "identifier=urn:mrn|150"}

    answers = await asyncio.gather(*(admin.post("/fhir/Patient", json=body, headers=headers) for _ in range(150)))

    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 149}
    assert len({answer.json()["id"] for answer in answers}) == 1
    found = await admin.get("/fhir/Patient?identifier=urn:mrn|150")
    assert found.json()["total"] == 1


async def test_60_updates_of_one_version_leave_one_winner(admin: httpx.AsyncClient) -> None:
    place = await created(admin, patient())
    body = (await admin.get(place)).json()
    match = {"if-match": 'W/"1"'}
    sent = [{**body, "name": [{"family": f"Writer {number}"}]} for number in range(60)]

    answers = await asyncio.gather(*(admin.put(place, json=each, headers=match) for each in sent))

    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: 59}
    winner = next(place for place, answer in enumerate(answers) if answer.status_code == 200)
    assert (await admin.get(place)).json()["name"] == sent[winner]["name"]


async def test_concurrent_blind_updates_all_become_versions(admin: httpx.AsyncClient) -> None:
    place = await created(admin, patient())
    body = (await admin.get(place)).json()

    answers = await asyncio.gather(*(admin.put(place, json=body) for _ in range(10)))

    assert {answer.status_code for answer in answers} == {200}
    assert sorted(int(answer.json()["meta"]["versionId"]) for answer in answers) == list(range(2, 12))


async def test_a_conditional_update_makes_then_replaces(admin: httpx.AsyncClient) -> None:
    body = patient(identifier=[{"system": "urn:mrn", "value": "9"}])

    first = await admin.put("/fhir/Patient?identifier=urn:mrn|9", json=body)
    second = await admin.put("/fhir/Patient?identifier=urn:mrn|9", json={**body, "gender": "female"})

    assert (first.status_code, second.status_code) == (201, 200)
    assert (second.json()["id"], second.json()["gender"]) == (first.json()["id"], "female")


async def test_a_conditional_delete_takes_the_one_that_matches(admin: httpx.AsyncClient) -> None:
    place = await created(admin, patient(identifier=[{"system": "urn:mrn", "value": "9"}]))

    answer = await admin.delete("/fhir/Patient?identifier=urn:mrn|9")
    nothing = await admin.delete("/fhir/Patient?identifier=urn:mrn|9")
    everything = await admin.delete("/fhir/Patient")

    assert (answer.status_code, nothing.status_code, everything.status_code) == (204, 204, 400)
    assert (await admin.get(place)).status_code == 410


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/fhir/Patient/none", 404),
        ("GET", "/fhir/Patient/none/_history/1", 404),
        ("GET", "/fhir/Patient/none/_history", 404),
        ("GET", "/fhir/Pation/1", 404),
        ("GET", "/fhir/Patient/a_b", 400),
        ("GET", "/fhir/Patient/1?name=x", 400),
        ("GET", "/fhir/Patient/1/_history/x", 404),
        ("PATCH", "/fhir/Patient/1/_history", 405),
        ("DELETE", "/fhir/metadata", 405),
        ("GET", "/fhir/Patient/1/$everything/x/y", 404),
        ("GET", "/nothing/here", 404),
        ("DELETE", "/fhir", 405),
    ],
)
async def test_what_is_not_there_is_said_so(admin: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    answer = await admin.request(method, path)

    assert answer.status_code == status, answer.text
    assert answer.json()["issue"][0]["expression"]
    assert (status == 405) == ("allow" in answer.headers)


async def test_an_invalid_resource_is_refused_with_every_place(admin: httpx.AsyncClient) -> None:
    wrong = {"resourceType": "Patient", "gender": "man", "birthDate": "1990-13-01", "nonsense": 1}

    answer = await admin.post("/fhir/Patient", json=wrong)

    assert answer.status_code == 422
    places = {issue["expression"][0] for issue in answer.json()["issue"]}
    assert {"Patient.gender", "Patient.birthDate", "Patient.nonsense"} <= places


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"[]", {}, 400),
        (b"", {}, 400),
        (b'{"resourceType":"Observation"}', {}, 400),
        (b"{}", {"content-type": "application/pdf"}, 415),
        (b"{}", {"content-type": "application/xml"}, 400),
        (b"{}", {"content-type": "application/json; charset=latin-1"}, 415),
        (b"{}", {"content-encoding": "gzip"}, 415),
        (b"{}", {"accept": "application/fhir+turtle"}, 406),
        (b"[" * 100_000, {}, 400),
        (b" " * 300_000, {}, 413),
    ],
)
async def test_a_body_that_makes_no_sense_is_refused_with_its_reason(
    admin: httpx.AsyncClient, content: bytes, headers: dict[str, str], status: int
) -> None:
    answer = await admin.post("/fhir/Patient", content=content, headers=headers)

    assert answer.status_code == status
    assert answer.json()["issue"][0]["diagnostics"]


async def test_a_body_without_an_announced_length_is_cut_off_at_the_limit(admin: httpx.AsyncClient) -> None:
    async def endless() -> Any:
        for _ in range(1000):
            yield b" " * 1000

    answer = await admin.post("/fhir/Patient", content=endless())

    assert answer.status_code == 413


async def test_history_shows_every_version_newest_first_and_pages(admin: httpx.AsyncClient) -> None:
    place = await created(admin, patient())
    body = (await admin.get(place)).json()
    for _ in range(3):
        await admin.put(place, json=body)
    await admin.delete(place)

    whole = (await admin.get(f"{place}/_history")).json()
    numbers, address = [], f"{place}/_history?_count=2"
    while address:
        page = (await admin.get(address)).json()
        numbers += [entry["response"]["etag"] for entry in page["entry"]]
        address = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")

    assert (whole["type"], whole["total"], len(whole["entry"])) == ("history", 5, 5)
    assert whole["entry"][0]["request"]["method"] == "DELETE"
    assert "resource" not in whole["entry"][0]
    assert numbers == [f'W/"{number}"' for number in (5, 4, 3, 2, 1)]


async def test_a_history_parameter_that_is_not_offered_is_refused(admin: httpx.AsyncClient) -> None:
    place = await created(admin, patient())

    assert (await admin.get(f"{place}/_history?_sort=_id")).status_code == 400
    assert (await admin.get(f"{place}/_history?_count=many")).status_code == 400


async def test_a_history_tells_a_create_from_an_update_that_made_the_record(admin: httpx.AsyncClient) -> None:
    place = await created(admin, patient())
    await admin.put(place, json={**patient(), "id": place.rpartition("/")[2]})
    await admin.put("/fhir/Patient/p", json={**patient(), "id": "p"})

    def asked(history: dict[str, Any]) -> list[tuple[str, str]]:
        return [(entry["request"]["method"], entry["request"]["url"]) for entry in history["entry"]]

    made = asked((await admin.get(f"{place}/_history")).json())
    put = asked((await admin.get("/fhir/Patient/p/_history")).json())
    assert [method for method, _ in made] == ["PUT", "POST"]
    assert made[1][1] == "Patient"
    assert put == [("PUT", "Patient/p")]
