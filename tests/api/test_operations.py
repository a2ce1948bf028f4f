"""Operations are where the table says, and nowhere else."""

from random import Random

import httpx
import pytest

from fhir_gateway.api import operations
from fhir_gateway.fhir.validation import validate

pytestmark = pytest.mark.anyio

PATIENT = {"resourceType": "Patient", "id": "p", "active": True}


async def test_an_operation_that_is_not_offered_there_is_not_found(admin: httpx.AsyncClient) -> None:
    for path in ("$nothing", "Patient/$nothing", "Patient/p/$lookup", "Observation/$expand", "$everything"):
        answer = await admin.get(f"/fhir/{path}")
        assert (path, answer.status_code) == (path, 404)
    assert (await admin.get("/fhir/Patiant/$validate")).status_code == 404
    assert (await admin.get("/fhir/Patient/a b/$everything")).status_code == 400


async def test_what_changes_a_record_is_not_done_by_get(admin: httpx.AsyncClient) -> None:
    await admin.put("/fhir/Patient/p", json=PATIENT)

    assert (await admin.get("/fhir/Patient/p/$meta-add")).status_code == 405


async def test_a_record_whose_id_looks_like_an_operation_cannot_be(admin: httpx.AsyncClient) -> None:
    assert (await admin.put("/fhir/Patient/$p", json={**PATIENT, "id": "$p"})).status_code in (400, 405)


async def test_nobody_asks_without_a_token(client_of) -> None:
    for path in ("Patient/p/$everything", "ValueSet/$expand", "$graphql"):
        assert (await client_of("").get(f"/fhir/{path}")).status_code == 401


async def test_the_statement_declares_each_of_them(admin: httpx.AsyncClient) -> None:
    found = (await admin.get("/fhir/metadata")).json()
    rest = found["rest"][0]
    declared = {one["type"]: {each["name"] for each in one["operation"]} for one in rest["resource"]}

    assert validate(found) == ()
    assert {"everything", "summary", "validate", "meta", "meta-add", "meta-delete"} <= declared["Patient"]
    assert {"lookup", "subsumes", "validate-code"} <= declared["CodeSystem"]
    assert {"expand", "validate-code"} <= declared["ValueSet"]
    assert not declared["Patient"] & {"expand", "lastn", "document"}
    assert "meta-add" not in declared["AuditEvent"]
    assert {"graphql", "meta"} <= {each["name"] for each in rest["operation"]}


def test_every_operation_of_the_table_can_be_reached() -> None:
    for operation in operations.OPERATIONS:
        assert operation.system or operation.type or operation.instance


ASKABLE = [
    "$meta",
    "$graphql",
    "Patient/$meta",
    "Patient/$validate",
    "Patient/$summary",
    "Patient/p/$everything",
    "Patient/p/$summary",
    "Patient/p/$meta",
    "Patient/p/$meta-add",
    "Patient/p/$meta-delete",
    "Patient/p/$validate",
    "Patient/p/$graphql",
    "Observation/$lastn",
    "Composition/c/$document",
    "Encounter/e/$everything",
    "CodeSystem/$lookup",
    "CodeSystem/$subsumes",
    "CodeSystem/$validate-code",
    "ValueSet/$expand",
    "ValueSet/$validate-code",
    "ConceptMap/$translate",
    "CodeSystem/x/$lookup",
]
NAMES = [
    "url",
    "code",
    "system",
    "coding",
    "codeableConcept",
    "valueSet",
    "codeSystem",
    "conceptMap",
    "meta",
    "resource",
    "filter",
    "count",
    "offset",
    "_type",
    "_since",
    "_count",
    "max",
    "patient",
    "identifier",
    "profile",
    "mode",
    "query",
    "codeA",
    "codeB",
    "codingA",
    "codingB",
    "target",
    "reverse",
    "persist",
    "source",
    "property",
]
TEXTS = [
    "",
    "x",
    "1",
    "-1",
    "true",
    "http://hl7.org/fhir/ValueSet/administrative-gender",
    "male",
    "|",
    "a|b",
    "$",
    "{id}",
    "2026-02-30",
    "http://hl7.org/fhir/administrative-gender",
    "Patient",
    "%00",
    "\\",
    "p",
    "http://x?fhir_vs",
]
ELEMENTS = [
    {},
    {"code": 1},
    {"code": "male", "display": 3},
    {"coding": "x"},
    {"coding": [{"code": "x"}]},
    {"tag": [1]},
    {"resourceType": "ValueSet"},
    {"resourceType": "ValueSet", "compose": "x"},
    {"resourceType": "ValueSet", "status": "active", "compose": {"include": [{}]}},
    {"resourceType": "CodeSystem", "concept": [1]},
    {"resourceType": "ConceptMap", "group": [{}]},
    {"resourceType": "Patient"},
    {"resourceType": 1},
    [],
    None,
]


async def test_nothing_that_is_asked_breaks_the_server(admin: httpx.AsyncClient) -> None:
    await admin.put("/fhir/Patient/p", json=PATIENT)
    chance = Random(2026)
    for _ in range(150):
        path, names = chance.choice(ASKABLE), chance.choices(NAMES, k=3)
        query = {name: chance.choice(TEXTS) for name in names[:2]}
        kinds = ["valueString", "valueUri", "valueCoding", "valueCodeableConcept", "valueMeta", "resource", "part"]
        sent = [{"name": name, chance.choice(kinds): chance.choice([*TEXTS, *ELEMENTS])} for name in names]
        if chance.random() < 0.5:
            answer = await admin.get(f"/fhir/{path}", params=query)
        else:
            body = {"resourceType": "Parameters", "parameter": sent}
            answer = await admin.post(f"/fhir/{path}", params=query, json=body)
        assert answer.status_code < 500, (path, query, sent)


async def test_an_operation_is_answered_in_xml_and_asked_in_it(admin: httpx.AsyncClient) -> None:
    asked = (
        '<Parameters xmlns="http://hl7.org/fhir"><parameter><name value="url"/>'
        '<valueUri value="http://hl7.org/fhir/ValueSet/administrative-gender"/></parameter></Parameters>'
    )
    headers = {"content-type": "application/fhir+xml", "accept": "application/fhir+xml"}
    answer = await admin.post("/fhir/ValueSet/$expand", content=asked, headers=headers)

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/fhir+xml")
    assert b'<code value="female"/>' in answer.content
