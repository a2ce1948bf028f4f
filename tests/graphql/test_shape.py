"""Directives on results."""

from typing import Any

import pytest
from graphql import FragmentDefinitionNode, OperationDefinitionNode, parse

from fhir_gateway.graphql.shape import shaped
from fhir_gateway.problem import BadRequest


def shape(question: str, found: Any) -> Any:
    document = parse(question)
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    operation = next(one for one in document.definitions if isinstance(one, OperationDefinitionNode))
    return shaped(found, [operation.selection_set], fragments)


def test_flattened_children_stand_in_their_parents_place_as_lists() -> None:
    found = {"name": [{"given": ["a", "b"]}, {"given": ["c"], "family": "d"}], "id": "1"}

    assert shape("{ name @flatten { given family } id }", found) == {
        "given": ["a", "b", "c"],
        "family": ["d"],
        "id": "1",
    }


def test_directives_inside_fragments_and_behind_aliases_count() -> None:
    question = "{ ...F } fragment F on X { n: name @first @singleton { text } ... on Y { m: name @first { text } } }"
    found = {"n": [{"text": "a"}, {"text": "b"}], "m": [{"text": "a"}, {"text": "b"}]}

    assert shape(question, found) == {"n": {"text": "a"}, "m": [{"text": "a"}]}


def test_a_singleton_of_several_is_refused_and_of_none_is_null() -> None:
    assert shape("{ name @singleton { text } }", {"name": []}) == {"name": None}
    with pytest.raises(BadRequest):
        shape("{ name @singleton { text } }", {"name": [{}, {}]})
