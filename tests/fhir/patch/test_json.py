from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.fhir.codec import decode, encode
from fhir_gateway.fhir.patch import json
from fhir_gateway.problem import BadRequest, TooLarge, Unprocessable

DOCUMENT = {"resourceType": "Patient", "name": [{"text": "a"}, {"text": "b"}], "active": True}


def patched(*operations):
    return json.read(encode(list(operations)))(DOCUMENT)


@pytest.mark.parametrize(
    ("operation", "changed"),
    [
        ({"op": "add", "path": "/gender", "value": "male"}, {"gender": "male"}),
        ({"op": "add", "path": "/name/1", "value": {}}, {"name": [{"text": "a"}, {}, {"text": "b"}]}),
        ({"op": "add", "path": "/name/-", "value": {}}, {"name": [{"text": "a"}, {"text": "b"}, {}]}),
        ({"op": "replace", "path": "/name/0/text", "value": "c"}, {"name": [{"text": "c"}, {"text": "b"}]}),
        ({"op": "remove", "path": "/name/0"}, {"name": [{"text": "b"}]}),
        ({"op": "move", "from": "/name/0", "path": "/name/1"}, {"name": [{"text": "b"}, {"text": "a"}]}),
        ({"op": "copy", "from": "/name/0/text", "path": "/name/1/text"}, {"name": [{"text": "a"}, {"text": "a"}]}),
        ({"op": "test", "path": "/active", "value": True}, {}),
        ({"op": "replace", "path": "", "value": DOCUMENT}, {}),
    ],
)
def test_each_operation_does_what_its_name_says(operation, changed):
    before = encode(DOCUMENT)
    assert patched(operation) == DOCUMENT | changed
    assert encode(DOCUMENT) == before


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/gender"},
        {"op": "replace", "path": "/gender", "value": "x"},
        {"op": "add", "path": "/name/3", "value": {}},
        {"op": "add", "path": "/active/x", "value": {}},
        {"op": "test", "path": "/active", "value": 1},
        {"op": "move", "from": "/name", "path": "/name/0/x"},
        {"op": "remove", "path": ""},
        {"op": "add", "path": "", "value": 1},
    ],
)
def test_what_cannot_be_done_is_unprocessable(operation):
    with pytest.raises(Unprocessable) as caught:
        patched(operation)
    assert (caught.value.issues[0].where or "").startswith("patch")


def test_a_number_in_the_place_of_the_resource_has_no_members():
    with pytest.raises(Unprocessable):
        patched({"op": "replace", "path": "", "value": 1}, {"op": "remove", "path": "/name"})


@pytest.mark.parametrize(
    "body", [b"{}", b"[1]", b'[{"op":"x","path":""}]', b'[{"op":"add","path":"/a"}]', b'[{"op":"copy","path":"/a"}]']
)
def test_what_is_no_json_patch_is_a_bad_request(body):
    with pytest.raises(BadRequest):
        json.read(body)


def test_copies_of_copies_end_before_they_fill_the_memory():
    double = {"op": "copy", "from": "", "path": "/x"}
    with pytest.raises(TooLarge):
        patched(*({**double, "path": f"/x{place}"} for place in range(40)))


def test_values_moved_deeper_and_deeper_are_refused():
    chain = [{"op": "add", "path": "/a" * depth, "value": {}} for depth in range(1, 60)]
    deeper = [{"op": "add", "path": "/b", "value": {}}, {"op": "move", "from": "/a", "path": "/b/a"}]
    again = [{"op": "move", "from": "/b", "path": "/a"}]
    with pytest.raises(TooLarge):
        patched(*chain, *(deeper + again) * 10)


def test_numbers_are_equal_by_value_and_never_equal_to_booleans():
    assert json.equal(decode(b"7.20"), decode(b"7.2"))
    assert json.equal(1, Decimal("1.0"))
    assert not json.equal(1, True)
    assert not json.equal("1", 1)
    assert json.equal({"a": [1]}, {"a": [Decimal("1.0")]})


POINTERS = st.sampled_from(["", "/name", "/name/0", "/name/-", "/name/9", "/name/0/text", "/active", "/x/y"])
OPERATIONS = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]),
        "path": POINTERS,
        "from": POINTERS,
        "value": st.sampled_from([1, "x", [], {"text": "z"}]),
    }
)


@settings(deadline=None, max_examples=200)
@given(st.lists(OPERATIONS, max_size=5))
def test_a_patch_changes_a_copy_or_is_refused(operations):
    before = encode(DOCUMENT)
    with suppress(Unprocessable):
        json.read(encode(operations))(DOCUMENT)
    assert encode(DOCUMENT) == before
