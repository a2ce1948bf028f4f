"""Batches and transactions over HTTP: https://hl7.org/fhir/R4/http.html#transaction"""

import asyncio
import gc
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.anyio

MOTHER = "urn:uuid:0d9d6d0e-0000-4000-8000-000000000001"
CHILD = "urn:uuid:0d9d6d0e-0000-4000-8000-000000000002"


def bundle(kind: str, *entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def entry(method: str, url: str, resource: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    request = {"method": method, "url": url} | {k: v for k, v in more.items() if k != "fullUrl"}
    made: dict[str, Any] = {"request": request}
    if "fullUrl" in more:
        made["fullUrl"] = more["fullUrl"]
    return made | ({"resource": resource} if resource else {})


def patient(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", **more}


def observation(subject: str, **more: Any) -> dict[str, Any]:
    about = {"status": "final", "code": {"text": "x"}, "subject": {"reference": subject}}
    return {"resourceType": "Observation", **about, **more}


def place(answer: dict[str, Any], number: int) -> str:
    return str(answer["entry"][number]["response"]["location"]).partition("/_history")[0].partition("/fhir/")[2]


async def test_links_inside_a_transaction_become_ids_in_the_order_asked(admin: httpx.AsyncClient) -> None:
    sent = bundle(
        "transaction",
        entry("POST", "Observation", observation(MOTHER, valueString=MOTHER)),
        entry("POST", "Patient", patient(link=[{"other": {"reference": CHILD}, "type": "seealso"}]), fullUrl=MOTHER),
        entry("PUT", "Patient/child", patient(id="child"), fullUrl=CHILD),
    )

    answer = (await admin.post("/fhir", json=sent)).json()

    assert answer["type"] == "transaction-response"
    assert [each["response"]["status"] for each in answer["entry"]] == ["201 Created"] * 3
    assert place(answer, 2) == "Patient/child"
    stored = (await admin.get(f"/fhir/{place(answer, 0)}")).json()
    assert stored["subject"]["reference"] == place(answer, 1)
    assert stored["valueString"] == MOTHER
    mother = (await admin.get(f"/fhir/{place(answer, 1)}")).json()
    assert mother["link"][0]["other"]["reference"] == "Patient/child"


async def test_a_fault_in_the_middle_leaves_nothing(admin: httpx.AsyncClient) -> None:
    sent = bundle(
        "transaction",
        entry("PUT", "Patient/a", patient(id="a")),
        entry("PUT", "Patient/b", patient(id="b", gender="wrong")),
        entry("PUT", "Patient/c", patient(id="c")),
    )

    answer = await admin.post("/fhir", json=sent)

    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[1].resource.gender"]
    assert {(await admin.get(f"/fhir/Patient/{name}")).status_code for name in "abc"} == {404}


async def test_a_failed_precondition_leaves_nothing(admin: httpx.AsyncClient) -> None:
    await admin.put("/fhir/Patient/b", json=patient(id="b"))
    sent = bundle(
        "transaction",
        entry("PUT", "Patient/a", patient(id="a")),
        entry("PUT", "Patient/b", patient(id="b"), ifMatch='W/"7"'),
    )

    answer = await admin.post("/fhir", json=sent)

    assert (answer.status_code, (await admin.get("/fhir/Patient/a")).status_code) == (412, 404)
    assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[1].request.ifMatch"]


async def test_conditional_references_become_the_one_they_match(admin: httpx.AsyncClient) -> None:
    identifier = [{"system": "urn:mrn", "value": "5"}]
    await admin.put("/fhir/Patient/five", json=patient(id="five", identifier=identifier))
    sent = bundle("transaction", entry("POST", "Observation", observation("Patient?identifier=urn:mrn|5")))
    lost = bundle("transaction", entry("POST", "Observation", observation("Patient?identifier=urn:mrn|6")))

    answer = (await admin.post("/fhir", json=sent)).json()
    refused = await admin.post("/fhir", json=lost)

    stored = (await admin.get(f"/fhir/{place(answer, 0)}")).json()
    assert stored["subject"]["reference"] == "Patient/five"
    assert refused.status_code == 412
    assert refused.json()["issue"][0]["expression"] == ["Bundle.entry[0].resource.subject"]


async def test_a_conditional_create_inside_a_transaction_links_to_what_exists(admin: httpx.AsyncClient) -> None:
    identifier = [{"system": "urn:mrn", "value": "5"}]
    sent = bundle(
        "transaction",
        entry("POST", "Patient", patient(identifier=identifier), fullUrl=MOTHER, ifNoneExist="identifier=urn:mrn|5"),
        entry("POST", "Observation", observation(MOTHER)),
    )

    first, second = (await admin.post("/fhir", json=sent)).json(), (await admin.post("/fhir", json=sent)).json()

    assert [each["response"]["status"] for each in second["entry"]] == ["200 OK", "201 Created"]
    assert place(first, 0) == place(second, 0)
    stored = (await admin.get(f"/fhir/{place(second, 1)}")).json()
    assert stored["subject"]["reference"] == place(first, 0)


async def test_two_entries_with_one_condition_make_one_resource(admin: httpx.AsyncClient) -> None:
    one = entry("POST", "Patient", patient(identifier=[{"value": "5"}]), ifNoneExist="identifier=5")

    answer = (await admin.post("/fhir", json=bundle("transaction", one, one))).json()

    assert place(answer, 0) == place(answer, 1)
    assert (await admin.get("/fhir/Patient?identifier=5")).json()["total"] == 1


async def test_concurrent_transactions_with_one_condition_make_one_resource(admin: httpx.AsyncClient) -> None:
    sent = bundle(
        "transaction",
        entry("POST", "Patient", patient(identifier=[{"value": "5"}]), fullUrl=MOTHER, ifNoneExist="identifier=5"),
        entry("POST", "Observation", observation(MOTHER)),
    )

    answers = await asyncio.gather(*(admin.post("/fhir", json=sent) for _ in range(20)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({place(answer.json(), 0) for answer in answers}) == 1
    assert (await admin.get("/fhir/Patient?identifier=5")).json()["total"] == 1
    assert (await admin.get("/fhir/Observation?_count=0")).json()["total"] == 20


async def test_reads_in_a_transaction_see_its_writes_and_deletions_come_first(admin: httpx.AsyncClient) -> None:
    await admin.put("/fhir/Patient/old", json=patient(id="old", identifier=[{"value": "5"}]))
    sent = bundle(
        "transaction",
        entry("GET", "Patient?identifier=5"),
        entry("POST", "Patient", patient(identifier=[{"value": "5"}]), ifNoneExist="identifier=5"),
        entry("DELETE", "Patient/old"),
    )

    answer = (await admin.post("/fhir", json=sent)).json()

    assert [each["response"]["status"] for each in answer["entry"]] == [
        "200 OK",
        "201 Created",
        "204 No Content",
    ]
    found = answer["entry"][0]["resource"]
    assert (found["type"], found["total"]) == ("searchset", 1)
    assert f"Patient/{found['entry'][0]['resource']['id']}" == place(answer, 1)


async def test_a_transaction_whose_reads_fail_does_nothing(admin: httpx.AsyncClient) -> None:
    for url, status in (("Patient/none", 404), ("Patient?nothing=1", 400), ("Patient/none/_history/1", 404)):
        sent = bundle("transaction", entry("POST", "Patient", patient()), entry("GET", url))
        for wanted in (sent, bundle("transaction", entry("GET", url))):
            refused = await admin.post("/fhir", json=wanted)

            assert refused.status_code == status, url
            assert refused.json()["issue"][0]["expression"][0].startswith("Bundle.entry["), url
    assert (await admin.get("/fhir/Patient?_count=0")).json()["total"] == 0


async def test_a_transaction_may_read_what_it_makes_under_a_new_id(admin: httpx.AsyncClient) -> None:
    made = entry("PUT", "Patient?identifier=7", patient(id="p", identifier=[{"value": "7"}]))
    answer = (await admin.post("/fhir", json=bundle("transaction", entry("GET", "Patient/p"), made))).json()

    assert [each["response"]["status"] for each in answer["entry"]] == ["200 OK", "201 Created"]


@pytest.mark.parametrize(
    ("entries", "status", "where"),
    [
        ([entry("PUT", "Patient/a", patient(id="a"))] * 2, 400, "Bundle.entry[0]"),
        ([entry("POST", "Observation", observation(MOTHER))], 400, "Bundle.entry[0].resource.subject"),
        ([{"resource": patient()}], 400, "Bundle.entry[0].request"),
        ([entry("TRACE", "Patient/a", patient(id="a"))], 400, "Bundle.entry[0].request.method"),
        ([entry("PUT", "Patient/a", patient(id="b"))], 400, "Bundle.entry[0].resource.id"),
        ([entry("POST", "Patient", patient())] * 51, 413, "Bundle.entry"),
        ([3], 400, "Bundle.entry"),
    ],
)
async def test_a_transaction_that_makes_no_sense_is_refused_at_its_place(
    admin: httpx.AsyncClient, entries: list[Any], status: int, where: str
) -> None:
    answer = await admin.post("/fhir", json=bundle("transaction", *entries))

    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (status, [where])


@pytest.mark.parametrize("sent", [patient(), bundle("document"), {"resourceType": "Bundle"}])
async def test_only_batches_and_transactions_are_taken(admin: httpx.AsyncClient, sent: dict[str, Any]) -> None:
    assert (await admin.post("/fhir", json=sent)).status_code == 400


async def test_an_entry_of_a_batch_fails_alone(admin: httpx.AsyncClient) -> None:
    sent = bundle(
        "batch",
        entry("PUT", "Patient/a", patient(id="a")),
        entry("PUT", "Patient/b", patient(id="b", gender="wrong")),
        entry("POST", "Observation", observation(MOTHER)),
        3,  # type: ignore[arg-type]
        entry("GET", "Patient/none"),
        entry("GET", "Patient/a"),
        entry("DELETE", "Patient/a"),
        entry("GET", "Patient/a/_history"),
        entry("GET", "Patient/$everything/a/b/c"),
    )
    del sent["entry"][3]

    answer = (await admin.post("/fhir", json=sent)).json()

    statuses = [each["response"]["status"][:3] for each in answer["entry"]]
    assert (answer["type"], statuses) == ("batch-response", ["201", "422", "400", "404", "200", "204", "200", "400"])
    outcome = answer["entry"][1]["response"]["outcome"]
    assert outcome["issue"][0]["expression"] == ["Bundle.entry[1].resource.gender"]
    assert answer["entry"][4]["resource"]["id"] == "a"
    assert answer["entry"][6]["resource"]["total"] == 2


async def test_a_reading_entry_that_knows_the_version_gets_304(admin: httpx.AsyncClient) -> None:
    await admin.put("/fhir/Patient/a", json=patient(id="a"))
    sent = bundle(
        "batch",
        entry("GET", "Patient/a", ifNoneMatch='W/"1"'),
        entry("GET", "Patient/a", ifModifiedSince="2100-01-01T00:00:00Z"),
        entry("GET", "Patient/a", ifModifiedSince="2000-01-01T00:00:00Z"),
    )

    answer = (await admin.post("/fhir", json=sent)).json()

    assert [each["response"]["status"][:3] for each in answer["entry"]] == ["304", "304", "200"]
    assert ["resource" in each for each in answer["entry"]] == [False, False, True]


async def test_prefer_brings_the_written_resources_back(admin: httpx.AsyncClient) -> None:
    sent = bundle("transaction", entry("POST", "Patient", patient(gender="female")))

    plain = (await admin.post("/fhir", json=sent)).json()
    full = (await admin.post("/fhir", json=sent, headers={"prefer": "return=representation"})).json()
    told = (await admin.post("/fhir", json=sent, headers={"prefer": "return=OperationOutcome"})).json()
    assert told["entry"][0]["response"]["outcome"]["resourceType"] == "OperationOutcome"

    assert "resource" not in plain["entry"][0]
    assert full["entry"][0]["resource"]["gender"] == "female"


async def test_a_transaction_asks_for_every_entry_whether_the_caller_may(
    client_of: Callable[[str], httpx.AsyncClient],
) -> None:
    sent = bundle(
        "transaction",
        entry("POST", "Patient", patient()),
        entry("POST", "Person", {"resourceType": "Person"}),
    )

    answer = await client_of("bai-chay").post("/fhir", json=sent)

    assert answer.status_code == 403
    assert (await client_of("admin").get("/fhir/Patient?_count=0")).json()["total"] == 0


async def test_a_batch_may_ask_for_operations(admin: httpx.AsyncClient) -> None:
    await admin.put("/fhir/Patient/p", json=patient(id="p"))
    tag = {"name": "meta", "valueMeta": {"tag": [{"system": "urn:t", "code": "a"}]}}
    parameters = {"resourceType": "Parameters", "parameter": [tag]}
    sent = bundle(
        "batch",
        entry("POST", "Patient/$validate", patient(gender="none")),
        entry("GET", "Patient/p/$everything"),
        entry("POST", "Patient/p/$meta-add", parameters),
        entry("GET", "Patient/p/$meta-add"),
        entry("GET", "Patient/$nosuch"),
        entry("GET", "$graphql?query={Patient(id:%22p%22){id}}"),
    )
    found = (await admin.post("/fhir", json=sent)).json()["entry"]

    assert [one["response"]["status"] for one in found] == ["200 OK", "200 OK", "200 OK", "405", "404", "400"]
    assert found[0]["resource"]["issue"][0]["code"] == "code-invalid"
    assert found[1]["resource"]["entry"][0]["resource"]["id"] == "p"
    assert (await admin.get("/fhir/Patient/p")).json()["meta"]["tag"] == tag["valueMeta"]["tag"]


async def test_a_transaction_may_ask_what_its_writes_made(admin: httpx.AsyncClient) -> None:
    wanted = entry("PUT", "Patient/p", patient(id="p"))
    done = await admin.post("/fhir", json=bundle("transaction", entry("GET", "Patient/p/$everything"), wanted))
    posted = entry("POST", "Patient/$validate", patient())
    refused = await admin.post("/fhir", json=bundle("transaction", posted, wanted))

    assert done.json()["entry"][0]["resource"]["entry"][0]["resource"]["id"] == "p"
    assert refused.status_code == 400


ENTRIES, HELD_SECONDS = 2_000, 0.03
"""Of processor time, in which nobody else had a turn."""


@pytest.fixture
def _no_collection() -> Iterator[None]:
    """Looking for garbage in all that the tests have loaded would take longer than any turn."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_collection")
async def test_a_large_transaction_never_holds_the_loop_for_long(pair: Any) -> None:
    gateway = pair[0]
    parts = [{"code": {"coding": [{"code": str(at)}]}, "valueQuantity": {"value": at}} for at in range(6)]
    made = [entry("POST", "Observation", observation("Patient/p", component=parts)) for _ in range(ENTRIES)]
    warm = await gateway.post("admin", "/fhir", bundle("transaction", *made[:2]))
    assert warm.status_code == 200
    content, held, over = json.dumps(bundle("transaction", *made)), [0.0], asyncio.Event()

    async def heart() -> None:
        while not over.is_set():
            before = time.thread_time()
            await asyncio.sleep(0)
            held.append(time.thread_time() - before)

    beating = asyncio.create_task(heart())
    headers = {**gateway.bearer("admin"), "Content-Type": "application/fhir+json"}
    answer = await gateway.http.post("/fhir", headers=headers, content=content)
    over.set()
    await beating
    assert answer.status_code == 200
    assert max(held) < HELD_SECONDS
