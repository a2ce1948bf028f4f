"""Quantities, ranges and money."""

from typing import Any

import pytest

from fhir_gateway.fhir import ucum
from fhir_gateway.problem import BadRequest
from fhir_gateway.search.entries import Entries
from fhir_gateway.search.kinds.quantity import index, parse
from fhir_gateway.search.registry import parameters

QUANTITY = parameters("Observation")["value-quantity"]


@pytest.mark.parametrize(
    ("value", "keys", "span"),
    [
        ({"value": 5, "unit": "mg"}, 1, {"lo": 5.0, "hi": 5.0, "unit": ["mg"], "system": ""}),
        ({"low": {"value": 1}, "high": {"value": 2}}, 2, {"lo": 1.0, "hi": 2.0, "unit": [], "system": ""}),
        ({"low": {"value": 1}}, 2, {"lo": 1.0, "hi": float("inf"), "unit": [], "system": ""}),
        (
            {"value": 9, "currency": "VND"},
            1,
            {"lo": 9.0, "hi": 9.0, "unit": ["VND"], "system": "urn:iso:std:iso:4217"},
        ),
    ],
)
def test_each_shape_has_its_edges(value: dict[str, Any], keys: int, span: dict[str, Any]) -> None:
    entries = Entries()
    index("q", value, entries)
    assert len(entries.keys) == keys
    assert entries.spans["q"] == [span]


def test_a_quantity_without_value_is_not_found() -> None:
    entries = Entries()
    index("q", {"unit": "mg"}, entries)
    index("q", 5, entries)
    assert not entries.keys


def test_a_unit_is_checked_exactly() -> None:
    span = parse(QUANTITY, "gt5|urn:units|tablet", "").span
    assert span is not None
    assert (span.unit, span.system) == ("tablet", "urn:units")
    bare = parse(QUANTITY, "5", "").span
    assert bare is not None
    assert (bare.unit, bare.system) == (None, None)


def test_a_system_without_a_code_is_asked_for_too() -> None:
    span = parse(QUANTITY, "5|urn:units", "").span
    assert span is not None
    assert (span.unit, span.system) == (None, "urn:units")


def test_more_than_number_system_and_code_is_refused() -> None:
    with pytest.raises(BadRequest, match="value-quantity"):
        parse(QUANTITY, "5|urn:units|mg|x", "")


@pytest.mark.parametrize(
    ("comparator", "holds", "holds_not"),
    [("<", (2.9, -9e9), (3.0,)), ("<=", (3.0,), (3.1,)), (">", (3.1, 9e9), (3.0,)), (">=", (3.0,), (2.9,))],
)
def test_a_comparator_makes_the_value_a_span(
    comparator: str, holds: tuple[float, ...], holds_not: tuple[float, ...]
) -> None:
    entries = Entries()
    index("q", {"value": 3, "comparator": comparator, "system": ucum.SYSTEM, "code": "g"}, entries)
    for key in ("q", "q~"):
        ((lo, hi),) = [(span["lo"], span["hi"]) for span in entries.spans[key]]
        assert all(lo <= value <= hi for value in holds)  # type: ignore[operator]
        assert not any(lo <= value <= hi for value in holds_not)  # type: ignore[operator]
