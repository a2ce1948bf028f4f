"""Profiles, labels and tags."""

import asyncio
from collections.abc import Callable

import pytest

from fhir_gateway.problem import BadRequest, Forbidden
from fhir_gateway.records import meta
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.write import update

pytestmark = pytest.mark.anyio

VisitOf = Callable[[str], Visit]
RED, BLUE = {"system": "urn:tags", "code": "red"}, {"system": "urn:tags", "code": "blue"}


async def put(desk: Desk, visit: Visit, name: str, **labels) -> None:
    resource = {"resourceType": "Patient", "id": name, "active": True, "meta": labels or {"tag": [RED]}}
    await update(desk, visit, f"Patient/{name}", resource)


async def test_a_tag_is_added_once_and_taken_away_by_system_and_code(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await put(desk, admin, "p")
    added = await meta.change(desk, admin, "Patient/p", {"tag": [BLUE, RED]}, remove=False)
    again = await meta.change(desk, admin, "Patient/p", {"tag": [BLUE]}, remove=False)
    left = await meta.change(desk, admin, "Patient/p", {"tag": [{**RED, "display": "đỏ"}]}, remove=True)

    assert (added["tag"], added["versionId"]) == ([RED, BLUE], "2")
    assert again["versionId"] == "2"
    assert (left["tag"], left["versionId"]) == ([BLUE], "3")


async def test_only_labels_can_be_changed(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await put(desk, admin, "p")

    for wrong in ({}, {"versionId": "9"}, {"tag": [BLUE], "source": "urn:x"}):
        with pytest.raises(BadRequest):
            await meta.change(desk, admin, "Patient/p", wrong, remove=False)
    with pytest.raises(Forbidden):
        await meta.change(desk, visit_of("doctor"), "Patient/p", {"tag": [BLUE]}, remove=False)


async def test_all_labels_in_use_are_found_however_many_records_have_them(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    for name in ("a", "b", "c"):
        await put(desk, admin, name)
    await put(desk, admin, "d", tag=[BLUE], profile=["http://example.org/p"], security=[{"system": "s", "code": "R"}])

    of_type = await meta.in_use(desk, admin, "Patient")
    assert {one["code"] for one in of_type["tag"]} == {"red", "blue"}
    assert (of_type["profile"], of_type["security"][0]["code"]) == (["http://example.org/p"], "R")
    assert await meta.in_use(desk, admin) == of_type
    assert await meta.in_use(desk, admin, "Observation") == {}


async def test_a_hospital_learns_no_label_of_another(desk: Desk, visit_of: VisitOf) -> None:
    await put(desk, visit_of("bai-chay"), "a")

    assert await meta.in_use(desk, visit_of("san-nhi"), "Patient") == {}


async def test_tags_that_many_add_at_once_are_all_there(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await put(desk, admin, "p")
    tags = [{"system": "urn:many", "code": str(number)} for number in range(12)]
    await asyncio.gather(*(meta.change(desk, admin, "Patient/p", {"tag": [tag]}, remove=False) for tag in tags))
    found = await meta.of_record(desk, admin, "Patient/p")

    assert {one["code"] for one in found["tag"]} == {"red", *(tag["code"] for tag in tags)}
