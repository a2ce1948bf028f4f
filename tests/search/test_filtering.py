"""One expression for a whole search."""

from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.problem import BadRequest, TooCostly
from fhir_gateway.search.criteria import Condition
from fhir_gateway.search.filtering import questions
from fhir_gateway.search.pending import Either, Neither
from fhir_gateway.search.query import parse


def test_comparisons_joined_by_and_are_the_questions_of_as_many_parameters() -> None:
    pairs = [("birthdate", "ge1980"), ("name:contains", "an"), ("gender", "male")]
    joined = "birthdate ge 1980 and name co an and gender eq male"
    assert questions("Patient", joined) == parse("Patient", pairs).criteria


def test_and_binds_closer_than_or() -> None:
    (either,) = questions("Patient", "gender eq male and active eq true or name sw x")
    assert isinstance(either, Either)
    assert [len(way) for way in either.ways] == [2, 1]
    both = questions("Patient", "gender eq male and (active eq true or name sw x)")
    assert [type(one) for one in both] == [Condition, Either]


def test_not_turns_round_what_follows_it_and_no_more() -> None:
    first, second = questions("Patient", "not (gender eq male and active eq true) and name sw x")
    assert isinstance(first, Neither)
    assert len(first.questions) == 2
    assert isinstance(second, Condition)


def test_what_stands_in_quotes_is_one_value_whatever_it_holds() -> None:
    asked = questions("Patient", r'identifier eq "a|b, \"c\""')
    assert asked == parse("Patient", [("identifier", r'a\|b\, "c"')]).criteria


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
