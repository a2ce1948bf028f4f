"""The transaction Bundle while it is written: no empty value at any depth, the same ids on every re-send."""

from decimal import Decimal
from uuid import uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.draft import NAMESPACE, Draft, pruned, resource_id

LEAVES = st.sampled_from([None, "", "text", 0, 1, False, True, Decimal("0.0"), Decimal("7.20")])
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3)
)


def empties(value):
    if value is None or (isinstance(value, str | list | dict) and not value):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from empties(item)


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(st.text("ab"), VALUES))
def test_pruning_leaves_no_empty_value_at_any_depth(value):
    found = pruned(value)
    assert found == {} or list(empties(found)) == []
    assert pruned(found) == found


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(st.text("ab", min_size=1), VALUES))
def test_what_is_written_into_a_live_resource_is_pruned_in_the_bundle(late):
    draft = Draft("h")
    draft.add("Patient", "1", {"active": True})["late"] = late
    (entry,) = draft.bundle()["entry"]

    assert list(empties(entry["resource"])) == []


@pytest.mark.parametrize("kept", [0, False, Decimal("0.0")])
def test_zero_and_false_are_values(kept):
    assert pruned({"a": kept}) == {"a": kept}


def test_elements_given_later_win_and_empty_ones_do_not():
    draft = Draft("h")
    draft.add("Patient", "1", {"gender": "male", "name": [{"text": "A"}]})
    draft.add("Patient", "1", {"gender": "female", "name": [{"text": ""}]})

    assert draft.bundle()["entry"][0]["resource"]["gender"] == "female"
    assert draft.bundle()["entry"][0]["resource"]["name"] == [{"text": "A"}]


def test_a_link_meets_its_resource():
    draft = Draft("h")
    draft.add("Patient", "1", {"active": True})
    link = draft.reference("Patient", "1", "A")

    assert link == {"reference": draft.bundle()["entry"][0]["fullUrl"], "display": "A"}


def test_two_hospitals_never_share_an_id():
    assert resource_id("a", "Patient", "1") != resource_id("b", "Patient", "1")


def test_a_draft_without_resources_is_an_empty_transaction():
    assert Draft("h").bundle() == {"resourceType": "Bundle", "type": "transaction"}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_an_id_is_the_uuid_of_what_the_hospital_says(key):
    assert resource_id("bai-chay", "Patient", key) == str(uuid5(NAMESPACE, f"bai-chay|Patient|{key}"))


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(st.text("ab", min_size=1), VALUES))
def test_what_is_put_in_comes_out_as_what_is_added(elements):
    put, added = Draft("h"), Draft("h")
    put.put("Patient", "1", elements)
    added.add("Patient", "1", elements)

    assert put.bundle() == added.bundle()


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(st.text("ab", min_size=1), VALUES))
def test_what_was_put_in_and_is_taken_up_again_is_looked_through(late):
    draft = Draft("h")
    draft.put("Patient", "1", {"active": True}, clean=True)
    draft.live("Patient", "1")["late"] = late
    (entry,) = draft.bundle()["entry"]

    assert list(empties(entry["resource"])) == []
