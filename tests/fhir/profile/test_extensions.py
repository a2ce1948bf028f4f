"""Extensions with a definition at hand: allowed where it says, and as it says."""

from typing import Any

import pytest

from fhir_gateway.fhir.profile.extensions import local_names, misplaced, unnamed, uses

URL = "http://x/e"
ONE = {"url": URL, "valueString": "x"}


def faults(resource: dict[str, Any], definition: dict[str, Any]) -> list[str]:
    found = [
        one for use in uses("Patient", {"resourceType": "Patient", **resource}) for one in misplaced(use, definition)
    ]
    return [str(one.where) for one in found]


def context(type_: str, expression: str) -> dict[str, Any]:
    return {"context": [{"type": type_, "expression": expression}]}


@pytest.mark.parametrize(
    ("resource", "place"),
    [
        ({"extension": [ONE]}, "Patient"),
        ({"extension": [ONE]}, "DomainResource"),
        ({"name": [{"extension": [ONE]}]}, "Patient.name"),
        ({"name": [{"extension": [ONE]}]}, "HumanName"),
        ({"name": [{"extension": [ONE]}]}, "Element"),
        ({"contact": [{"name": {"_family": {"extension": [ONE]}}}]}, "HumanName.family"),
        ({"_birthDate": {"extension": [ONE]}}, "Patient.birthDate"),
        ({"_deceasedBoolean": {"extension": [ONE]}}, "Patient.deceased[x]"),
        ({"contained": [{"resourceType": "Organization", "extension": [ONE]}]}, "Organization"),
    ],
)
def test_an_extension_stands_where_its_definition_allows(resource, place):
    assert faults(resource, context("element", place)) == []
    assert len(faults(resource, context("element", "Patient.photo"))) == 1


def test_an_extension_for_others_stands_in_those_alone():
    inside = {"extension": [{"url": "http://x/outer", "extension": [ONE]}]}

    assert faults(inside, context("extension", "http://x/outer"))[1:] == []
    assert "Patient.extension[0].extension[0]" in faults(inside, context("extension", "http://x/other"))


def test_an_extension_may_be_bound_to_a_path_or_a_condition():
    named = {"name": [{"use": "old", "extension": [ONE]}, {"use": "usual"}]}
    old = context("fhirpath", "Patient.name.where(use = 'old')")
    usual = context("fhirpath", "Patient.name.where(use = 'usual')")

    assert faults(named, old) == []
    assert faults(named, usual) == ["Patient.name[0].extension[0]"]
    assert faults(named, {"contextInvariant": ["use = 'old'"]}) == []
    assert faults(named, {"contextInvariant": ["use = 'usual'"]}) == ["Patient.name[0].extension[0]"]


def test_only_an_extension_inside_another_is_known_by_a_name():
    inner = {"url": "code", "valueString": "x"}
    good = {"resourceType": "Patient", "extension": [{"url": URL, "extension": [inner]}]}

    assert list(local_names(good, "Patient")) == []
    assert [one.where for one in local_names({"resourceType": "Patient", "extension": [inner]}, "Patient")] == [
        "Patient.extension[0].url"
    ]


def test_a_part_of_an_extension_bears_a_name_that_its_definition_gives():
    parts = [{"url": "species"}, {"url": "colour"}, {"url": "http://x/other"}]
    patient = {"resourceType": "Patient", "extension": [{"url": URL, "extension": parts}]}
    use = next(iter(uses("Patient", patient)))
    places = [one.where for one in unnamed(use, frozenset({"species"}))]
    assert places == ["Patient.extension[0].extension[1].url"]
    assert list(unnamed(use, None)) == []


def test_an_extension_of_any_element_may_stand_on_a_resource():
    assert faults({"extension": [ONE]}, context("element", "Element")) == []
