"""Large questions are known before they are answered."""

import pytest
from graphql import get_introspection_query, parse

from fhir_gateway.graphql.limits import must_be_small
from fhir_gateway.problem import TooCostly


def test_fragments_count_wherever_they_are_spread() -> None:
    doubled = "".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }} " for n in range(12))
    question = f"{{ ...F0 }} {doubled} fragment F12 on Query {{ a }}"

    with pytest.raises(TooCostly, match="500"):
        must_be_small(parse(question))


def nested(levels: int) -> str:
    return "{ a { ...F } } fragment F on X { " + "a { " * (levels - 2) + "b" + " }" * (levels - 2) + " }"


def test_depth_counts_through_fragments() -> None:
    must_be_small(parse(nested(20)))
    with pytest.raises(TooCostly, match="deep"):
        must_be_small(parse(nested(21)))


@pytest.mark.parametrize(
    "question",
    [
        "{ __schema { types { name } } }",
        "{ __schema { queryType { fields { type { fields { name } } } } } }",
        "{ __type(name: 1) { ...F } } fragment F on __Type { fields { type { ...F2 } } } "
        "fragment F2 on __Type { interfaces { name } }",
    ],
)
def test_the_schema_is_shown_one_level_at_a_time(question: str) -> None:
    with pytest.raises(TooCostly, match="one type"):
        must_be_small(parse(question))


def test_all_types_may_be_listed_where_nothing_else_is_asked() -> None:
    whole = parse(get_introspection_query())
    must_be_small(whole, of_schema=True)
    with pytest.raises(TooCostly, match="alone"):
        must_be_small(whole)
    for inner in ("fields { type { fields { name } } }", "fields { type { interfaces { name } } }"):
        with pytest.raises(TooCostly):
            must_be_small(parse("{ __schema { types { " + inner + " } } }"), of_schema=True)


def test_a_plain_question_and_a_plain_look_at_the_schema_pass() -> None:
    must_be_small(parse("{ PatientList { id ...F } } fragment F on Patient { name { text } }"))
    must_be_small(parse("{ __schema { queryType { fields { name } } } }"))
