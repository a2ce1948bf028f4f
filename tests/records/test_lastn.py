"""The newest of each observation."""

from collections.abc import Callable
from typing import Any

import pytest

from fhir_gateway.problem import BadRequest
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.lastn import lastn
from fhir_gateway.records.write import update

pytestmark = pytest.mark.anyio

VisitOf = Callable[[str], Visit]
LOINC, OWN = "http://loinc.org", "urn:lab"


async def observe(desk: Desk, visit: Visit, name: str, day: str, *codes: tuple[str, str], **more: Any) -> None:
    coding = [{"system": system, "code": code} for system, code in codes]
    facts = {"status": "final", "code": {"coding": coding}, "subject": {"reference": "Patient/p"}, **more}
    resource = {"resourceType": "Observation", "id": name, "effectiveDateTime": day, **facts}
    await update(desk, visit, f"Observation/{name}", resource)


async def some(desk: Desk, visit: Visit) -> None:
    await observe(desk, visit, "a1", "2026-01-01", (LOINC, "718-7"))
    await observe(desk, visit, "a2", "2026-03-01", (LOINC, "718-7"), (OWN, "HGB"))
    await observe(desk, visit, "a3", "2026-02-01", (OWN, "HGB"))
    await observe(desk, visit, "b1", "2026-01-15", (LOINC, "2345-7"))
    await observe(desk, visit, "wrong", "2026-09-01", (LOINC, "718-7"), status="entered-in-error")


async def test_codes_that_mean_the_same_thing_are_one_group(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await some(desk, admin)

    one = await lastn(desk, admin, [("patient", "p")], 1)
    two = await lastn(desk, admin, [("patient", "p")], 2)

    assert [version.id for version in one] == ["a2", "b1"]
    assert [version.id for version in two] == ["a2", "a3", "b1"]


async def test_search_parameters_narrow_it(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await some(desk, admin)

    found = await lastn(desk, admin, [("subject", "Patient/p"), ("code", f"{LOINC}|2345-7")], 3)
    assert [version.id for version in found] == ["b1"]


@pytest.mark.parametrize("pairs", [[], [("code", "x")], [("patient", "p"), ("_sort", "date")]])
async def test_it_needs_a_patient_and_has_its_own_order(desk: Desk, visit_of: VisitOf, pairs) -> None:
    with pytest.raises(BadRequest):
        await lastn(desk, visit_of("admin"), pairs, 1)


async def test_a_chain_leads_to_the_patient(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await some(desk, admin)
    numbers = {"identifier": [{"system": "urn:mrn", "value": "7"}]}
    await update(desk, admin, "Patient/p", {"resourceType": "Patient", "id": "p", **numbers})

    found = await lastn(desk, admin, [("patient.identifier", "urn:mrn|7")], 1)
    assert [version.id for version in found] == ["a2", "b1"]
