"""Documents made of stored Compositions."""

from collections.abc import Callable

import pytest

from fhir_gateway.fhir.validation import validate
from fhir_gateway.problem import Invalid
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.document import document
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.write import delete, update

pytestmark = pytest.mark.anyio

VisitOf = Callable[[str], Visit]
COMPOSITION = {
    "resourceType": "Composition",
    "id": "c",
    "status": "final",
    "type": {"text": "Tóm tắt"},
    "subject": {"reference": "Patient/p"},
    "date": "2026-11-23",
    "author": [{"reference": "Practitioner/d"}],
    "title": "Tóm tắt",
    "section": [{"title": "Kết quả", "entry": [{"reference": "Observation/o"}]}],
}
OBSERVATION = {"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "x"}}


async def stored(desk: Desk, visit: Visit) -> None:
    observation = {**OBSERVATION, "derivedFrom": [{"reference": "Observation/nowhere"}]}
    doctor = {"resourceType": "Practitioner", "id": "d"}
    for one in ({"resourceType": "Patient", "id": "p", "active": True}, doctor, observation, COMPOSITION):
        await update(desk, visit, f"{one['resourceType']}/{one['id']}", one)


async def test_a_document_holds_what_its_composition_cites(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await stored(desk, admin)
    made = await document(desk, admin, "c")

    assert made["entry"][0]["resource"]["resourceType"] == "Composition"
    assert {e["fullUrl"].removeprefix("http://gateway/fhir/") for e in made["entry"][1:]} == {
        "Patient/p",
        "Practitioner/d",
        "Observation/o",
    }
    assert validate(made) == ()
    assert await desk.store.current(f"Bundle/{made['id']}") is None


async def test_a_document_can_be_kept(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await stored(desk, admin)
    made = await document(desk, admin, "c", persist=True)

    assert (await desk.store.current(f"Bundle/{made['id']}")).number == 1


async def test_a_composition_that_cites_what_is_gone_makes_no_document(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await stored(desk, admin)
    await delete(desk, admin, "Observation/o")

    with pytest.raises(Invalid) as caught:
        await document(desk, admin, "c")
    assert [issue.where for issue in caught.value.issues] == ["Composition.section[0].entry[0]"]


async def test_what_a_composition_replaces_may_be_elsewhere(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await stored(desk, admin)
    older = [{"code": "appends", "targetReference": {"reference": "Composition/nowhere"}}]
    await update(desk, admin, "Composition/c", {**COMPOSITION, "relatesTo": older})
    made = await document(desk, admin, "c")

    assert "Composition/nowhere" not in str([entry["fullUrl"] for entry in made["entry"]])
    assert len(made["entry"]) == 4
