"""References in their forms."""

from typing import Any

import pytest

from fhir_gateway.search.criteria import UNIT
from fhir_gateway.search.entries import Entries
from fhir_gateway.search.kinds.reference import index, parse
from fhir_gateway.search.registry import parameters

SUBJECT = parameters("Observation")["subject"]
PATIENT = parameters("Observation")["patient"]


@pytest.mark.parametrize(
    ("value", "keys"),
    [
        ({"reference": "Patient/1"}, ["r:1/Patient"]),
        ({"reference": "Patient/1/_history/2"}, ["r:1/Patient"]),
        ({"reference": "#a"}, []),
        ({"reference": "https://x.example/fhir/Patient/1"}, ["r:https://x.example/fhir/Patient/1/"]),
        ({"identifier": {"system": "s", "value": "v"}}, ["r~:v/s"]),
        ("http://example.org/Questionnaire/q|2", ["r:http://example.org/Questionnaire/q/2"]),
        ({"resourceType": "Composition", "id": "c"}, ["r:c/Composition"]),
    ],
)
def test_each_form_becomes_its_keys(value: Any, keys: list[str]) -> None:
    entries = Entries()
    index("r", value, entries)
    assert [key.replace(UNIT, "/") for key in entries.keys] == keys


@pytest.mark.parametrize(
    ("text", "modifier", "key"),
    [
        ("Patient/1", "", "subject:1/Patient"),
        ("1", "Patient", "subject:1/Patient"),
        ("s|v", "identifier", "subject~:v/s"),
    ],
)
def test_a_full_reference_is_one_key(text: str, modifier: str, key: str) -> None:
    choice = parse(SUBJECT, text, modifier)
    assert choice.exact
    assert choice.start.replace(UNIT, "/") == key


def test_an_id_is_enough_where_one_type_can_be_meant() -> None:
    assert parse(PATIENT, "1", "").exact
    assert parse(SUBJECT, "1", "").stop is not None
