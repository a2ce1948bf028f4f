"""Narratives found by their words, where that was declared."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_gateway.problem import Problem
from fhir_gateway.search import vocabulary
from fhir_gateway.search.extract import EDITION, edition_here, index
from fhir_gateway.search.folding import fold
from fhir_gateway.search.pending import Words
from fhir_gateway.search.query import Query
from fhir_gateway.search.words import says
from fhir_gateway.store.filter import conditions
from fhir_gateway.store.meeting import meets
from fhir_gateway.store.typed import with_type


@pytest.fixture(autouse=True)
def declared() -> Iterator[None]:
    vocabulary.declare("Composition, Condition")
    yield
    vocabulary.declare("")


def condition(*texts: str) -> dict[str, Any]:
    div = "".join(f"<p>{text}</p>" for text in texts)
    return {"resourceType": "Condition", "id": "c", "text": {"status": "generated", "div": f"<div>{div}</div>"}}


def found(resource: dict[str, Any]) -> list[str]:
    return [key for key in index(resource)["keys"] if key.startswith("_text:")]


def test_each_word_of_a_narrative_is_one_key_without_case_and_marks() -> None:
    resource = condition("Viêm PHỔI", "viêm &amp; sốt")
    assert found(resource) == ["_text:viem\x1f", "_text:phoi\x1f", "_text:sot\x1f"]


def test_what_nobody_declared_costs_nothing() -> None:
    assert found(condition("Viêm") | {"resourceType": "Observation"}) == []
    vocabulary.declare("")
    assert found(condition("Viêm")) == []
    assert edition_here() == EDITION


def test_a_document_is_found_by_the_words_of_its_sections_too() -> None:
    inner = {"title": "b", "text": {"status": "generated", "div": "<div>hai</div>"}}
    section = {"title": "a", "text": {"status": "generated", "div": "<div>một</div>"}, "section": [inner]}
    assert found({"resourceType": "Composition", "id": "c", "section": [section]}) == [
        "_text:mot\x1f",
        "_text:hai\x1f",
    ]


def test_keys_are_made_anew_when_other_types_are_declared() -> None:
    first = edition_here()
    vocabulary.declare("Condition")
    assert len({first, edition_here(), EDITION}) == 3
    vocabulary.declare("Condition,Composition")
    assert edition_here() == first


def test_all_types_are_declared_at_once_but_the_trail() -> None:
    vocabulary.declare("*")
    assert vocabulary.is_declared("Patient")
    assert not vocabulary.is_declared("AuditEvent")


def test_a_type_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(Problem, match="'Patent' is no resource type"):
        vocabulary.declare("Patient,Patent")


def test_a_very_long_narrative_has_a_bounded_number_of_keys() -> None:
    assert len(found(condition(" ".join(f"w{at}" for at in range(5000))))) == vocabulary.WORDS


def test_a_phrase_without_words_is_for_the_records_themselves() -> None:
    assert vocabulary.asked(("!?",)) is None
    assert vocabulary.asked(("viem", "...")) is None


SAID = st.lists(st.sampled_from(["viêm", "phổi", "phoi nhiễm", "sốt", "a", "ab", "Đau đầu"]), max_size=4)
PHRASES = st.lists(st.sampled_from(["vi", "viem phoi", "phoi", "nhiem s", "dau", "b", "a", "sot cao"]), min_size=1)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SAID, PHRASES)
def test_the_index_finds_what_reading_the_narrative_finds(texts: list[str], phrases: list[str]) -> None:
    resource, folded = condition(*texts), tuple(map(fold, phrases))
    criterion = vocabulary.asked(folded)
    assert criterion is not None
    record = {**with_type("Condition", index(resource)), "_id": "Condition/c", "type": "Condition", "deleted": False}
    tests = [stage["$match"] for stage in conditions(Query("Condition", (criterion,)), None)]
    assert all(meets(record, test) for test in tests) is says(resource, Words(folded))
