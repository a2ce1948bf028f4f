"""What every request passes: its number, the caller's rights, the audit trail, the log without content."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from fhir_gateway.api.services import Services
from fhir_gateway.search.query import Query
from fhir_gateway.store.port import Commit, Grant

pytestmark = pytest.mark.anyio

CANARY = "CANARY"
PATIENT = {"resourceType": "Patient", "id": "p", "name": [{"family": CANARY}], "identifier": [{"value": CANARY}]}


async def trail(services: Services) -> list[dict[str, Any]]:
    events = await services.desk.store.find(Query("AuditEvent", size=500))
    return [httpx.Response(200, content=event.body).json() for event in events]


def request_of(event: dict[str, Any]) -> str:
    identifiers = (entity["what"].get("identifier") for entity in event.get("entity", ()) if "what" in entity)
    return next((each["value"] for each in identifiers if each), "")


async def test_a_request_keeps_its_number_or_gets_one(admin: httpx.AsyncClient) -> None:
    given = await admin.get("/fhir/Patient", headers={"x-request-id": "his-42"})
    made = await admin.get("/fhir/Patient")
    odd = await admin.get("/fhir/Patient", headers={"x-request-id": "a b\tc"})

    assert given.headers["x-request-id"] == "his-42"
    assert len(made.headers["x-request-id"]) == len(odd.headers["x-request-id"]) == 36


REQUESTS: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("PUT", "/fhir/Patient/p", {"json": PATIENT}, 201, "update"),
    ("POST", "/fhir/Patient", {"json": PATIENT}, 201, "create"),
    ("POST", "/fhir/Patient", {"json": PATIENT, "headers": {"if-none-exist": "_id=p"}}, 200, "create"),
    ("GET", "/fhir/Patient/p", {}, 200, "read"),
    ("GET", "/fhir/Patient/p", {"headers": {"if-none-match": 'W/"1"'}}, 304, "read"),
    ("GET", "/fhir/Patient/p/_history/1", {}, 200, "vread"),
    ("GET", "/fhir/Patient/p/_history", {}, 200, "history-instance"),
    ("GET", "/fhir/Patient?family=x", {}, 200, "search-type"),
    ("GET", "/fhir/Patient/none", {}, 404, "read"),
    ("GET", "/fhir/Patient?nothing=x", {}, 400, "search-type"),
    ("PUT", "/fhir/Patient/p", {"json": {"resourceType": "Patient"}}, 400, "update"),
    ("POST", "/fhir/AuditEvent", {"json": {"resourceType": "AuditEvent"}}, 403, "create"),
    ("POST", "/fhir", {"json": {"resourceType": "Bundle", "type": "transaction"}}, 200, "transaction"),
    ("DELETE", "/fhir/Patient/p", {}, 204, "delete"),
    ("GET", "/fhir/Patient/p", {}, 410, "read"),
    ("PATCH", "/fhir/Patient/p", {}, 400, "patch"),
]


async def test_every_request_leaves_one_durable_event(admin: httpx.AsyncClient, services: Services) -> None:
    for number, (method, path, sent, status, _) in enumerate(REQUESTS):
        headers = {**sent.get("headers", {}), "x-request-id": f"n-{number}"}
        answer = await admin.request(method, path, **{**sent, "headers": headers})
        assert answer.status_code == status, (method, path, answer.text)

    events = {request_of(event): event for event in await trail(services)}
    assert len(events) == len(await trail(services)) == len(REQUESTS)
    for number, (_, _, _, status, interaction) in enumerate(REQUESTS):
        event = events[f"n-{number}"]
        assert event["subtype"][0]["code"] == interaction
        assert event["outcomeDesc"] == f"HTTP {200 if status == 304 else status}"
        assert event["agent"][0]["who"]["identifier"]["value"] == "admin"


async def test_a_write_names_the_version_and_the_patient_in_its_event(
    admin: httpx.AsyncClient, services: Services
) -> None:
    about = {"status": "final", "code": {"text": "x"}, "subject": {"reference": "Patient/p"}}
    await admin.put("/fhir/Observation/o", json={"resourceType": "Observation", "id": "o", **about})

    (event,) = await trail(services)
    references = {entity["what"].get("reference") for entity in event["entity"]}
    assert {"Observation/o/_history/1", "Patient/p"} <= references


@pytest.mark.parametrize("look", ["Observation/o", "Observation?_id=o", "Observation/o/_history"])
async def test_whoever_sees_a_patients_record_is_found_by_the_patient(
    client_of: Callable[[str], httpx.AsyncClient], look: str
) -> None:
    about = {"status": "final", "code": {"text": "x"}, "subject": {"reference": "Patient/p"}}
    await client_of("bai-chay").put("/fhir/Observation/o", json={"resourceType": "Observation", "id": "o", **about})
    await client_of("doctor").get(f"/fhir/{look}")

    found = (await client_of("auditor").get("/fhir/AuditEvent?patient=Patient/p")).json()

    seers = {entry["resource"]["agent"][0]["who"]["identifier"]["value"] for entry in found["entry"]}
    assert seers == {"bai-chay", "doctor"}


async def test_the_auditor_reads_the_trail_and_nothing_else(client_of: Callable[[str], httpx.AsyncClient]) -> None:
    await client_of("admin").put("/fhir/Patient/p", json=PATIENT)
    auditor = client_of("auditor")

    events = (await auditor.get("/fhir/AuditEvent")).json()
    event = events["entry"][0]["resource"]

    assert (await auditor.get(f"/fhir/AuditEvent/{event['id']}")).json() == event
    assert (await auditor.get("/fhir/Patient/p")).status_code == 403
    for hidden_from in ("bai-chay", "doctor", "bach-mai", "population"):
        assert (await client_of(hidden_from).get(f"/fhir/AuditEvent/{event['id']}")).status_code == 403


async def test_nobody_changes_the_trail(client_of: Callable[[str], httpx.AsyncClient], services: Services) -> None:
    await client_of("admin").get("/fhir/Patient")
    (event,) = await trail(services)

    for client in ("admin", "auditor"):
        changed = await client_of(client).put(f"/fhir/AuditEvent/{event['id']}", json=event)
        removed = await client_of(client).delete(f"/fhir/AuditEvent/{event['id']}")
        assert (changed.status_code, removed.status_code) == (403, 403)


async def test_a_hospital_cannot_tell_anothers_record_from_none(client_of: Callable[[str], httpx.AsyncClient]) -> None:
    await client_of("san-nhi").put("/fhir/Patient/theirs", json={**PATIENT, "id": "theirs"})
    bai_chay, sent = client_of("bai-chay"), {"headers": {"x-request-id": "same"}}

    for suffix in ("", "/_history", "/_history/1"):
        hidden = await bai_chay.get(f"/fhir/Patient/theirs{suffix}", **sent)
        absent = await bai_chay.get(f"/fhir/Patient/nobody{suffix}", **sent)
        assert (hidden.status_code, hidden.content) == (404, absent.content)
    taken = await bai_chay.put("/fhir/Patient/theirs", json={**PATIENT, "id": "theirs"})
    assert (taken.status_code, CANARY in taken.text) == (403, False)
    assert (await client_of("san-nhi").get("/fhir/Patient/theirs")).json()["meta"]["versionId"] == "1"


async def test_a_central_hospital_sees_what_was_granted_alone(
    client_of: Callable[[str], httpx.AsyncClient], services: Services
) -> None:
    for name in ("referred", "other"):
        await client_of("bai-chay").put(f"/fhir/Patient/{name}", json={**PATIENT, "id": name})
    await services.desk.store.commit(Commit(grants=(Grant("Patient/referred", "bach-mai"),)))
    bach_mai = client_of("bach-mai")

    assert (await bach_mai.get("/fhir/Patient/referred")).status_code == 200
    assert (await bach_mai.get("/fhir/Patient/other")).status_code == 404
    assert (await bach_mai.get("/fhir/Patient")).json()["total"] == 1
    assert (await bach_mai.put("/fhir/Patient/referred", json={**PATIENT, "id": "referred"})).status_code == 403


async def test_the_name_of_a_patient_is_in_no_log_and_no_refusal(
    client_of: Callable[[str], httpx.AsyncClient],
) -> None:
    admin = client_of("admin")
    wrong = {**PATIENT, "gender": CANARY, "birthDate": CANARY, "active": CANARY}
    about = {"resourceType": "Observation", "status": "final", "code": {"text": CANARY}}
    linked = {**about, "subject": {"reference": f"Patient?birthdate={CANARY}"}}
    entries = [{"request": {"method": "POST", "url": each["resourceType"]}, "resource": each} for each in (linked,)]
    with capture_logs() as logs:
        refusals = [
            await admin.post("/fhir/Patient", json=wrong),
            await admin.post("/fhir/Patient", content=f'{{"resourceType":"Patient","name":"{CANARY}'),
            await admin.post("/fhir/Patient", json=PATIENT, headers={"if-none-exist": f"birthdate={CANARY}"}),
            await admin.post("/fhir/Patient", json=PATIENT, headers={"if-match": CANARY, "if-none-exist": CANARY}),
            await admin.post("/fhir", json={"resourceType": "Bundle", "type": "transaction", "entry": entries}),
            await admin.get(f"/fhir/Patient/{CANARY}"),
            await admin.get(f"/fhir/{CANARY}/1"),
            await admin.get(f"/{CANARY}"),
            await admin.get(f"/fhir/Patient?birthdate={CANARY}"),
            await admin.get(f"/fhir/Patient?_count={CANARY}"),
            await admin.get(f"/fhir/Patient/{CANARY}/_history?_count={CANARY}"),
            await admin.put(f"/fhir/Patient/{CANARY}", json=PATIENT),
        ]
        await admin.put("/fhir/Patient/p", json=PATIENT)
        await admin.get(f"/fhir/Patient?family={CANARY}")

    assert all(400 <= refusal.status_code < 500 for refusal in refusals)
    assert [refusal.text for refusal in refusals if CANARY in refusal.text] == []
    assert logs
    assert CANARY not in str(logs)
