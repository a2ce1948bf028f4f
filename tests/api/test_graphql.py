"""$graphql by HTTP."""

import httpx
import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture
async def chart(admin: httpx.AsyncClient) -> httpx.AsyncClient:
    name = [{"use": "official", "family": "Nguyễn", "given": ["Văn", "An"]}, {"use": "nickname", "given": ["Tí"]}]
    patient = {"resourceType": "Patient", "id": "p", "name": name, "birthDate": "1980-01-02"}
    observation = {"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "Hb"},
                   "subject": {"reference": "Patient/p"}, "valueQuantity": {"value": 7.2, "unit": "g/dL"}}  # fmt: skip
    astray = {**observation, "id": "x", "subject": {"reference": "Patient/nobody"}}
    for one in (patient, observation, astray):
        await admin.put(f"/fhir/{one['resourceType']}/{one['id']}", json=one)
    return admin


async def ask(client: httpx.AsyncClient, query: str, path: str = "$graphql", **more) -> dict:
    answer = await client.post(
        f"/fhir/{path}", json={"query": query, **more}, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_record_is_read_by_id_with_the_elements_asked_for(chart: httpx.AsyncClient) -> None:
    query = 'query Q($id: String!) { Patient(id: $id) { id birthDate name(use: "official") { family } } }'
    found = await ask(chart, query, variables={"id": "p"})

    assert found == {"data": {"Patient": {"id": "p", "birthDate": "1980-01-02", "name": [{"family": "Nguyễn"}]}}}


async def test_a_search_follows_references_there_and_back(chart: httpx.AsyncClient) -> None:
    there = await ask(
        chart, '{ ObservationList(_id: "o") { id subject { resource { ... on Patient { birthDate } } } } }'
    )
    back = await ask(chart, '{ PatientList(family: "nguyen") { ObservationList(_reference: subject) '
                            "{ id valueQuantity { value } } } }".replace("subject", '"subject"'))  # fmt: skip

    assert there["data"]["ObservationList"] == [{"id": "o", "subject": {"resource": {"birthDate": "1980-01-02"}}}]
    assert back["data"]["PatientList"] == [{"ObservationList": [{"id": "o", "valueQuantity": {"value": 7.2}}]}]


async def test_a_reference_that_leads_nowhere_is_an_error_in_its_place_unless_it_may(chart: httpx.AsyncClient) -> None:
    asked = '{ ObservationList(_id: "x") { subject { resource%s { id } } } }'
    wrong, fine = await ask(chart, asked % ""), await ask(chart, asked % "(optional: true)")

    assert wrong["errors"][0]["path"] == ["ObservationList", 0, "subject", "resource"]
    assert wrong["errors"][0]["extensions"]["resource"]["resourceType"] == "OperationOutcome"
    assert fine == {"data": {"ObservationList": [{"subject": {"resource": None}}]}}


async def test_one_record_is_asked_about_itself(chart: httpx.AsyncClient) -> None:
    found = await ask(chart, "{ birthDate name { given } }", "Patient/p/$graphql")

    assert found["data"]["name"][0]["given"] == ["Văn", "An"]
    answer = await chart.get("/fhir/Patient/p/$graphql?query={id}")
    assert answer.json() == {"data": {"id": "p"}}


async def test_lists_are_reshaped_by_directives(chart: httpx.AsyncClient) -> None:
    query = "{ name @flatten { family given } }"
    flat = await ask(chart, query, "Patient/p/$graphql")
    first = await ask(chart, "{ name @first { use } }", "Patient/p/$graphql")
    single = await ask(chart, '{ name(use: "nickname") @singleton { use } }', "Patient/p/$graphql")

    assert flat["data"] == {"family": ["Nguyễn", None], "given": ["Văn", "An", "Tí"]}
    assert first["data"] == {"name": [{"use": "official"}]}
    assert single["data"] == {"name": {"use": "nickname"}}


async def test_a_connection_counts_and_goes_on(chart: httpx.AsyncClient) -> None:
    page = await ask(chart, "{ ObservationConnection(_count: 1) { count next edges { mode resource { id } } } }")
    cursor = page["data"]["ObservationConnection"]["next"]
    rest = await ask(
        chart, f'{{ ObservationConnection(_count: 1, _cursor: "{cursor}") {{ next edges {{ resource {{ id }} }} }} }}'
    )

    assert page["data"]["ObservationConnection"]["count"] == 2
    assert rest["data"]["ObservationConnection"] == {"next": None, "edges": [{"resource": {"id": "x"}}]}


async def test_elements_are_narrowed_by_fhirpath_and_place(chart: httpx.AsyncClient) -> None:
    query = '{ name(fhirpath: "family.exists()") { use } second: name(_offset: 1, _count: 1) { use } }'
    found = await ask(chart, query, "Patient/p/$graphql")

    assert found["data"] == {"name": [{"use": "official"}], "second": [{"use": "nickname"}]}


@pytest.mark.parametrize(
    "query",
    [
        "{",
        "{ Nothing { id } }",
        "{ Patient(id: 1) { nothing } }",
        "mutation { Patient { id } }",
        "query A { __typename } query B { __typename }",
        "{ ...F } fragment F on Query { ...F }",
        "",
    ],
)
async def test_what_is_no_question_is_refused(admin: httpx.AsyncClient, query: str) -> None:
    answer = await admin.post("/fhir/$graphql", json={"query": query})

    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    "query",
    [
        "{ __schema { types { name } } }",
        '{ __type(name: "Patient") { fields { type { fields { name } } } } }',
        "{ Patient(id: 1) { " + "contained { ... on Patient { " * 22 + "id" + " } }" * 22 + " } }",
    ],
)
async def test_what_is_too_large_is_refused_before_it_is_answered(admin: httpx.AsyncClient, query: str) -> None:
    query = query.replace("id: 1", 'id: "1"')
    answer = await admin.post("/fhir/$graphql", json={"query": query})

    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (403, "too-costly")


async def test_one_type_of_the_schema_can_be_asked_for(admin: httpx.AsyncClient) -> None:
    found = await ask(admin, '{ __type(name: "Patient_contact") { fields { name } } }')

    assert {"name": "telecom"} in found["data"]["__type"]["fields"]


async def test_rights_are_those_of_rest(chart: httpx.AsyncClient, client_of) -> None:
    other = client_of("san-nhi")
    hidden = await ask(other, "{ PatientList { id } ObservationList { id } }")
    refused = await ask(client_of("population"), "{ PatientList { id } ObservationList { id } }")

    assert hidden == {"data": {"PatientList": [], "ObservationList": []}}
    assert refused["data"]["ObservationList"] is None
    assert refused["errors"][0]["extensions"]["resource"]["issue"][0]["code"] == "forbidden"
    assert (await other.post("/fhir/Patient/p/$graphql", json={"query": "{id}"})).status_code == 404


async def test_what_was_looked_at_is_on_the_audit_trail(chart: httpx.AsyncClient) -> None:
    await ask(chart, '{ ObservationList(_id: "o") { subject { resource { id } } } }')
    await ask(chart, "{ birthDate }", "Patient/p/$graphql")
    trail = (await chart.get("/fhir/AuditEvent?subtype=read&entity=Patient/p")).json()

    assert trail["total"] == 2
