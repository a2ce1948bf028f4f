"""All about one patient, page by page."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from fhir_gateway.problem import BadRequest, Gone, NotFound
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.everything import Portion, Wish, everything, known_types
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.write import delete, update
from fhir_gateway.search.query import parse

pytestmark = pytest.mark.anyio

VisitOf = Callable[[str], Visit]
ABOUT = {"subject": {"reference": "Patient/p"}}
CODE = {"code": {"text": "x"}}


async def put(desk: Desk, visit: Visit, type_: str, identity: str, **facts: Any) -> None:
    await update(desk, visit, f"{type_}/{identity}", {"resourceType": type_, "id": identity, **facts})


async def chart(desk: Desk, visit: Visit) -> None:
    """A patient with a visit, two observations, a doctor, the doctor's role in a hospital, and a neighbour."""
    await put(desk, visit, "Organization", "h", name="Bãi Cháy")
    await put(desk, visit, "Practitioner", "d", active=True)
    await put(desk, visit, "PractitionerRole", "r", organization={"reference": "Organization/h"})
    await put(desk, visit, "Patient", "p", active=True)
    await put(desk, visit, "Patient", "q", active=True)
    await put(desk, visit, "Encounter", "e", status="finished", **{"class": {"code": "AMB"}}, **ABOUT)
    performer = [{"reference": "Practitioner/d"}, {"reference": "PractitionerRole/r"}]
    encounter = {"reference": "Encounter/e"}
    await put(
        desk, visit, "Observation", "o1", status="final", performer=performer, encounter=encounter, **CODE, **ABOUT
    )
    await put(desk, visit, "Observation", "o2", status="final", **CODE, **ABOUT)
    await put(desk, visit, "Observation", "o3", status="final", **CODE, subject={"reference": "Patient/q"})


def names(portion: Portion) -> list[str]:
    return [version.reference for version in portion.matches]


async def test_a_patients_record_comes_with_the_people_and_places_it_names(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await chart(desk, admin)
    portion = await everything(desk, admin, "Patient/p", Wish())

    assert names(portion) == ["Patient/p", "Encounter/e", "Observation/o1", "Observation/o2"]
    assert {one.reference for one in portion.included} == {"Practitioner/d", "PractitionerRole/r", "Organization/h"}


async def test_pages_together_are_the_whole(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await chart(desk, admin)
    found, position = [], ""
    for _ in range(9):
        portion = await everything(desk, admin, "Patient/p", Wish(size=1, position=position))
        found += names(portion)
        position = portion.following
        if not position:
            break

    assert found == ["Patient/p", "Encounter/e", "Observation/o1", "Observation/o2"]


async def test_a_cursor_belongs_to_its_patient(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await chart(desk, admin)
    first = await everything(desk, admin, "Patient/p", Wish(size=1))

    with pytest.raises(BadRequest):
        await everything(desk, admin, "Patient/q", Wish(size=1, position=first.following))


async def test_types_and_time_narrow_it(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await chart(desk, admin)
    typed = await everything(desk, admin, "Patient/p", Wish(types=("Observation", "Practitioner")))
    since = datetime.now(UTC)
    await put(desk, admin, "Observation", "o2", status="amended", **CODE, **ABOUT)
    recent = await everything(
        desk, admin, "Patient/p", Wish(since=since.replace(microsecond=since.microsecond // 1000 * 1000))
    )

    assert names(typed) == ["Observation/o1", "Observation/o2"]
    assert [one.reference for one in typed.included] == ["Practitioner/d"]
    assert names(recent) == ["Observation/o2"]


async def test_a_hospital_sees_its_own_part_alone(desk: Desk, visit_of: VisitOf) -> None:
    own, other = visit_of("bai-chay"), visit_of("san-nhi")
    await put(desk, own, "Patient", "p", active=True)
    await put(desk, own, "Observation", "o1", status="final", **CODE, **ABOUT)
    await put(desk, other, "Observation", "o2", status="final", **CODE, **ABOUT)

    assert names(await everything(desk, own, "Patient/p", Wish())) == ["Patient/p", "Observation/o1"]
    assert names(await everything(desk, visit_of("doctor"), "Patient/p", Wish()))[1:] == [
        "Observation/o1",
        "Observation/o2",
    ]
    with pytest.raises(NotFound):
        await everything(desk, other, "Patient/p", Wish())


async def test_an_encounter_has_its_own_compartment(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await chart(desk, admin)

    portion = await everything(desk, admin, "Encounter/e", Wish())

    assert names(portion) == ["Encounter/e", "Observation/o1"]
    assert "Patient/p" in {one.reference for one in portion.included}


async def test_each_page_leaves_one_event(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await chart(desk, admin)
    await everything(desk, admin, "Patient/p", Wish())

    found = await desk.store.find(parse("AuditEvent", [("subtype", "$everything")]))
    assert len(found) == 1
    assert b'"Patient/p"' in found[0].body


async def test_what_is_deleted_is_gone_and_a_type_has_to_exist(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await put(desk, admin, "Patient", "p", active=True)
    await delete(desk, admin, "Patient/p")

    with pytest.raises(Gone):
        await everything(desk, admin, "Patient/p", Wish())
    with pytest.raises(BadRequest):
        known_types(["Patient", "Patiant"])
