"""$validate and $meta by HTTP."""

from collections.abc import Callable

import httpx
import pytest

pytestmark = pytest.mark.anyio

PROFILE = "http://example.org/StructureDefinition/patient"
PATIENT = {"resourceType": "Patient", "id": "p", "active": True}
THO = "http://terminology.hl7.org/CodeSystem"
STRUCTURE = {
    "resourceType": "StructureDefinition",
    "id": "patient",
    "url": PROFILE,
    "name": "VNPatient",
    "status": "active",
    "kind": "resource",
    "abstract": False,
    "type": "Patient",
    "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
    "derivation": "constraint",
    "differential": {
        "element": [
            {"id": "Patient.birthDate", "path": "Patient.birthDate", "min": 1},
            {
                "id": "Patient.maritalStatus",
                "path": "Patient.maritalStatus",
                "binding": {"strength": "extensible", "valueSet": "http://example.org/vs"},
            },
        ]
    },
}
SET = {
    "resourceType": "ValueSet",
    "id": "vs",
    "url": "http://example.org/vs",
    "status": "active",
    "compose": {"include": [{"system": "urn:m", "concept": [{"code": "M"}]}]},
}


def issues(answer: httpx.Response) -> set[tuple[str, str, str]]:
    assert answer.status_code == 200, answer.text
    return {(one["severity"], one["code"], one.get("expression", [""])[0]) for one in answer.json()["issue"]}


async def test_a_resource_that_is_r4_has_no_fault(admin: httpx.AsyncClient) -> None:
    assert issues(await admin.post("/fhir/Patient/$validate", json=PATIENT)) == {("information", "informational", "")}


async def test_every_fault_is_told_with_its_place(admin: httpx.AsyncClient) -> None:
    wrong = {**PATIENT, "gender": "m", "birthDate": "2026-13-01"}
    found = issues(await admin.post("/fhir/Patient/$validate", json=wrong))

    assert {place for _, _, place in found} == {"Patient.gender", "Patient.birthDate"}
    assert issues(await admin.post("/fhir/Observation/$validate", json=PATIENT)) >= {
        ("error", "structure", "resourceType")
    }


async def test_a_profile_is_kept_by_name_and_by_claim(admin: httpx.AsyncClient) -> None:
    await admin.put("/fhir/StructureDefinition/patient", json=STRUCTURE)
    await admin.put("/fhir/ValueSet/vs", json=SET)
    single = {**PATIENT, "maritalStatus": {"coding": [{"system": "urn:m", "code": "S"}]}}
    wanted = {("error", "required", "Patient.birthDate"), ("warning", "code-invalid", "Patient.maritalStatus")}

    assert issues(await admin.post(f"/fhir/Patient/$validate?profile={PROFILE}", json=single)) == wanted
    claimed = {**single, "meta": {"profile": [PROFILE]}}
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": claimed}]}
    assert issues(await admin.post("/fhir/Patient/$validate", json=parameters)) == wanted


async def test_a_profile_nobody_has_is_an_error_when_asked_for_and_a_warning_when_claimed(
    admin: httpx.AsyncClient,
) -> None:
    asked = issues(await admin.post("/fhir/Patient/$validate?profile=http://example.org/none", json=PATIENT))
    claimed = {**PATIENT, "meta": {"profile": ["http://example.org/none"]}}

    assert ("error", "not-found", "profile") in asked
    assert issues(await admin.post("/fhir/Patient/$validate", json=claimed)) == {("warning", "not-found", "Patient")}


async def test_a_stored_record_can_be_validated_and_the_modes_ask_their_own_questions(
    admin: httpx.AsyncClient,
) -> None:
    await admin.put("/fhir/Patient/p", json=PATIENT)
    fine = {("information", "informational", "")}

    assert issues(await admin.get("/fhir/Patient/p/$validate")) == fine
    assert issues(await admin.get("/fhir/Patient/p/$validate?mode=delete")) == fine
    other = await admin.post("/fhir/Patient/p/$validate?mode=update", json={**PATIENT, "id": "q"})
    assert issues(other) == {("error", "value", "Patient.id")}
    assert (await admin.get("/fhir/Patient/p/$validate?mode=destroy")).status_code == 400
    assert (await admin.get("/fhir/Patient/q/$validate")).status_code == 404
    assert (await admin.post("/fhir/Patient/$validate")).status_code == 400


