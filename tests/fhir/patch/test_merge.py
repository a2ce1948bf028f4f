"""JSON Merge Patch, by the table of RFC 7396 appendix A."""

import json

import pytest

from fhir_gateway.fhir.patch import merge
from fhir_gateway.problem import BadRequest

CASES = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ({"a": "x"}, {"a": {"b": 1}}, {"a": {"b": 1}}),
]


@pytest.mark.parametrize(("target", "patch", "result"), CASES)
def test_the_result_is_that_of_the_rfc(target, patch, result):
    before = json.dumps(target)
    assert merge.read(json.dumps(patch).encode())(target) == result
    assert json.dumps(target) == before


def test_members_keep_their_order():
    changed = merge.read(b'{"birthDate": "1970", "gender": "male"}')({"resourceType": "Patient", "gender": "other"})
    assert list(changed) == ["resourceType", "gender", "birthDate"]


def test_anything_but_an_object_is_refused():
    with pytest.raises(BadRequest, match="object"):
        merge.read(b"[]")
