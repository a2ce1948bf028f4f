"""Bounds of values: of dates also as a time before or after now, of texts their least length."""

from datetime import UTC, datetime, timedelta

import pytest

from fhir_gateway.fhir.profile.bounds import faults
from fhir_gateway.fhir.profile.tree import Node
from fhir_gateway.fhir.profile.values import Value


def found(kind: str, item: object, **facts: object) -> int:
    return len(list(faults(Value("Patient.x", kind, item), Node("x", dict(facts)))))


def duration(amount: int, unit: str) -> dict[str, object]:
    return {"value": amount, "system": "http://unitsofmeasure.org", "code": unit}


@pytest.mark.parametrize("name", ["Duration", "Quantity"])
def test_a_date_is_bound_by_a_time_before_and_after_now(name):
    today = datetime.now(UTC).date()
    before, after = (today + timedelta(days=days) for days in (-400, 400))
    assert found("date", before.isoformat(), **{f"minValue{name}": duration(1, "a")}) == 1
    assert found("date", before.isoformat(), **{f"minValue{name}": duration(2, "a")}) == 0
    assert found("date", after.isoformat(), **{f"maxValue{name}": duration(12, "mo")}) == 1
    assert found("date", after.isoformat(), **{f"maxValue{name}": duration(2, "a")}) == 0
    assert found("date", after.isoformat(), **{f"maxValue{name}": duration(2, "furlong")}) == 0


def test_a_text_has_a_least_length():
    shortest = {"url": "http://hl7.org/fhir/StructureDefinition/minLength", "valueInteger": 3}
    assert found("string", "ab", extension=[shortest]) == 1
    assert found("string", "abc", extension=[shortest]) == 0
