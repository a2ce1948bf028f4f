"""What a page brings along."""

from typing import Any

import pytest

from fhir_gateway.search.criteria import Condition
from fhir_gateway.search.include import references, reverse
from fhir_gateway.search.query import parse

OBSERVATIONS: list[dict[str, Any]] = [
    {
        "resourceType": "Observation",
        "id": "1",
        "subject": {"reference": "Patient/p"},
        "encounter": {"reference": "Encounter/e"},
        "performer": [{"reference": "#inside"}, {"reference": "https://other.example/fhir/Practitioner/x"}],
        "hasMember": [{"reference": "Observation/2"}, {"reference": "Observation/3"}],
    },
    {"resourceType": "Observation", "id": "2", "subject": {"reference": "Group/g"}},
]


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        ("Observation:subject", "Patient/p Group/g"),
        ("Observation:subject:Patient", "Patient/p"),
        ("Observation:patient", "Patient/p"),
        ("Observation:has-member", "Observation/2 Observation/3"),
        ("Observation:performer", ""),
        ("Observation:*", "Encounter/e Observation/2 Observation/3 Patient/p Group/g"),
        ("*", "Encounter/e Observation/2 Observation/3 Patient/p Group/g"),
        ("Encounter:subject", ""),
    ],
)
def test_an_include_names_records_of_this_server_once(include: str, expected: str) -> None:
    query = parse("Observation", [("_include", include)])
    assert sorted(references(query.includes, OBSERVATIONS)) == sorted(expected.split())


def test_a_reverse_include_is_a_search_by_reference() -> None:
    query = parse("Patient", [("_revinclude", "Observation:patient")])
    (one,) = reverse(query.revincludes, ["Patient/a", "Patient/b"], 100)
    assert (one.type, one.size) == ("Observation", 100)
    (condition,) = one.criteria
    assert isinstance(condition, Condition)
    assert [choice.start for choice in condition.choices] == ["subject:a\x1fPatient", "subject:b\x1fPatient"]
    assert all(choice.exact for choice in condition.choices)


def test_a_reverse_include_of_any_parameter_asks_all_of_them_at_once() -> None:
    query = parse("Patient", [("_revinclude", "Encounter:*")])
    (one,) = reverse(query.revincludes, ["Patient/a"], 100)
    (condition,) = one.criteria
    assert isinstance(condition, Condition)
    assert len(condition.choices) >= 1
    assert reverse(query.revincludes, [], 100) == ()


def test_any_reverse_include_asks_every_type_that_may_refer() -> None:
    query = parse("Patient", [("_revinclude", "*")])
    asked = {one.type for one in reverse(query.revincludes, ["Patient/a"], 100)}
    assert {"Observation", "Encounter", "Person"} < asked
    assert "Organization" not in asked


def test_a_reverse_include_asks_only_for_the_types_it_may_refer_to() -> None:
    query = parse("Patient", [("_revinclude", "Observation:patient"), ("_revinclude", "Observation:subject:Group")])
    (one,) = reverse(query.revincludes, ["Patient/a", "Group/b", "Device/c"], 100)
    assert [choice.start for choice in one.criteria[0].choices] == ["subject:a\x1fPatient", "subject:b\x1fGroup"]  # type: ignore[union-attr]