async def test_a_mode_tells_what_would_prevent_it_and_changes_nothing(
    client_of: Callable[[str], httpx.AsyncClient], admin: httpx.AsyncClient
) -> None:
    own, other, doctor = (client_of(name) for name in ("bai-chay", "qn-general", "doctor"))
    await own.put("/fhir/Patient/p", json=PATIENT)
    stored = {**PATIENT, "id": "p"}
    fine = {("information", "informational", "")}
    for mode in ("create", "update", "delete"):
        sent = stored if mode != "delete" else None
        assert issues(await admin.post(f"/fhir/Patient/p/$validate?mode={mode}", json=sent)) == fine, mode
        assert ("error", "forbidden", "") in issues(
            await doctor.post(f"/fhir/Patient/p/$validate?mode={mode}", json=sent)
        )
    assert issues(await own.post("/fhir/Patient/p/$validate?mode=update", json=stored)) == fine
    assert (await other.post("/fhir/Patient/p/$validate?mode=update", json=stored)).status_code == 404
    for mode in ("update", "delete"):
        assert ("error", "required", "mode") in issues(
            await admin.post(f"/fhir/Patient/$validate?mode={mode}", json=stored)
        )
    assert (await admin.get("/fhir/Patient/p")).json()["meta"]["versionId"] == "1"
    assert (await admin.get("/fhir/Patient?_summary=count")).json()["total"] == 1


async def test_labels_are_added_and_taken_away(admin: httpx.AsyncClient) -> None:
    await admin.put("/fhir/Patient/p", json=PATIENT)
    tag = {"tag": [{"system": "urn:t", "code": "x"}]}
    sent = {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": tag}]}
    added = (await admin.post("/fhir/Patient/p/$meta-add", json=sent)).json()
    all_of_it = (await admin.get("/fhir/$meta")).json()
    left = (await admin.post("/fhir/Patient/p/$meta-delete", json=sent)).json()

    assert added["parameter"][0]["valueMeta"]["tag"] == tag["tag"]
    assert all_of_it["parameter"][0]["valueMeta"] == tag
    assert "tag" not in left["parameter"][0]["valueMeta"]
    assert (await admin.get("/fhir/Patient/p/$meta")).json() == left
    assert (await admin.post("/fhir/Patient/p/$meta-add", json={"resourceType": "Parameters"})).status_code == 400


async def test_what_a_bundles_entries_claim_is_checked_where_they_are(admin: httpx.AsyncClient) -> None:
    await admin.put("/fhir/StructureDefinition/patient", json=STRUCTURE)
    entry = {"fullUrl": "http://a/Patient/p", "resource": {**PATIENT, "meta": {"profile": [PROFILE]}}}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [entry]}

    assert issues(await admin.post("/fhir/Bundle/$validate", json=bundle)) == {
        ("error", "required", "Bundle.entry[0].resource.birthDate")
    }


EXTENSION = {
    **STRUCTURE,
    "id": "clan",
    "url": "http://example.org/StructureDefinition/clan",
    "kind": "complex-type",
    "type": "Extension",
    "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Extension",
    "context": [{"type": "element", "expression": "Patient"}],
    "differential": {"element": [{"id": "Extension.valueString", "path": "Extension.value[x]", "maxLength": 3}]},
}


