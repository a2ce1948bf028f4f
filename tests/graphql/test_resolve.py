"""Questions are answered by the interactions of REST, references together."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from fhir_gateway.graphql import resolve
from fhir_gateway.graphql.ask import Question, ask
from fhir_gateway.problem import Unavailable
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.write import update
from fhir_gateway.search.query import parse
from fhir_gateway.security.audit import Trail
from fhir_gateway.security.caller import Caller
from fhir_gateway.store.port import Store

pytestmark = pytest.mark.anyio

ADMIN = Visit(Caller("admin", "admin", ""), "request-1", "192.0.2.1")
QUESTION = Question('{ ObservationList(_sort: "_id") { subject { resource { id } } } }')


@pytest.fixture
async def desk(store: Store) -> Desk:
    """Six observations of three patients."""
    desk = Desk(store, Trail(store), lambda: datetime.now(UTC), b"s" * 32, 20, 50, "http://gateway/fhir", "test")
    for number in range(6):
        patient = f"p{number % 3}"
        about: dict[str, Any] = {
            "status": "final",
            "code": {"text": "x"},
            "subject": {"reference": f"Patient/{patient}"},
        }
        await update(desk, ADMIN, f"Patient/{patient}", {"resourceType": "Patient", "id": patient, "active": True})
        name = f"o{number}"
        await update(desk, ADMIN, f"Observation/{name}", {"resourceType": "Observation", "id": name, **about})
    return desk


async def test_references_of_one_level_are_read_together_and_once(desk: Desk) -> None:
    answer = await ask(desk, ADMIN, QUESTION)
    reads = await desk.store.find(parse("AuditEvent", [("subtype", "read")]))

    found = [one["subject"]["resource"]["id"] for one in answer["data"]["ObservationList"]]
    assert found == ["p0", "p1", "p2", "p0", "p1", "p2"]
    assert len(reads) == 1
    assert all(f'"Patient/p{number}"'.encode() in reads[0].body for number in range(3))


async def test_a_question_that_sees_too_much_is_cut_short(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "RECORD_LIMIT", 8)
    answer = await ask(desk, ADMIN, QUESTION)

    assert {error["extensions"]["resource"]["issue"][0]["code"] for error in answer["errors"]} == {"too-costly"}
    assert sum(one["subject"]["resource"] is not None for one in answer["data"]["ObservationList"]) == 2


async def test_a_reference_asked_for_while_others_are_fetched_is_fetched_too(desk: Desk) -> None:
    session = resolve.Session(desk, ADMIN)
    first = asyncio.create_task(session.follow("Patient/p0"))
    for _ in range(3):
        await asyncio.sleep(0)
    found = await asyncio.wait_for(asyncio.gather(first, session.follow("Patient/p1"), session.follow("Patient/x")), 5)

    assert [one and one["id"] for one in found] == ["p0", "p1", None]


async def test_when_the_audit_trail_cannot_be_written_nothing_is_answered(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: Any) -> None:
        raise Unavailable("the audit trail cannot be written")

    monkeypatch.setattr(resolve, "record", full)
    with pytest.raises(Unavailable):
        await ask(desk, ADMIN, QUESTION)


async def test_a_type_or_a_parameter_may_be_named_without_quotes(desk: Desk) -> None:
    focal = {"resourceType": "Patient", "id": "p1"}
    text = "{ ObservationList(_reference: subject, _sort: _id) { id subject { resource(type: Patient) { id } } } }"
    answer = await ask(desk, ADMIN, Question(text, focal=focal))

    assert [one["id"] for one in answer["data"]["ObservationList"]] == ["o1", "o4"]
    assert answer["data"]["ObservationList"][0]["subject"]["resource"] == {"id": "p1"}


async def test_a_reference_to_a_contained_resource_is_followed(desk: Desk) -> None:
    inner = {"resourceType": "Organization", "id": "o", "name": "Inner"}
    outer = {"resourceType": "Patient", "id": "c", "contained": [inner], "managingOrganization": {"reference": "#o"}}
    await update(desk, ADMIN, "Patient/c", outer)
    text = '{ Patient(id: "c") { managingOrganization { resource(type: %s) { ... on Organization { name } } } } }'
    found, other = [await ask(desk, ADMIN, Question(text % kind)) for kind in ("Organization", "Practitioner")]

    assert found == {"data": {"Patient": {"managingOrganization": {"resource": {"name": "Inner"}}}}}
    assert other == {"data": {"Patient": {"managingOrganization": {"resource": None}}}}
