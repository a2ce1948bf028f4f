"""Writing with its audit event, and again when another writer was faster."""

import asyncio
from collections.abc import Callable

import pytest

from fhir_gateway.fhir.codec import decode
from fhir_gateway.problem import BadRequest, Forbidden, PreconditionFailed
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.write import create, delete, delete_all, update
from fhir_gateway.search.query import Query
from fhir_gateway.store.port import Version

pytestmark = pytest.mark.anyio

PATIENT = {"resourceType": "Patient", "id": "p"}
VisitOf = Callable[[str], Visit]


async def _events(desk: Desk) -> list[Version]:
    return await desk.store.find(Query("AuditEvent", size=100))


async def test_a_write_and_its_event_are_one_commit(desk: Desk, visit_of: VisitOf) -> None:
    result = await create(desk, visit_of("bai-chay"), PATIENT)

    assert result.version is not None
    (event,) = await _events(desk)
    assert f'"reference":"Patient/{result.version.id}"'.encode() in event.body


async def test_a_refused_write_leaves_no_trace_in_the_records(desk: Desk, visit_of: VisitOf) -> None:
    with pytest.raises(Forbidden):
        await create(desk, visit_of("population"), PATIENT)

    assert await desk.store.find(Query("Patient")) == []


async def test_what_a_hospital_writes_it_may_read_later(desk: Desk, visit_of: VisitOf) -> None:
    result = await update(desk, visit_of("bai-chay"), "Patient/p", PATIENT)

    assert result.version is not None
    assert result.version.readers == ("bai-chay",)


async def test_increments_under_if_match_are_never_lost(desk: Desk, visit_of: VisitOf) -> None:
    """Read, add one, write back if nobody was in between: 20 clients, each until it succeeds once."""
    admin = visit_of("admin")
    await update(desk, admin, "Patient/p", {**PATIENT, "multipleBirthInteger": 0})

    async def increment() -> None:
        while True:
            now = await desk.store.current("Patient/p")
            assert now is not None
            grown = {**PATIENT, "multipleBirthInteger": decode(now.body)["multipleBirthInteger"] + 1}
            try:
                await update(desk, admin, "Patient/p", grown, now.number)
            except PreconditionFailed:
                continue
            return

    await asyncio.gather(*(increment() for _ in range(20)))

    last = await desk.store.current("Patient/p")
    assert last is not None
    assert (decode(last.body)["multipleBirthInteger"], last.number) == (20, 21)


async def test_a_deletion_under_another_version_is_refused(desk: Desk, visit_of: VisitOf) -> None:
    await update(desk, visit_of("admin"), "Patient/p", PATIENT)

    with pytest.raises(PreconditionFailed):
        await delete(desk, visit_of("admin"), "Patient/p", 2)


async def test_the_id_in_the_body_must_be_the_id_asked_for(desk: Desk, visit_of: VisitOf) -> None:
    with pytest.raises(BadRequest):
        await update(desk, visit_of("admin"), "Patient/other", PATIENT)


async def test_a_condition_may_lead_to_other_records(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    named = {**PATIENT, "identifier": [{"system": "urn:t", "value": "1"}]}
    await update(desk, admin, "Patient/p", named)
    about = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": "Patient/p"},
    }
    first = await create(desk, admin, about, "subject:Patient.identifier=urn:t|1")
    second = await create(desk, admin, about, "subject:Patient.identifier=urn:t|1")

    assert (first.status, second.status) == (201, 200)
    assert await delete_all(desk, admin, "Observation", "patient.identifier=urn:t|1", 5) == 1


async def test_a_condition_finds_nothing_through_what_the_caller_may_not_see(desk: Desk, visit_of: VisitOf) -> None:
    await update(
        desk, visit_of("bai-chay"), "Patient/p", {**PATIENT, "identifier": [{"system": "urn:t", "value": "1"}]}
    )
    about = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": "Patient/p"},
    }
    stranger = visit_of("qn-general")
    await create(desk, stranger, about)
    made = await create(desk, stranger, about, "patient.identifier=urn:t|1")

    assert made.status == 201
