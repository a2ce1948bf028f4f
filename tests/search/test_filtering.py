"""One expression for a whole search."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.problem import BadRequest, TooCostly
from fhir_gateway.search.criteria import Condition
from fhir_gateway.search.extract import index
from fhir_gateway.search.filtering import questions
from fhir_gateway.search.pending import Either, Neither
from fhir_gateway.search.query import parse


def test_comparisons_joined_by_and_are_the_questions_of_as_many_parameters() -> None:
    pairs = [("birthdate", "ge1980"), ("name:contains", "an"), ("gender", "male")]
    joined = "birthdate ge 1980 and name co an and gender eq male"
    assert questions("Patient", joined) == parse("Patient", pairs).criteria


def test_and_and_or_are_joined_from_left_to_right() -> None:
    (either,) = questions("Patient", "gender eq male and active eq true or name sw x")
    assert isinstance(either, Either)
    assert [len(way) for way in either.ways] == [2, 1]
    first, second = questions("Patient", "gender eq male or active eq true or name sw y and name sw x")
    assert isinstance(first, Either)
    assert [len(way) for way in first.ways] == [1, 1, 1]
    assert isinstance(second, Condition)
    both = questions("Patient", "gender eq male and (active eq true or name sw x)")
    assert [type(one) for one in both] == [Condition, Either]


def test_not_turns_round_what_follows_it_and_no_more() -> None:
    first, second = questions("Patient", "not (gender eq male and active eq true) and name sw x")
    assert isinstance(first, Neither)
    assert len(first.questions) == 2
    assert isinstance(second, Condition)


def test_what_stands_in_quotes_is_one_value_whatever_it_holds() -> None:
    asked = questions("Patient", r'identifier eq "a|b, \"c\""')
    assert asked == parse("Patient", [("identifier", r'a|b\, "c"')]).criteria


WORDS = st.sampled_from("name gender birthdate eq ne co sw gt pr and or not ( )".split())  # noqa: SIM905


@settings(deadline=None, max_examples=300)
@given(st.lists(WORDS | st.sampled_from(["male", "1980", '"x y"', "\\", '"']), max_size=14))
def test_any_expression_is_understood_or_refused(words: list[str]) -> None:
    try:
        assert isinstance(questions("Patient", " ".join(words)), tuple)
    except (BadRequest, TooCostly):
        return


def test_overlap_is_neither_wholly_below_nor_wholly_above() -> None:
    (either,) = questions("Patient", "birthdate po 1980-05")
    assert isinstance(either, Either)
    pairs = [("birthdate", "ge1980-05"), ("birthdate", "le1980-05")]
    assert either.ways == (parse("Patient", pairs).criteria,)


@pytest.mark.parametrize(
    ("comparison", "found"),
    [
        ("family ew ị", "Lị Li"),
        ("family eq LI", "Lị Li"),
        ("family eq l", ""),
        ("family gt li", ""),
        ("family ge li", "Lị Li"),
        ("family lt li", "Lâm"),
        ("family lt lia", "Lị Li Lâm"),
        ("family gt l", "Lị Li Lâm"),
        ("family gt la", "Lị Li Lâm"),
        ("family gt lama", "Lị Li"),
        ("name lt chi", ""),
        ("name gt la", "Lị Li Lâm"),
        ("name ge lan", "Lị Li"),
        ("family le lam", "Lâm"),
        ("given gt chi", ""),
        ("name eq chi", "Lị Li Lâm"),
    ],
)
def test_a_whole_string_may_be_compared(comparison: str, found: str) -> None:
    (asked,) = questions("Patient", comparison)
    assert isinstance(asked, Condition)
    (choice,) = asked.choices
    pattern = re.compile(choice.pattern or "")
    keys = {
        name: index({"resourceType": "Patient", "name": [{"family": name, "given": ["Chi"]}]})["keys"]
        for name in ("Lị", "Li", "Lâm")
    }
    meets = {
        name: [key for key in of if (pattern.match(key) if choice.pattern else choice.start <= key < str(choice.stop))]
        for name, of in keys.items()
    }
    assert " ".join(name for name in keys if meets[name]) == found


def test_a_code_has_no_end() -> None:
    with pytest.raises(BadRequest, match="no comparison 'ew'"):
        questions("Patient", "gender ew e")


def test_what_is_unequal_is_there() -> None:
    (asked,) = questions("Patient", "gender ne male")
    assert isinstance(asked, Either)
    ((present, other),) = asked.ways
    assert (present,) == parse("Patient", [("gender:missing", "false")]).criteria
    assert isinstance(other, Neither)
    assert questions("Patient", "birthdate ne 1980") == parse("Patient", [("birthdate", "ne1980")]).criteria
    (either,) = questions("Patient", "family ne li")
    assert isinstance(either, Either)
    assert len(either.ways) == 2


def test_the_great_code_systems_go_by_short_names() -> None:
    assert questions("Observation", "code eq loinc|8867-4") == questions(
        "Observation", "code eq http://loinc.org|8867-4"
    )
    long = questions("Observation", "value-quantity gt 5|http://unitsofmeasure.org|mg")
    assert questions("Observation", "value-quantity gt 5|ucum|mg") == long