async def test_an_extension_whose_definition_is_stored_is_held_against_it(admin: httpx.AsyncClient) -> None:
    assert (await admin.put("/fhir/StructureDefinition/clan", json=EXTENSION)).status_code == 201
    good, long = ({"url": EXTENSION["url"], "valueString": text} for text in ("abc", "abcd"))
    fine = {("information", "informational", "")}

    assert issues(await admin.post("/fhir/Patient/$validate", json={**PATIENT, "extension": [good]})) == fine
    assert issues(await admin.post("/fhir/Patient/$validate", json={**PATIENT, "extension": [long]})) == {
        ("error", "too-long", "Patient.extension[0].valueString")
    }
    assert issues(await admin.post("/fhir/Patient/$validate", json={**PATIENT, "name": [{"extension": [good]}]})) == {
        ("error", "structure", "Patient.name[0].extension[0]")
    }


async def test_answers_are_held_against_the_stored_questionnaire(admin: httpx.AsyncClient) -> None:
    asked = {"linkId": "1", "type": "boolean", "required": True}
    questionnaire = {"resourceType": "Questionnaire", "id": "q", "url": "http://example.org/q", "status": "active"}
    assert (await admin.put("/fhir/Questionnaire/q", json={**questionnaire, "item": [asked]})).status_code == 201
    response = {"resourceType": "QuestionnaireResponse", "status": "completed", "questionnaire": "http://example.org/q"}
    answer = {"linkId": "1", "answer": [{"valueBoolean": True}]}

    async def said(*items: dict[str, object]) -> set[tuple[str, str, str]]:
        body = {**response, "item": list(items)} if items else response
        return issues(await admin.post("/fhir/QuestionnaireResponse/$validate", json=body))

    assert await said(answer) == {("information", "informational", "")}
    assert await said() == {("error", "required", "QuestionnaireResponse.item")}


async def test_a_document_and_an_invariant_of_r4_are_looked_at_too(admin: httpx.AsyncClient) -> None:
    composition = {
        "resourceType": "Composition",
        "id": "c",
        "status": "final",
        "type": {"text": "x"},
        "date": "2026",
        "title": "x",
        "author": [{"reference": "Practitioner/none"}],
    }
    document = {
        "resourceType": "Bundle",
        "type": "document",
        "identifier": {"system": "urn:x", "value": "1"},
        "timestamp": "2026-01-01T00:00:00Z",
        "entry": [{"fullUrl": "http://a/Composition/c", "resource": composition}],
    }
    parameter = {
        "resourceType": "SearchParameter",
        "url": "http://example.org/sp",
        "name": "X",
        "status": "active",
        "description": "x",
        "code": "x",
        "base": ["Patient"],
        "type": "token",
        "chain": ["name"],
    }

    assert issues(await admin.post("/fhir/Bundle/$validate", json=document)) == {
        ("error", "not-found", "Bundle.entry[0].resource.author[0]")
    }
    assert issues(await admin.post("/fhir/SearchParameter/$validate", json=parameter)) == {
        ("error", "invariant", "SearchParameter")
    }


async def test_a_vital_sign_keeps_r4s_profile_and_extensions_of_r4_their_places(admin: httpx.AsyncClient) -> None:
    code = {"coding": [{"system": "http://loinc.org", "code": "8310-5"}]}
    vital = {"category": [{"coding": [{"system": f"{THO}/observation-category", "code": "vital-signs"}]}]}
    unit = {"unit": "Cel", "system": "http://unitsofmeasure.org", "code": "Cel"}
    rest = {
        "subject": {"reference": "Patient/p"},
        "effectiveDateTime": "2026-11-24",
        "valueQuantity": {"value": 37, **unit},
    }
    good = {"resourceType": "Observation", "status": "final", "code": code, **vital, **rest}
    assert {one[0] for one in issues(await admin.post("/fhir/Observation/$validate", json=good))} == {"information"}

    no_category = {name: one for name, one in good.items() if name != "category"}
    found = issues(await admin.post("/fhir/Observation/$validate", json=no_category))
    assert ("error", "required", "Observation.category") in found

    birth = {"url": "http://hl7.org/fhir/StructureDefinition/patient-birthTime", "valueDateTime": "2026-11-24"}
    found = issues(await admin.post("/fhir/Patient/$validate", json={**PATIENT, "extension": [birth]}))
    assert found == {("error", "structure", "Patient.extension[0]")}
