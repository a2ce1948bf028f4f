"""Secret records: who sees them, who does not even learn that they are there, and what breaking the glass does."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest

pytestmark = pytest.mark.anyio

Clients = Callable[[str], httpx.AsyncClient]
R = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
HIV = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HIV"}
CODE = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "B24"}]}
OWN, OTHERS = "bai-chay", ("doctor", "admin", "qn-general", "bach-mai")


def glass(patient: str = "p", reason: str = "bệnh nhân hôn mê, cần biết thuốc đang dùng") -> dict[str, str]:
    return {
        "x-purpose-of-use": "BTG",
        "x-purpose-patient": f"Patient/{patient}",
        "x-purpose-reason": quote(reason),
    }


def condition(id_: str, *labels: dict[str, str]) -> dict[str, Any]:
    made = {"resourceType": "Condition", "id": id_, "code": CODE, "subject": {"reference": "Patient/p"}}
    return {**made, "meta": {"security": list(labels)}} if labels else made


@pytest.fixture
async def record(client_of: Clients) -> Clients:
    """A patient of one hospital with an open and a secret diagnosis, and what refers to the secret one."""
    own = client_of(OWN)
    referring = {"resourceType": "ClinicalImpression", "status": "completed", "subject": {"reference": "Patient/p"}}
    for resource in (
        {"resourceType": "Patient", "id": "p", "active": True},
        condition("open"),
        condition("secret", R, HIV),
        {**referring, "id": "i", "problem": [{"reference": "Condition/secret"}]},
    ):
        answer = await own.put(f"/fhir/{resource['resourceType']}/{resource['id']}", json=resource)
        assert answer.status_code == 201, answer.text
    return client_of


async def ids(client: httpx.AsyncClient, path: str, **headers: str) -> set[str]:
    answer = await client.get(f"/fhir/{path}", headers=headers)
    assert answer.status_code == 200, answer.text
    return {f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in answer.json().get("entry", ())}


async def test_the_hospital_that_owns_a_secret_record_sees_it_and_nobody_else_does(record: Clients) -> None:
    assert (await record(OWN).get("/fhir/Condition/secret")).status_code == 200
    for name in OTHERS:
        there, nowhere = [await record(name).get(f"/fhir/Condition/{id_}") for id_ in ("secret", "nowhere")]
        assert (there.status_code, there.json()["issue"]) == (404, nowhere.json()["issue"])
    assert (await record("doctor").get("/fhir/Condition/open")).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "Condition?patient=p",
        "Condition?code=B24",
        "Condition?_id=secret,open",
        "Condition?_security=HIV",
        "Condition?_lastUpdated=ge2020",
        "Condition?_sort=-_lastUpdated",
        "Condition?_sort=code&patient=p",
        "Condition",
        "Patient/p/Condition",
        "Patient/p/*",
        "?_type=Condition,Patient&_lastUpdated=ge2020",
        "ClinicalImpression?_include=ClinicalImpression:problem",
        "Patient?_revinclude=Condition:patient",
        "Patient/p/$everything",
        "Condition/_history",
        "_history",
    ],
)
async def test_no_way_of_asking_shows_it_to_a_doctor_of_another_hospital(record: Clients, path: str) -> None:
    assert "Condition/secret" not in await ids(record("doctor"), path)
    if "_security" not in path and "Clinical" not in path and "nowhere" not in path:
        assert "Condition/open" in await ids(record("doctor"), path)
    assert "Condition/secret" in await ids(record(OWN), path)


async def test_it_is_in_no_total_and_no_chain_leads_through_it(record: Clients) -> None:
    async def total(name: str, path: str) -> int:
        return (await record(name).get(f"/fhir/{path}&_summary=count")).json()["total"]

    for path, seen in (
        ("Condition?code=B24", 2),
        ("Condition?_security=HIV", 1),
        ("Patient?_has:Condition:patient:_security=HIV", 1),
        ("ClinicalImpression?problem.code=B24", 1),
        ("Condition?_filter=code eq B24", 2),
    ):
        assert (await total(OWN, path), await total("doctor", path)) == (seen, seen - 1), path


async def test_its_versions_and_its_deletion_are_hidden_too(record: Clients) -> None:
    own, doctor = record(OWN), record("doctor")
    later = await own.put("/fhir/Condition/open", json=condition("open", R))
    assert later.status_code == 200
    for path in ("Condition/open/_history/1", "Condition/open/_history", "Condition/open/_history/2"):
        assert (await doctor.get(f"/fhir/{path}")).status_code == 404
    assert await ids(doctor, "Condition/_history") == set()

    assert (await record("admin").delete("/fhir/Condition/open")).status_code == 204
    assert (await own.get("/fhir/Condition/open")).status_code == 200
    again = await record("admin").put("/fhir/Condition/open", json=condition("open"))
    assert again.status_code == 403


async def test_a_bundle_that_holds_something_secret_is_secret(record: Clients) -> None:
    bundle = {"resourceType": "Bundle", "id": "b", "type": "collection", "entry": [{"resource": condition("x", R)}]}
    assert (await record(OWN).put("/fhir/Bundle/b", json=bundle)).status_code == 201
    assert (await record("doctor").get("/fhir/Bundle/b")).status_code == 404
    assert (await record(OWN).get("/fhir/Bundle/b")).status_code == 200


async def test_a_secret_record_without_owner_is_the_operators(client_of: Clients) -> None:
    assert (await client_of("admin").put("/fhir/Condition/c", json=condition("c", R))).status_code == 201
    patient = {"resourceType": "Patient", "id": "p", "meta": {"security": [R]}}
    assert (await client_of("admin").put("/fhir/Patient/p", json=patient)).status_code == 201
    assert await ids(client_of("admin"), "Condition") == {"Condition/c"}
    assert await ids(client_of("doctor"), "Condition") == set()
    assert await ids(client_of("population"), "Patient") == set()
    assert (await client_of("population").get("/fhir/Patient/p")).status_code == 404


async def test_a_doctor_who_breaks_the_glass_sees_the_secrets_of_that_patient(record: Clients) -> None:
    doctor = record("doctor")
    assert (await doctor.get("/fhir/Condition/secret", headers=glass())).status_code == 200
    for path in ("Condition?patient=p", "Condition?_security=HIV", "Patient/p/$everything", "Condition?_id=secret"):
        assert "Condition/secret" in await ids(doctor, path, **glass())
    assert (await doctor.get("/fhir/Condition/secret")).status_code == 404

    other = {"resourceType": "Patient", "id": "q"}
    assert (await record(OWN).put("/fhir/Patient/q", json=other)).status_code == 201
    assert (await doctor.get("/fhir/Condition/secret", headers=glass("q"))).status_code == 404
    assert "Condition/secret" not in await ids(doctor, "Condition?_security=HIV", **glass("q"))


async def test_breaking_the_glass_is_audited_as_what_it_is(record: Clients) -> None:
    await record("doctor").get("/fhir/Condition/secret", headers={**glass(), "x-request-id": "at-night"})
    found = await record("auditor").get("/fhir/AuditEvent?subtype=read&entity=Condition/secret")
    events = [entry["resource"] for entry in found.json()["entry"]]
    (event,) = [event for event in events if "purposeOfEvent" in event]
    assert event["purposeOfEvent"][0]["coding"][0]["code"] == "BTG"
    assert event["purposeOfEvent"][0]["text"].startswith("bệnh nhân hôn mê")


async def test_the_patients_hospital_is_told_once_an_hour_and_judges(record: Clients) -> None:
    for _ in range(3):
        assert (await record("doctor").get("/fhir/Condition/secret", headers=glass())).status_code == 200
    listed = (await record(OWN).get("/exchange/emergencies?state=open")).json()["emergencies"]
    assert 1 <= len(listed) <= 2
    told = listed[0]
    assert (told["patient"], told["client"], told["organization"]) == ("Patient/p", "doctor", "qn-general")
    assert told["reason"].startswith("bệnh nhân")
    assert (await record("qn-general").get("/exchange/emergencies")).json()["emergencies"] == []
    assert (await record("doctor").get("/exchange/emergencies")).status_code == 403

    path, found = f"/exchange/emergencies/{told['emergency']}/review", {"finding": "justified", "comment": "đúng"}
    assert (await record("qn-general").post(path, json=found)).status_code == 404
    assert (await record(OWN).post(path, json={"finding": "fine"})).status_code == 400
    judged = await record(OWN).post(path, json=found)
    assert (judged.status_code, judged.json()["state"], judged.json()["reviewer"]) == (200, "justified", OWN)
    assert (await record(OWN).post(path, json=found)).status_code == 409


@pytest.mark.parametrize(
    ("name", "given", "status"),
    [
        ("qn-general", glass(), 403),
        ("admin", glass(), 403),
        ("population", glass(), 403),
        ("doctor", {**glass(), "x-purpose-of-use": "TREAT"}, 400),
        ("doctor", glass(reason="vội"), 400),
        ("doctor", {**glass(), "x-purpose-reason": "%FF%FE%FF%FE%FF%FE%FF%FE%FF"}, 400),
        ("doctor", {**glass(), "x-purpose-patient": "p"}, 400),
        ("doctor", {**glass(), "x-purpose-patient": ",".join(f"Patient/{at}" for at in range(11))}, 400),
        ("doctor", glass("nowhere"), 404),
        ("doctor", {"x-purpose-of-use": "BTG"}, 400),
    ],
)
async def test_the_glass_is_broken_by_doctors_for_named_patients_with_a_reason(
    record: Clients, name: str, given: dict[str, str], status: int
) -> None:
    answer = await record(name).get("/fhir/Patient/p", headers=given)
    assert (answer.status_code, answer.json()["resourceType"]) == (status, "OperationOutcome")


async def test_what_was_granted_is_seen_by_the_one_it_was_granted_to(record: Clients, services: Any) -> None:
    from fhir_gateway.store.port import Commit, Grant  # noqa: PLC0415

    await services.desk.store.commit(Commit(grants=(Grant("Condition/secret", "bach-mai"),)))
    assert (await record("bach-mai").get("/fhir/Condition/secret")).status_code == 200
    await services.desk.store.commit(Commit(grants=(Grant("Condition/secret", "qn-general"),)))
    assert (await record("doctor").get("/fhir/Condition/secret")).status_code == 200


async def test_a_gateway_may_be_told_to_hide_nothing(record: Clients, services: Any) -> None:
    services.tokens.unlocked = ("*",)
    services.tokens._known.clear()
    assert (await record("doctor").get("/fhir/Condition/secret")).status_code == 200
    assert "Condition/secret" in await ids(record("admin"), "Condition")


async def test_graphql_and_the_summary_leave_it_out(record: Clients) -> None:
    query = '{Condition(id: "secret"){id}}'
    found = await record("doctor").post(
        "/fhir/$graphql", json={"query": query}, headers={"content-type": "application/json"}
    )
    assert "secret" not in str(found.json().get("data"))
    listed = await record("doctor").get("/fhir/$graphql", params={"query": "{ConditionList{id}}"})
    assert [one["id"] for one in listed.json()["data"]["ConditionList"]] == ["open"]
    assert '"secret"' not in (await record("doctor").get("/fhir/Patient/p/$summary")).text
