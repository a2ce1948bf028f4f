"""Search keys behind the type of their record."""

import pytest

from fhir_gateway.search.criteria import END, UNIT, Choice, Condition
from fhir_gateway.search.extract import index
from fhir_gateway.search.query import Query, parse
from fhir_gateway.store.filter import stages
from fhir_gateway.store.typed import asked_of, typed, untyped, with_type, without_type

PATIENT = {"resourceType": "Patient", "id": "lan", "gender": "female", "name": [{"text": "Nguyễn Thị Lan/Hồng"}]}


def test_keys_lie_behind_their_type_and_come_back_as_they_were() -> None:
    found = index(PATIENT)
    lying = with_type("Patient", found)
    assert all(key.startswith("Patient/") for key in lying["keys"])
    assert without_type(lying) == found
    assert untyped(typed("Patient", "name:a/b")) == "name:a/b"


def test_a_deletion_has_no_keys_to_lie_anywhere() -> None:
    assert with_type("Patient", {}) == {}


def test_every_part_of_a_choice_is_asked_behind_the_type() -> None:
    asked = asked_of("Patient", Condition((Choice("name:a", f"name:a{END}", f"^name:a[^{UNIT}]*$", also="name:b"),)))
    assert isinstance(asked, Condition)
    assert asked.choices == (
        Choice("Patient/name:a", f"Patient/name:a{END}", f"^Patient/name:a[^{UNIT}]*$", also="Patient/name:b"),
    )


@pytest.mark.parametrize("text", ["gender=female", "name:contains=lan", "birthdate=ge1980", "gender:not=male"])
def test_no_stage_asks_for_the_type_where_the_key_tells_it(text: str) -> None:
    name, _, value = text.partition("=")
    first = stages(_query(name, value), None)[0]["$match"]
    assert ("type" in first) == (name == "gender:not")


def _query(name: str, value: str) -> Query:
    return parse("Patient", [(name, value)])
