"""The quick look: it lets right resources pass, and nothing that a second reading finds fault with."""

from copy import deepcopy
from decimal import Decimal
from itertools import islice, permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.fhir.codec import DEPTH_LIMIT
from fhir_gateway.fhir.glance import PLANS_KEPT, glance
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.fhir.validation import read_again, validate

DIV = '<div xmlns="http://www.w3.org/1999/xhtml">A</div>'
CODE = {"coding": [{"system": "http://loinc.org", "code": "2823-3"}]}
PATIENT: Resource = {
    "resourceType": "Patient",
    "id": "p",
    "text": {"status": "generated", "div": DIV},
    "identifier": [{"system": "urn:a", "value": "1", "period": {"start": "2020", "end": "2021"}}],
    "name": [{"family": "NGUYỄN", "given": ["VĂN", "A"]}],
    "telecom": [{"system": "phone", "value": "1"}],
    "deceasedBoolean": False,
    "managingOrganization": {"reference": "Organization/o"},
}
OBSERVATION: Resource = {
    "resourceType": "Observation",
    "contained": [{"resourceType": "Device", "id": "d"}],
    "extension": [{"url": "http://x", "valueCode": "a"}],
    "status": "final",
    "code": CODE,
    "subject": {"reference": "urn:uuid:p"},
    "device": {"reference": "#d"},
    "performer": [{"type": "Organization", "identifier": {"value": "79001"}}, {"display": "B"}],
    "effectivePeriod": {"start": "2026-11-23T10:00:00+07:00"},
    "valueQuantity": {"value": Decimal("7.20"), "system": "http://unitsofmeasure.org", "code": "mmol/L"},
}
CONDITION: Resource = {
    "resourceType": "Condition",
    "clinicalStatus": {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]
    },
    "subject": {"reference": "Patient/p"},
}
BUNDLE: Resource = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [
        {"fullUrl": "urn:uuid:p", "resource": PATIENT},
        {"fullUrl": "urn:uuid:o", "resource": OBSERVATION},
        {"fullUrl": "urn:uuid:c", "resource": CONDITION},
    ],
}
# What takes the place of an element: of the wrong type, or right by its type and wrong by a rule.
_STRANGERS: list[Any] = [
    None,
    "",
    "x",
    1,
    [],
    {},
    [None],
    ["A", None],
    {"id": "a"},
    CODE,
    {"reference": "#nothing"},
    {"reference": "urn:uuid:o"},
    {"reference": "Device/d", "type": "Patient"},
    {"identifier": {"value": "1"}, "type": "Device"},
    {"start": "2026", "end": "2025"},
    {"status": "generated", "div": "<div/>"},
    [{"url": "http://x"}],
    [None, {"extension": [{"url": "http://x", "valueCode": "a"}]}],
]
_NAMES = ["_given", "valueString", "_deceasedDateTime", "extension", "id", "reference", "contained", "nickname"]


def is_let_pass(resource: Resource) -> bool:
    found = glance(resource["resourceType"], resource, 1)
    return found is not None and found.is_right({"urn:uuid:p": "Patient", "#d": "Device"})


def nested(levels: int) -> Resource:
    extension: dict[str, Any] = {"url": "http://x", "valueCode": "a"}
    for _ in range(levels):
        extension = {"url": "http://x", "extension": [extension]}
    return {"resourceType": "Basic", "code": CODE, "extension": [extension]}


def containers(value: Any) -> list[tuple[Any, Any]]:
    """(object or list, member or position) of everything below."""
    items = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    return [(value, key) for key, _ in items] + [each for _, item in items for each in containers(item)]


@pytest.mark.parametrize("resource", [PATIENT, OBSERVATION, CONDITION, BUNDLE], ids=lambda r: r["resourceType"])
def test_right_resources_need_no_second_reading(resource: Resource) -> None:
    assert is_let_pass(resource)


def test_resources_inside_are_left_to_be_looked_at_with_their_depth() -> None:
    found = glance("Bundle", BUNDLE, 1)
    assert found is not None
    assert [resource for resource, _ in found.inside] == [PATIENT, OBSERVATION, CONDITION]
    assert {depth for _, depth in found.inside} == {5}


def test_members_in_more_orders_than_are_remembered_are_judged_alike() -> None:
    for order in islice(permutations(PATIENT), PLANS_KEPT + 5):
        resource = {name: PATIENT[name] for name in order}
        assert is_let_pass(resource)
        assert not is_let_pass({**resource, "nickname": "A"})


def test_a_half_that_stands_in_for_a_required_value_is_read_again_and_found_right() -> None:
    unsaid = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "x"}]}
    resource = {"resourceType": "Observation", "_status": unsaid, "code": CODE}
    assert not is_let_pass(resource)
    assert validate(resource) == ()


@pytest.mark.parametrize("levels", [DEPTH_LIMIT // 2 - 3, DEPTH_LIMIT // 2 - 1, DEPTH_LIMIT // 2, 400])
def test_the_depth_that_is_allowed_is_the_same_at_a_glance(levels: int) -> None:
    assert validate(nested(levels)) == read_again(nested(levels))


def test_what_is_nested_very_deep_is_refused_before_anything_can_break() -> None:
    assert [issue.code for issue in validate(nested(100_000))] == ["structure"]
    instead: list[Any] = []
    for _ in range(100_000):
        instead = [instead]
    assert [issue.where for issue in validate({"resourceType": "Patient", "gender": instead})] == [None]


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_nothing_passes_that_a_second_reading_finds_fault_with(data: st.DataObject) -> None:
    bundle = deepcopy(BUNDLE)
    for _ in range(data.draw(st.integers(1, 2))):
        owner, key = data.draw(st.sampled_from(containers(bundle)))
        match data.draw(st.sampled_from(["drop", "replace", "add", "wrap"])):
            case "drop":
                del owner[key]
            case "replace":
                owner[key] = deepcopy(data.draw(st.sampled_from(_STRANGERS)))
            case "wrap":
                owner[key] = [owner[key]]
            case _ if isinstance(owner, dict):
                owner[data.draw(st.sampled_from(_NAMES))] = deepcopy(data.draw(st.sampled_from(_STRANGERS)))
    assert validate(bundle) == read_again(bundle)
