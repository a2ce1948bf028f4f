"""$graphql by HTTP."""

import httpx
import pytest
from graphql import build_client_schema, get_introspection_query, validate_schema

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


@pytest.mark.parametrize("kind", ["ID!", "ID", "id!", "String", "token"])
async def test_a_variable_may_be_declared_as_any_kind_of_text(chart: httpx.AsyncClient, kind: str) -> None:
    query = (
        f"query($id: {kind}) {{ Patient(id: $id) {{ id }} PatientList(_id: $id) {{ id name(use: $id) {{ use }} }} }}"
    )
    found = await ask(chart, query, variables={"id": "p"})

    assert found == {"data": {"Patient": {"id": "p"}, "PatientList": [{"id": "p", "name": []}]}}


async def test_a_variable_is_a_text_where_one_text_is_wanted(chart: httpx.AsyncClient) -> None:
    several = await ask(chart, "query($ids: [ID!]) { PatientList(_id: $ids) { id } }", variables={"ids": ["p"]})
    nothing = await ask(chart, "query($id: ID) { Patient(id: $id) { id } }", variables={"id": None})

    assert several["data"]["PatientList"] == [{"id": "p"}]
    assert nothing["errors"]
    for kind, value in (("Int", 1), ("[String]", ["p"])):
        asked = {"query": f"query($id: {kind}) {{ Patient(id: $id) {{ id }} }}", "variables": {"id": value}}
        refused = await chart.post("/fhir/$graphql", json=asked, headers={"content-type": "application/json"})
        assert refused.status_code == 400
        assert "in position expecting" in refused.json()["issue"][0]["diagnostics"]


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

    assert flat["data"] == {"family": ["Nguyễn"], "given": ["Văn", "An", "Tí"]}
    assert first["data"] == {"name": [{"use": "official"}]}
    assert single["data"] == {"name": {"use": "nickname"}}


async def test_a_list_is_sliced_into_values_with_names_of_their_own(chart: httpx.AsyncClient) -> None:
    by_use = await ask(chart, '{ name @flatten @slice(path: "use") { given family @singleton } }', "Patient/p/$graphql")
    assert by_use["data"] == {
        "given.official": ["Văn", "An"],
        "family.official": "Nguyễn",
        "given.nickname": ["Tí"],
        "family.nickname": None,
    }
    asked = "query Q($p: String!) { n: name @slice(path: $p) @singleton { use } }"
    by_place = await ask(chart, asked, "Patient/p/$graphql", variables={"p": "$index"})
    assert by_place["data"] == {"n.0": {"use": "official"}, "n.1": {"use": "nickname"}}
    rows = await ask(chart, '{ ObservationList(_sort: "_id") @slice(path: "id") @flatten { status @singleton } }')
    assert rows["data"] == {"status.o": "final", "status.x": "final"}
    wrong = await ask(chart, '{ name @slice(path: "given") { use } }', "Patient/p/$graphql")
    assert "one text or number" in wrong["errors"][0]["message"]


async def test_the_pages_of_a_connection_are_walked_to_its_end_and_back(chart: httpx.AsyncClient) -> None:
    for number in range(3):
        observation = {"resourceType": "Observation", "id": f"y{number}", "status": "final", "code": {"text": "x"}}
        await chart.put(f"/fhir/Observation/y{number}", json=observation)

    async def page(cursor: str | None, sort: str) -> dict:
        place = f'_cursor: "{cursor}"' if cursor else ""
        facts = "count offset pagesize first previous next last edges { resource { id } }"
        asked = f'{{ ObservationConnection(_count: 2, _sort: "{sort}" {place}) {{ {facts} }} }}'
        return (await ask(chart, asked))["data"]["ObservationConnection"]

    def shown(found: dict) -> list[str]:
        return [edge["resource"]["id"] for edge in found["edges"]]

    for sort in ("_id", "-_id", "_lastUpdated", "-_lastUpdated", "date", "-status"):
        first = await page(None, sort)
        second = await page(first["next"], sort)
        third = await page(second["next"], sort)
        pages = (first, second, third)
        assert [one["offset"] for one in pages] == [0, 2, 4]
        assert [(one["count"], one["pagesize"]) for one in pages] == [(5, 2)] * 3
        assert (first["previous"], third["next"]) == (None, None)
        assert len({id_ for one in pages for id_ in shown(one)}) == 5
        back = await page(third["previous"], sort)
        assert (shown(back), back["offset"]) == (shown(second), 2)
        assert shown(await page(third["first"], sort)) == shown(first)
        last = await page(first["last"], sort)
        assert (shown(last), last["offset"], last["next"]) == ([*shown(second)[1:], *shown(third)], 3, None), sort


async def test_a_tool_gets_the_whole_schema(admin: httpx.AsyncClient) -> None:
    asked = get_introspection_query(directive_is_repeatable=True, input_value_deprecation=True)
    for _ in range(2):
        told = await ask(admin, asked, operationName="IntrospectionQuery")
    made = build_client_schema(told["data"])
    assert validate_schema(made) == []
    assert {"slice", "flatten", "first", "singleton"} <= {one.name for one in made.directives}
    patient = made.type_map["PatientConnection"]
    assert {"count", "offset", "pagesize", "first", "previous", "next", "last", "edges"} == set(patient.fields)


async def test_a_question_about_the_schema_takes_variables_and_aliases(admin: httpx.AsyncClient) -> None:
    asked = 'query Q($n: String!) { t: __type(name: $n) { ...F } none: __type(name: "X") { name } __typename } '
    found = await ask(admin, asked + "fragment F on __Type { kind n: name }", variables={"n": "Patient"})
    assert found == {"data": {"t": {"kind": "OBJECT", "n": "Patient"}, "none": None, "__typename": "Query"}}
    answer = await admin.post("/fhir/$graphql", json={"query": asked + "fragment F on __Type { kind }"})
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (400, ["variables"])


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
        "{ __schema { types { name } } PatientList { id } }",
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


async def test_questions_may_be_written_as_in_the_examples_of_fhir(chart: httpx.AsyncClient) -> None:
    typed = '{ Observation(id: "o") { subject { resource(type: Patient) { id birthDate } } } }'
    other = typed.replace("type: Patient", "type: Group").replace("birthDate", "active")
    counted = '{ ObservationList(value_quantity: 7.2, _sort: "_id") { id } PatientList(active: true) { id } }'

    found = await ask(chart, typed)
    assert found == {"data": {"Observation": {"subject": {"resource": {"id": "p", "birthDate": "1980-01-02"}}}}}
    assert await ask(chart, other) == {"data": {"Observation": {"subject": {"resource": None}}}}
    assert await ask(chart, counted) == {"data": {"ObservationList": [{"id": "o"}, {"id": "x"}], "PatientList": []}}


async def test_what_is_lifted_up_has_no_gaps(chart: httpx.AsyncClient) -> None:
    found = await ask(chart, "{ name @flatten { family given text } }", "Patient/p/$graphql")

    assert found == {"data": {"family": ["Nguyễn"], "given": ["Văn", "An", "Tí"], "text": []}}
