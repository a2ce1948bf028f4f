"""Resources contained in another."""

from typing import Any

import pytest

from fhir_gateway.fhir.resource import Resource
from fhir_gateway.fhir.validation import validate


def containing(contained: list[dict[str, Any]], reference: str = "#p") -> Resource:
    return {
        "resourceType": "Condition",
        "contained": contained,
        "subject": {"reference": reference},
    }


def test_a_contained_resource_that_is_used_passes() -> None:
    assert validate(containing([{"resourceType": "Patient", "id": "p"}])) == ()


def test_a_contained_resource_may_be_used_by_another_and_point_to_its_container() -> None:
    provenance = {
        "resourceType": "Provenance",
        "id": "t",
        "target": [{"reference": "#"}],
        "recorded": "2026-11-23T10:00:00Z",
        "agent": [{"who": {"reference": "#d"}}],
    }
    contained = [{"resourceType": "Patient", "id": "p"}, provenance, {"resourceType": "Practitioner", "id": "d"}]
    assert validate(containing(contained)) == ()


@pytest.mark.parametrize(
    ("contained", "where", "key"),
    [
        ([{"resourceType": "Patient", "id": "q"}], "Condition.contained[0]", "dom-3"),
        ([{"resourceType": "Patient", "id": "q"}], "Condition.subject.reference", "ref-1"),
        ([{"resourceType": "Patient"}], "Condition.contained[0]", "dom-3"),
        (
            [{"resourceType": "Patient", "id": "p", "contained": [{"resourceType": "Patient", "id": "x"}]}],
            "Condition.contained[0].contained",
            "dom-2",
        ),
        (
            [{"resourceType": "Patient", "id": "p", "meta": {"versionId": "1"}}],
            "Condition.contained[0].meta.versionId",
            "dom-4",
        ),
        (
            [{"resourceType": "Patient", "id": "p", "meta": {"security": [{"code": "R"}]}}],
            "Condition.contained[0].meta.security",
            "dom-5",
        ),
    ],
)
def test_the_rules_of_containment_hold(contained: list[dict[str, Any]], where: str, key: str) -> None:
    found = [(issue.where, issue.text) for issue in validate(containing(contained))]
    assert any(place == where and f"({key})" in text for place, text in found)


def test_a_contained_resource_is_checked_at_its_own_path() -> None:
    contained = [{"resourceType": "Patient", "id": "p", "gender": "x"}]
    assert [issue.where for issue in validate(containing(contained))] == ["Condition.contained[0].gender"]


def test_a_contained_target_must_be_of_a_fitting_type() -> None:
    resource = containing([{"resourceType": "Device", "id": "p"}])
    assert [issue.where for issue in validate(resource)] == ["Condition.subject"]
