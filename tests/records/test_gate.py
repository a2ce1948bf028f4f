"""All faults of all entries at once."""

import pytest

from fhir_gateway.problem import Invalid
from fhir_gateway.records.gate import must_conform
from fhir_gateway.records.step import Step

pytestmark = pytest.mark.anyio


async def test_faults_of_several_entries_are_told_together() -> None:
    wrong = {"resourceType": "Patient", "gender": "x", "birthDate": "y"}
    steps = [Step("POST", "Patient", resource=wrong, where=f"Bundle.entry[{place}]") for place in (0, 1)]

    with pytest.raises(Invalid, match="and 3 more") as refusal:
        await must_conform(steps)

    assert {issue.where for issue in refusal.value.issues} == {
        f"Bundle.entry[{place}].resource.{name}" for place in (0, 1) for name in ("gender", "birthDate")
    }


async def test_a_resource_alone_keeps_its_own_path() -> None:
    with pytest.raises(Invalid) as refusal:
        await must_conform([Step("POST", "Patient", resource={"resourceType": "Patient", "gender": "x"})])

    assert refusal.value.issues[0].where == "Patient.gender"
