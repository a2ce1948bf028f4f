"""Tokens of every shape."""

from typing import Any

import pytest

from fhir_gateway.search.criteria import UNIT
from fhir_gateway.search.entries import Entries
from fhir_gateway.search.kinds.token import index, parse
from fhir_gateway.search.registry import parameters

CODE = parameters("Observation")["code"]


@pytest.mark.parametrize(
    ("value", "keys"),
    [
        ("final", ["c:final/="]),
        (True, ["c:true/="]),
        (False, ["c:false/="]),
        ({"system": "s", "code": "1"}, ["c:1/s"]),
        ({"system": "s", "value": "1"}, ["c:1/s"]),
        ({"value": "1"}, ["c:1/"]),
        (
            {"coding": [{"system": "s", "code": "1"}, {"code": "2"}, {"display": "x"}]},
            ["c:1/s", "c:2/", "c~:x/"],
        ),
        ({"text": "Chỉ có chữ"}, ["c~:chi co chu/"]),
        ({"coding": [{"code": "1", "display": "A"}], "text": "a"}, ["c:1/", "c~:a/"]),
    ],
)
def test_each_shape_becomes_its_keys(value: Any, keys: list[str]) -> None:
    entries = Entries()
    index("c", value, entries)
    assert [key.replace(UNIT, "/") for key in entries.keys] == keys


def test_system_and_code_is_one_key() -> None:
    choice = parse(CODE, "http://loinc.org|718-7", "")
    assert choice.exact
    assert choice.start == f"code:718-7{UNIT}http://loinc.org"


def test_a_system_alone_is_checked_by_a_pattern_in_which_it_is_literal() -> None:
    pattern = parse(CODE, "urn:a.b+c|", "").pattern
    assert pattern is not None
    assert r"a\.b\+c" in pattern
