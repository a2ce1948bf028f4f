"""Reading versions: what is hidden looks like what is not there."""

from collections.abc import Callable

import pytest

from fhir_gateway.problem import Forbidden, Gone, NotFound
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.read import read, vread
from fhir_gateway.records.write import delete, update
from fhir_gateway.search.query import Query

pytestmark = pytest.mark.anyio

PATIENT = {"resourceType": "Patient", "id": "p"}
VisitOf = Callable[[str], Visit]


async def test_a_read_is_on_the_trail_before_it_is_answered(desk: Desk, visit_of: VisitOf) -> None:
    await update(desk, visit_of("bai-chay"), "Patient/p", PATIENT)

    version = await read(desk, visit_of("bai-chay"), "Patient", "p")

    assert version.number == 1
    assert len(await desk.store.find(Query("AuditEvent"))) == 2


async def test_what_is_hidden_and_what_is_not_there_sound_alike(desk: Desk, visit_of: VisitOf) -> None:
    await update(desk, visit_of("san-nhi"), "Patient/p", PATIENT)
    told = []
    for identity in ("p", "nobody"):
        with pytest.raises(NotFound) as refusal:
            await read(desk, visit_of("bai-chay"), "Patient", identity)
        told.append(refusal.value.issues)

    assert told[0] == told[1]


async def test_a_deleted_record_is_gone_and_its_versions_stay(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await update(desk, admin, "Patient/p", PATIENT)
    await delete(desk, admin, "Patient/p")

    with pytest.raises(Gone):
        await read(desk, admin, "Patient", "p")
    with pytest.raises(Gone):
        await vread(desk, admin, "Patient/p", 2)
    assert (await vread(desk, admin, "Patient/p", 1)).number == 1


async def test_a_version_that_never_was_is_not_found(desk: Desk, visit_of: VisitOf) -> None:
    await update(desk, visit_of("admin"), "Patient/p", PATIENT)

    with pytest.raises(NotFound):
        await vread(desk, visit_of("admin"), "Patient/p", 9)


async def test_a_role_without_the_right_is_refused(desk: Desk, visit_of: VisitOf) -> None:
    with pytest.raises(Forbidden):
        await read(desk, visit_of("auditor"), "Patient", "p")
