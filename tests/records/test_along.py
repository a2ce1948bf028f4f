"""What a page brings along, in rounds."""

from collections.abc import Callable
from typing import Any

import pytest

from fhir_gateway.records.desk import Desk
from fhir_gateway.records.find import search
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.write import create, update

pytestmark = pytest.mark.anyio

VisitOf = Callable[[str], Visit]


def _organization(name: str, whole: str) -> dict[str, Any]:
    return {"resourceType": "Organization", "id": name, "name": name, "partOf": {"reference": f"Organization/{whole}"}}


RECORDS: list[dict[str, Any]] = [
    _organization("a", "b"), _organization("b", "c"), _organization("c", "a"),
    {"resourceType": "Questionnaire", "id": "q", "status": "active", "url": "http://example.org/q"},
    {"resourceType": "QuestionnaireResponse", "id": "qr", "status": "completed",
     "questionnaire": "http://example.org/q|2.0"},
    {"resourceType": "Patient", "id": "p", "managingOrganization": {"reference": "Organization/a"}},
    {"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "x"},
     "subject": {"reference": "Patient/p"}},
    {"resourceType": "DiagnosticReport", "id": "r", "status": "final", "code": {"text": "x"},
     "subject": {"reference": "Patient/p"}, "result": [{"reference": "Observation/o"}]},
]  # fmt: skip

CASES = [
    ("Observation", "_include=Observation:patient", "p"),
    ("Observation", "_include=Observation:subject:Group", ""),
    ("Observation", "_include=*", "p"),
    ("Observation", "_include=Observation:patient&_include=Patient:organization", "p"),
    ("Observation", "_include=Observation:patient&_include:iterate=Patient:organization", "a p"),
    (
        "Observation",
        "_include=Observation:patient&_include:iterate=Patient:organization&_include:iterate=Organization:partof",
        "a b c p",
    ),
    ("Observation", "_include=*&_include:iterate=*", "a b c p"),
    ("QuestionnaireResponse", "_include=QuestionnaireResponse:questionnaire", "q"),
    ("Questionnaire", "_revinclude=QuestionnaireResponse:questionnaire", "qr"),
    ("Patient", "_revinclude=Observation:patient", "o"),
    ("Patient", "_revinclude=*", "o r"),
    ("Patient", "_revinclude=Observation:patient&_revinclude:iterate=DiagnosticReport:result", "o r"),
    ("Organization", "_id=a&_revinclude=Organization:partof", "c"),
    ("Organization", "_id=a&_revinclude:iterate=Organization:partof", "b c"),
    ("Organization", "_id=a&_revinclude:iterate=*", "b c o p r"),
    ("Patient", "_revinclude=Observation:patient&_include=Patient:organization", "a o"),
]


async def test_each_include_brings_what_it_asks_for_and_no_more(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    for record in RECORDS:
        await update(desk, admin, f"{record['resourceType']}/{record['id']}", record)
    found = {}
    for type_, text, _ in CASES:
        page = await search(desk, admin, type_, [(n, v) for n, _, v in (one.partition("=") for one in text.split("&"))])
        found[type_, text] = " ".join(sorted(version.id for version in page.included))

    assert found == {(type_, text): expected for type_, text, expected in CASES}


async def test_an_include_of_anything_leaves_out_what_the_caller_may_not_see(desk: Desk, visit_of: VisitOf) -> None:
    hospital, other = visit_of("bai-chay"), visit_of("san-nhi")
    person = await create(desk, hospital, {"resourceType": "Patient", "gender": "male"})
    subject = {"subject": {"reference": person.version.reference}}
    await create(desk, other, {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, **subject})
    population = visit_of("population")

    assert (await search(desk, hospital, "Patient", [("_revinclude", "*")])).included == ()
    assert (await search(desk, population, "Patient", [("_revinclude", "*")])).included == ()
    assert len((await search(desk, visit_of("admin"), "Patient", [("_revinclude", "*")])).included) == 1
