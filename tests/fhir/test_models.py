"""Typed building, and the models held against the gate."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from fhir_gateway.fhir.codec import decode, encode
from fhir_gateway.fhir.models import build, cross_check
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.fhir.validation import validate
from fhir_gateway.problem import Invalid

FIXTURES = Path(__file__).parents[2] / "fixtures"


def bundles() -> list[Path]:
    found = sorted(FIXTURES.glob("*/*/bundle.json"))
    return [path for path in found if decode(path.read_bytes()).get("resourceType") == "Bundle"]


@pytest.mark.parametrize("path", bundles(), ids=lambda path: "/".join(path.parts[-3:-1]))
def test_gate_and_models_agree_on_every_fixture(path: Path) -> None:
    bundle = decode(path.read_bytes())
    assert validate(bundle) == ()
    assert [issue for entry in bundle["entry"] for issue in cross_check(entry["resource"])] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"resourceType": "Observation", "status": "final"},
        {"resourceType": "Observation", "status": "final", "code": {"text": "K"}, "foo": 1},
        {"resourceType": "Observation", "status": "final", "code": {"coding": {"code": "K"}}},
        {"resourceType": "Patient", "birthDate": "1980-13-01"},
        {"resourceType": "Patient", "birthDate": "1981-02-29"},
        {"resourceType": "Patient", "deceasedBoolean": True, "deceasedDateTime": "2020"},
        {"resourceType": "Patient", "name": [{"family": 1}]},
        {"resourceType": "SubscriptionTopic", "url": "http://a.vn", "status": "draft"},
        {"resourceType": "Foo"},
    ],
)
def test_gate_and_models_agree_on_what_is_wrong(wrong: Resource) -> None:
    assert validate(wrong)
    assert cross_check(wrong)


def test_a_type_that_only_r4_has_is_left_to_the_gate() -> None:
    assert cross_check({"resourceType": "MedicinalProduct"}) == []
    assert validate({"resourceType": "MedicinalProduct"})


def test_what_the_models_cannot_read_is_an_issue() -> None:
    nested: Resource = {"url": "urn:x"}
    for _ in range(2_000):
        nested = {"url": "urn:x", "extension": [nested]}
    assert cross_check({"resourceType": "Patient", "extension": [nested]})
    assert cross_check({"resourceType": "Patient", "contained": [{"resourceType": "Foo"}]})


def test_building_keeps_what_was_given() -> None:
    observation = build(
        "Observation",
        status="final",
        code={"text": "Kali"},
        subject=None,
        effectiveDateTime=date(2026, 11, 23),
        issued=datetime(2026, 11, 23, 10, tzinfo=UTC),
        valueQuantity={"value": Decimal("7.20"), "unit": None},
    )
    assert encode(observation) == (
        b'{"resourceType":"Observation","status":"final","code":{"text":"Kali"},"effectiveDateTime":"2026-11-23",'
        b'"issued":"2026-11-23T10:00:00.000Z","valueQuantity":{"value":7.20}}'
    )
    assert validate(observation) == ()


def test_building_tells_where_an_element_is_wrong() -> None:
    with pytest.raises(Invalid) as caught:
        build("Patient", name=[{"given": "A"}], birthdate="1980")
    assert {issue.where for issue in caught.value.issues} == {"Patient.name[0].given", "Patient.birthdate"}
