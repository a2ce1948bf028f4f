"""What is different between two versions of a record, told by path."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_gateway.exchange.difference import Edit, Kind, edits

PATIENT = {
    "resourceType": "Patient",
    "id": "p",
    "meta": {"versionId": "1", "lastUpdated": "t", "source": "s"},
    "name": [{"family": "Trần", "given": ["An"]}],
}


def paths(before, after):
    return [(edit.path, edit.kind) for edit in edits("Patient/p", before, after)]


@pytest.mark.parametrize(
    ("after", "told"),
    [
        ({"gender": "male"}, [("gender", Kind.ADDED)]),
        ({"name": [{"family": "Trần", "given": ["An", "B"]}]}, [("name[0].given[1]", Kind.ADDED)]),
        ({"name": [{"family": "Lê", "given": ["An"]}]}, [("name[0].family", Kind.CHANGED)]),
        ({"name": [{"given": ["An"]}]}, [("name[0].family", Kind.REMOVED)]),
        ({"name": []}, [("name[0]", Kind.REMOVED)]),
        ({"meta": {"versionId": "2", "source": "another"}}, []),
        ({"meta": {"tag": [{"code": "x"}]}}, [("meta", Kind.ADDED)]),
    ],
)
def test_each_element_that_is_different_is_told_once(after, told):
    assert paths(PATIENT, {**PATIENT, **after}) == told


def test_a_number_written_otherwise_is_another_statement():
    one, other = ({"valueDecimal": Decimal(text)} for text in ("7.2", "7.20"))
    assert [edit.kind for edit in edits("Observation/o", one, other)] == [Kind.CHANGED]


def test_a_record_that_comes_or_goes_is_one_difference():
    assert paths(None, PATIENT) == [("", Kind.ADDED)]
    assert paths(PATIENT, None) == [("", Kind.REMOVED)]
    assert paths(None, None) == []


def test_a_difference_is_known_by_its_record_and_both_values():
    (edit,) = edits("Patient/p", PATIENT, {**PATIENT, "gender": "male"})
    assert edit == Edit("Patient/p", "gender", Kind.ADDED, None, "male")


VALUES = st.recursive(
    st.sampled_from(["a", "b", 1, True, Decimal("1.0")]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y", "z"]), inner, max_size=3),
    max_leaves=8,
)
RECORDS = st.dictionaries(st.sampled_from(["x", "y", "z"]), VALUES, max_size=3)


@given(one=RECORDS, other=RECORDS)
def test_no_difference_is_told_exactly_when_there_is_none(one, other):
    assert edits("A/1", one, one) == []
    assert bool(edits("A/1", one, other)) is (repr(sorted(one.items())) != repr(sorted(other.items())))


@given(one=RECORDS, other=RECORDS)
def test_the_way_back_is_the_same_difference_turned_round(one, other):
    turned = {Kind.ADDED: Kind.REMOVED, Kind.REMOVED: Kind.ADDED, Kind.CHANGED: Kind.CHANGED}
    there = {(edit.path, edit.kind) for edit in edits("A/1", one, other)}
    assert {(edit.path, turned[edit.kind]) for edit in edits("A/1", other, one)} == there
