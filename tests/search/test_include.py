"""What a page brings along."""

from typing import Any

import pytest

from fhir_gateway.search.include import references, reverse
from fhir_gateway.search.query import parse
from fhir_gateway.store.filter import stages

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
        ("Observation:has-member", "Observation/3"),
        ("Observation:performer", ""),
        ("Observation:*", "Encounter/e Observation/3 Patient/p Group/g"),
        ("*", "Encounter/e Observation/3 Patient/p Group/g"),
        ("Encounter:subject", ""),
    ],
)
def test_an_include_names_records_of_this_server_once(include: str, expected: str) -> None:
    query = parse("Observation", [("_include", include)])
    assert sorted(references(query, OBSERVATIONS)) == sorted(expected.split())


def test_a_reverse_include_is_a_search_by_reference() -> None:
    query = parse("Patient", [("_revinclude", "Observation:patient")])
    (one,) = reverse(query, ["Patient/a", "Patient/b"], 100)
    assert (one.type, one.size) == ("Observation", 100)
    first = stages(one, None)[0]["$match"]
    assert first == {"type": "Observation", "keys": {"$in": ["subject:a\x1fPatient", "subject:b\x1fPatient"]}}


def test_a_reverse_include_of_any_parameter_is_several_searches() -> None:
    query = parse("Patient", [("_revinclude", "Encounter:*")])
    assert len(reverse(query, ["Patient/a"], 100)) >= 2
    assert reverse(query, [], 100) == ()
