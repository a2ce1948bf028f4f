"""Terminology by HTTP: at a type, at one record, with arguments in the URL, a form or Parameters."""

import httpx
import pytest

from fhir_gateway.fhir.validation import validate

pytestmark = pytest.mark.anyio

URL = "http://example.org/c"
SYSTEM = {
    "resourceType": "CodeSystem",
    "id": "c",
    "url": URL,
    "status": "active",
    "content": "complete",
    "concept": [{"code": "1", "display": "Một", "concept": [{"code": "11", "display": "Mười một"}]}],
}
SET = {
    "resourceType": "ValueSet",
    "id": "v",
    "url": "http://example.org/v",
    "status": "active",
    "compose": {"include": [{"system": URL}]},
}
MAP = {
    "resourceType": "ConceptMap",
    "id": "m",
    "url": "http://example.org/m",
    "status": "active",
    "group": [
        {
            "source": URL,
            "target": "urn:other",
            "element": [{"code": "1", "target": [{"code": "one", "equivalence": "equal"}]}],
        }
    ],
}


@pytest.fixture
async def books(admin: httpx.AsyncClient) -> httpx.AsyncClient:
    for one in (SYSTEM, SET, MAP):
        assert (await admin.put(f"/fhir/{one['resourceType']}/{one['id']}", json=one)).status_code == 201
    return admin


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        (f"CodeSystem/$lookup?system={URL}&code=1", "display", "Một"),
        (f"CodeSystem/$subsumes?system={URL}&codeA=1&codeB=11", "outcome", "subsumes"),
        (f"CodeSystem/$validate-code?url={URL}&code=2", "result", False),
        ("CodeSystem/c/$validate-code?code=11", "result", True),
        (f"ValueSet/v/$validate-code?system={URL}&code=11", "result", True),
        (f"ValueSet/$validate-code?url=http://example.org/v&system={URL}&code=9", "result", False),
        (f"ConceptMap/m/$translate?system={URL}&code=1", "result", True),
        (f"ConceptMap/$translate?url=http://example.org/m&system={URL}&code=2", "result", False),
    ],
)
async def test_a_question_in_the_url_is_answered_with_parameters(books, path: str, name: str, value) -> None:
    answer = await books.get(f"/fhir/{path}")

    assert (answer.status_code, validate(answer.json())) == (200, ())
    found = next(one for one in answer.json()["parameter"] if one["name"] == name)
    assert value in found.values()


async def test_an_expansion_of_one_record_of_a_type_and_of_what_is_sent(books: httpx.AsyncClient) -> None:
    sent = {"resourceType": "Parameters", "parameter": [{"name": "valueSet", "resource": SET},
                                                        {"name": "filter", "valueString": "muoi"}]}  # fmt: skip
    answers = [
        await books.get("/fhir/ValueSet/v/$expand?filter=muoi"),
        await books.get("/fhir/ValueSet/$expand?url=http://example.org/v&filter=muoi"),
        await books.post("/fhir/ValueSet/$expand", json=sent),
        await books.post(
            "/fhir/ValueSet/$expand",
            content="url=http%3A%2F%2Fexample.org%2Fv&filter=muoi",
            headers={"content-type": "application/x-www-form-urlencoded"},
        ),
    ]

    for answer in answers:
        assert answer.status_code == 200, answer.text
        assert [one["code"] for one in answer.json()["expansion"]["contains"]] == ["11"]
        assert validate(answer.json()) == ()


async def test_what_is_not_held_is_not_found_and_what_makes_no_sense_is_refused(books: httpx.AsyncClient) -> None:
    for path, status in (
        ("ValueSet/$expand?url=http://example.org/none", 404),
        ("ValueSet/none/$expand", 404),
        ("ValueSet/$expand", 400),
        ("ValueSet/v/$expand?count=x", 400),
        (f"CodeSystem/$lookup?system={URL}&code=none", 404),
        ("CodeSystem/$lookup?code=1", 400),
        ("CodeSystem/$lookup?systm=1&code=1", 400),
    ):
        assert (path, (await books.get(f"/fhir/{path}")).status_code) == (path, status)


async def test_odd_definitions_are_refused_and_break_nothing(books: httpx.AsyncClient) -> None:
    includes = [
        {"system": URL, "filter": [{"property": "code", "op": "regex", "value": "(a+)+$("}]},
        {"system": URL, "filter": [{"property": "code", "op": "regex", "value": "(?=x)"}]},
        {"system": "http://snomed.info/sct", "filter": [{"property": "concept", "op": "is-a", "value": "1"}]},
        {"valueSet": ["http://example.org/none"]},
    ]
    for place, include in enumerate(includes):
        odd = {**SET, "id": f"odd{place}", "url": f"http://example.org/odd{place}", "compose": {"include": [include]}}
        await books.put(f"/fhir/ValueSet/odd{place}", json=odd)
        answer = await books.get(f"/fhir/ValueSet/odd{place}/$expand")
        assert 400 <= answer.status_code < 500


async def test_the_right_to_read_terminology_is_needed(books: httpx.AsyncClient, client_of) -> None:
    assert (await client_of("san-nhi").get("/fhir/ValueSet/v/$expand")).status_code == 200
    assert (await client_of("population").get("/fhir/ValueSet/v/$expand")).status_code == 403
