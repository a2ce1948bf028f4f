import pytest

from fhir_gateway.fhir.patch import pointer
from fhir_gateway.problem import BadRequest, Unprocessable


def test_escapes_of_a_pointer_are_undone_in_the_right_order():
    assert pointer.parse("/a~1b/~01", "path") == ("a/b", "~1")
    assert pointer.parse("", "path") == ()


@pytest.mark.parametrize("text", ["a", "/~", "/~2", None, 1, "/a" * 65])
def test_what_is_no_pointer_is_refused(text):
    with pytest.raises(BadRequest):
        pointer.parse(text, "path")


def test_the_value_at_a_pointer_is_found():
    assert pointer.find({"a": [{"b": 1}]}, ("a", "0", "b"), "path") == 1


@pytest.mark.parametrize("steps", [("x",), ("a", "1"), ("a", "-"), ("a", "00"), ("a", "0", "b", "c")])
def test_a_pointer_to_nothing_is_unprocessable(steps):
    with pytest.raises(Unprocessable):
        pointer.find({"a": [{"b": 1}]}, steps, "path")


def test_a_list_takes_something_at_its_end_and_not_behind():
    assert pointer.slot([1, 2], "-", "path") == pointer.slot([1, 2], "2", "path") == 2
    with pytest.raises(Unprocessable):
        pointer.slot([1, 2], "3", "path")
