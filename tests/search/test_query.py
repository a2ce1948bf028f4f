"""Requests understood, and refused by name."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.problem import BadRequest, NotSupported, Problem
from fhir_gateway.search.controls import Include, Sort
from fhir_gateway.search.criteria import Condition, Ids, Moment, Updated
from fhir_gateway.search.query import parse
from fhir_gateway.search.registry import parameters
from fhir_gateway.store.filter import stages

REFUSED = [
    ("Patient", "famly", "x", BadRequest, "did you mean 'family'"),
    ("Patient", "xyzzy", "x", BadRequest, "no search parameter 'xyzzy'$"),
    ("Patients", "name", "x", BadRequest, "not a resource type"),
    ("Patient", "name", "", BadRequest, "'name' has no value"),
    ("Patient", "name", "a,,b", BadRequest, "empty value"),
    ("Patient", "name", "a\x00b", BadRequest, "no text"),
    ("Patient", "name", "a" * 5000, BadRequest, "too long"),
    ("Patient", "name:text", "x", NotSupported, "offered: :contains, :exact, :missing"),
    ("Patient", "gender:exact", "x", NotSupported, "offered: :missing, :not"),
    ("Patient", "birthdate:missing", "maybe", BadRequest, "true or false"),
    ("Patient", "birthdate", "yesterday", BadRequest, "needs a date"),
    ("Patient", "_id:missing", "true", NotSupported, "offered: :not"),
    ("Observation", "subject:Medication", "1", BadRequest, "not to Medication"),
    ("Observation", "subject.name", "x", NotSupported, "does not offer"),
    ("Observation", "subject:Patient.name", "x", NotSupported, "chain"),
    ("Patient", "_has:Observation:patient:code", "x", NotSupported, "does not offer"),
    ("Observation", "code-value-quantity", "x", NotSupported, "composite"),
    ("Location", "near", "1|2", NotSupported, "special"),
    ("Patient", "_text", "x", NotSupported, "_text"),
    ("Patient", "_elements", "id", NotSupported, "_elements"),
    ("Patient", "_summary", "text", NotSupported, "count and false"),
    ("Patient", "_count", "-1", BadRequest, "whole number"),
    ("Patient", "_count", "9" * 30, BadRequest, "whole number"),
    ("Patient", "_count:exact", "1", NotSupported, "does not offer"),
    ("Patient", "_total", "maybe", BadRequest, "none, estimate, accurate"),
    ("Patient", "_sort", "nmae", BadRequest, "'nmae' is none"),
    ("Patient", "_sort", "name,-name", BadRequest, "twice"),
    ("Patient", "_include", "Observation", BadRequest, "Type:parameter"),
    ("Patient", "_include", "Patient:gender", BadRequest, "not a reference parameter"),
    ("Patient", "_include:iterate", "Patient:link", NotSupported, "does not offer"),
    ("Patient", "_revinclude", "*", BadRequest, "Type:parameter"),
]


@pytest.mark.parametrize(
    ("type_", "name", "value", "kind", "says"), REFUSED, ids=[f"{one[1]}-{one[2][:9]!r}" for one in REFUSED]
)
def test_what_is_not_understood_is_refused_by_name(
    type_: str, name: str, value: str, kind: type[Problem], says: str
) -> None:
    with pytest.raises(kind, match=says) as refusal:
        parse(type_, [(name, value)])
    assert type(refusal.value) is kind


def test_lenient_leaves_out_what_is_unknown_and_says_what_it_used() -> None:
    query = parse("Patient", [("famly", "x"), ("name:text", "y"), ("gender", "male")], lenient=True)
    assert query.used == (("gender", "male"),)
    assert len(query.criteria) == 1


def test_lenient_does_not_forgive_a_malformed_value() -> None:
    with pytest.raises(BadRequest):
        parse("Patient", [("birthdate", "yesterday")], lenient=True)


def test_commas_are_alternatives_and_repetition_is_conjunction() -> None:
    query = parse("Patient", [("name", "lan,đào"), ("name", "nguyen")])
    assert [len(one.choices) for one in query.criteria if isinstance(one, Condition)] == [2, 1]


def test_the_shape_of_the_answer_is_read() -> None:
    pairs = [("_count", "5000"), ("_sort", "-birthdate,family"), ("_total", "none"), ("_format", "json")]
    query = parse(
        "Patient", [*pairs, ("_include", "Patient:organization"), ("_revinclude", "Observation:patient:Patient")]
    )
    assert (query.size, query.total) == (1000, "none")
    assert query.sorts == (Sort("spans", "birthdate", descending=True), Sort("keys", "name", "family"))
    assert query.includes == (Include("Patient", "organization"),)
    assert query.revincludes == (Include("Observation", "patient", "Patient"),)


@pytest.mark.parametrize("pair", [("_count", "0"), ("_summary", "count")])
def test_only_a_count_can_be_asked_for(pair: tuple[str, str]) -> None:
    assert parse("Patient", [pair]).count_only


def test_the_cursor_is_not_part_of_what_was_used() -> None:
    assert parse("Patient", [("_cursor", "abc"), ("gender", "male")]).used == (("gender", "male"),)


def test_ids_are_references_of_the_type() -> None:
    assert parse("Patient", [("_id", "a,b")]).criteria == (Ids(("Patient/a", "Patient/b")),)


MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MOMENTS = {
    "": Moment(MIDNIGHT, MIDNIGHT + SECOND),
    "ne": Moment(MIDNIGHT, MIDNIGHT + SECOND, outside=True),
    "gt": Moment(start=MIDNIGHT + SECOND),
    "sa": Moment(start=MIDNIGHT + SECOND),
    "ge": Moment(start=MIDNIGHT),
    "lt": Moment(stop=MIDNIGHT),
    "eb": Moment(stop=MIDNIGHT),
    "le": Moment(stop=MIDNIGHT + SECOND),
}


@pytest.mark.parametrize(("prefix", "moment"), MOMENTS.items())
def test_the_time_of_writing_is_compared_as_a_point(prefix: str, moment: Moment) -> None:
    assert parse("Patient", [("_lastUpdated", f"{prefix}2026-01-01T00:00:00Z")]).criteria == (Updated((moment,)),)


def test_a_search_is_planned_in_less_than_a_millisecond() -> None:
    pairs = [("patient", "abc"), ("code", "http://loinc.org|718-7"), ("date", "ge2024-01-01"), ("_sort", "-date")]
    stages(parse("Observation", pairs), "qn")
    began = time.process_time()
    for _ in range(200):
        stages(parse("Observation", pairs), "qn")
    assert (time.process_time() - began) / 200 < 0.001


NAMES = st.sampled_from([*parameters("Observation"), "_sort", "_count", "_include", "_summary"])
MODIFIERS = st.sampled_from(["", ":missing", ":not", ":exact", ":contains", ":identifier", ":Patient", ":"])


@settings(deadline=None, max_examples=400)
@given(NAMES, MODIFIERS, st.text(max_size=12) | st.from_regex(r"\A(ge|ne|ap)?[0-9.\-|,\\]{1,10}\Z"))
def test_any_request_is_planned_or_refused(name: str, modifier: str, value: str) -> None:
    try:
        query = parse("Observation", [(name + modifier, value)])
    except BadRequest:
        return
    assert stages(query, "qn")[0]["$match"]
