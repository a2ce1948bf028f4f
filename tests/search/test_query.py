"""Requests understood, and refused by name."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.problem import BadRequest, NotSupported, Problem, TooCostly
from fhir_gateway.search.controls import Include, Inside, Sort
from fhir_gateway.search.criteria import Condition, Ids, Moment, Updated
from fhir_gateway.search.names import Unknown, Unoffered
from fhir_gateway.search.pending import Chain, Coded, Listed, Placed, Reverse, Words
from fhir_gateway.search.query import Sizes, parse
from fhir_gateway.search.registry import parameters
from fhir_gateway.store.filter import stages

REFUSED = [
    ("Patient", "famly", "x", Unknown, "did you mean 'family'"),
    ("Patient", "xyzzy", "x", Unknown, "no search parameter 'xyzzy'$"),
    ("Patients", "name", "x", BadRequest, "not a resource type"),
    ("Patient", "name", "", BadRequest, "'name' has no value"),
    ("Patient", "name", "a,,b", BadRequest, "empty value"),
    ("Patient", "name", "a\x00b", BadRequest, "no text"),
    ("Patient", "name", "a" * 5000, BadRequest, "too long"),
    ("Patient", "name:text", "x", Unoffered, "offered: :contains, :exact, :missing; did you mean ':exact'|:missing$"),
    ("Patient", "name:exat", "x", Unoffered, "did you mean ':exact'"),
    ("Patient", "gender:exact", "x", Unoffered, "offered: :above, :below, :in, :missing, :not, :not-in, :of-type"),
    ("Observation", "subject:Patent", "x", Unoffered, "did you mean ':Patient'"),
    ("Patient", "birthdate:missing", "maybe", BadRequest, "true or false"),
    ("Patient", "birthdate", "yesterday", BadRequest, "needs a date"),
    ("Patient", "_id:exact", "true", Unoffered, "offered: :missing, :not"),
    ("Observation", "subject:Medication", "1", Unknown, "not to Medication"),
    ("Observation", "subject.nam", "x", Unknown, "did you mean 'name'"),
    ("Observation", "code.name", "x", BadRequest, "no reference"),
    ("Observation", "subject:identifier.name", "x", BadRequest, "no reference"),
    ("Observation", "subject:Patient.gender.x", "x", BadRequest, "no reference"),
    ("Observation", ".".join(["subject"] + ["link:Patient"] * 9 + ["name"]), "x", TooCostly, "at most 8"),
    ("Provenance", ".".join(["target"] * 3 + ["focus"] * 4 + ["subject"]), "x", TooCostly, "name their types"),
    ("Patient", "_has", "x", BadRequest, "_has:Type:reference:parameter"),
    ("Patient", "_has:Nothing:patient:code", "x", BadRequest, "_has:Type:reference:parameter"),
    ("Patient", "_has:Observation:patent:code", "x", Unknown, "did you mean 'patient'"),
    ("Patient", "_has:Observation:encounter:code", "x", BadRequest, "does not refer to Patient"),
    ("Patient", "_has:Observation:patient:cod", "x", Unknown, "did you mean 'code'"),
    ("Observation", "code-value-quantity", "x", BadRequest, "2 values joined"),
    ("Observation", "code-value-quantity", "x$y", BadRequest, "needs a number"),
    ("Location", "near", "1", BadRequest, "latitude"),
    ("Location", "near", "91|2", BadRequest, "up to 90"),
    ("Location", "near", "1|2|3|kg", BadRequest, "unit of length"),
    ("Location", "near", "1|2|-3", BadRequest, "from 0"),
    ("Patient", "identifier:of-type", "a|b", BadRequest, r"system\|code\|value"),
    ("Observation", "patient:below", "x", Unoffered, "offered: :identifier, :missing"),
    ("ValueSet", "url:below", "urn:oid:1.2", BadRequest, "path"),
    ("Patient", "_filter", "name", BadRequest, "needs a comparison"),
    ("Patient", "_filter", "name eq", BadRequest, "needs a value"),
    ("Patient", "_filter", 'name eq "x', BadRequest, "quotes"),
    ("Patient", "_filter", "(name eq x", BadRequest, "closing parenthesis"),
    ("Patient", "_filter", "name eq x)", BadRequest, "an end"),
    ("Patient", "_filter", "gender gt x", BadRequest, "no comparison 'gt' for the token parameter 'gender'"),
    ("Patient", "_filter", "_text eq x", BadRequest, "no comparison 'eq' for '_text'"),
    ("Patient", "_filter", "nme eq x", Unknown, "did you mean 'name'"),
    ("Patient", "_filter", "gender co x", Unoffered, "':contains' is not offered"),
    ("Patient", "_filter", "(" * 10 + "name eq x" + ")" * 10, TooCostly, "deep"),
    ("Patient", "_filter", "not " * 100 + "name eq x", TooCostly, "deep"),
    ("Patient", "_filter", " or ".join(["name eq x"] * 40), TooCostly, "30 comparisons"),
    ("Patient", "_type", "Patent", BadRequest, "no resource type of R4"),
    ("Patient", "identifier", "a|b|c", BadRequest, r"a \| inside"),
    ("Patient", "_elements", "id", Unoffered, "_elements"),
    ("Patient", "_summary", "text", NotSupported, "count and false"),
    ("Patient", "_explain", "maybe", BadRequest, "true or false"),
    ("Patient", "_count", "-1", BadRequest, "whole number"),
    ("Patient", "_count", "9" * 30, BadRequest, "whole number"),
    ("Patient", "_count:exact", "1", Unoffered, "does not offer"),
    ("Patient", "_total", "maybe", BadRequest, "none, estimate, accurate"),
    ("Patient", "_sort", "nmae", BadRequest, "'nmae' is none"),
    ("Patient", "_sort", "name,-name", BadRequest, "twice"),
    ("Observation", "_sort", "code-value-quantity", NotSupported, "not offered"),
    ("Location", "_sort", "near", BadRequest, "one place to be near to"),
    ("Patient", "_sort", "_score", NotSupported, "found or not, without a score"),
    ("Patient", "_query", "old-ones", Unoffered, "no named queries"),
    ("Patient", "_include", "Observation", BadRequest, "Type:parameter"),
    ("Patient", "_include", "Patient:gender", BadRequest, "not a reference parameter"),
    ("Patient", "_include:often", "Patient:link", Unoffered, "does not offer"),
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
    assert refusal.value.status in (400, 403)


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
    pairs.append(("_include:iterate", "Organization:partof"))
    query = parse(
        "Patient", [*pairs, ("_include", "Patient:organization"), ("_revinclude", "Observation:patient:Patient")]
    )
    assert (query.size, query.total) == (1000, "none")
    assert query.sorts == (Sort("spans", "birthdate", descending=True), Sort("keys", "name", "family"))
    assert query.includes == (
        Include("Patient", "organization"),
        Include("Organization", "partof", iterate=True),
    )
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
    assert query.pending or stages(query, "qn")[0]["$match"]


def test_a_chain_asks_every_type_that_has_the_parameter() -> None:
    (chain,) = parse("Observation", [("subject.name", "lan")]).criteria
    assert isinstance(chain, Chain)
    assert "Patient" in dict(chain.ways)
    assert "Group" not in dict(chain.ways)
    (named,) = parse("Observation", [("subject:Patient.name", "lan")]).criteria
    assert isinstance(named, Chain)
    assert ([type_ for type_, _ in named.ways], named.named) == (["Patient"], True)


def test_chains_lie_in_reverse_chains_and_these_in_chains() -> None:
    (outer,) = parse("Patient", [("_has:Observation:patient:performer:Practitioner.name", "lan")]).criteria
    assert isinstance(outer, Reverse)
    assert (outer.source, outer.key) == ("Observation", "subject")
    assert isinstance(outer.question, Chain)
    (chain,) = parse("Encounter", [("patient._has:Observation:patient:code", "718-7")]).criteria
    assert isinstance(chain, Chain)
    assert isinstance(chain.ways[0][1], Reverse)
    (deep,) = parse("Patient", [("_has:Observation:patient:_has:DiagnosticReport:result:code", "1")]).criteria
    assert isinstance(deep, Reverse)
    assert isinstance(deep.question, Reverse)


QUESTIONS = {
    ("Patient", "_list", "a,List/b"): Listed("Patient", ("a", "b")),
    ("Observation", "code:in", "http://vs"): Coded("code", "in", ("http://vs",)),
    ("Observation", "code:not-in", "http://vs"): Coded("code", "in", ("http://vs",), absent=True),
    ("Condition", "code:below", "urn:icd|I10"): Coded("code", "below", ("urn:icd|I10",)),
    ("Encounter", "location:below", "Location/1"): Placed(
        "location", "below", ("Location/1",), (("Location", "partof"),)
    ),
    ("Encounter", "_content", "Đái tháo đường"): Words(("dai thao duong",), everywhere=True),
}


@pytest.mark.parametrize(("asked", "question"), QUESTIONS.items())
def test_what_only_other_records_can_tell_is_left_pending(asked: tuple[str, str, str], question: object) -> None:
    query = parse(asked[0], [asked[1:]])
    assert query.criteria == (question,)
    assert query.pending


def test_a_lenient_search_leaves_out_the_sorts_that_it_does_not_know() -> None:
    asked = parse("Patient", [("_sort", "nmae,-birthdate"), ("active", "true")], lenient=True)
    assert [one.key for one in asked.sorts] == ["birthdate"]
    assert asked.used == (("_sort", "-birthdate"), ("active", "true"))
    assert parse("Patient", [("_sort", "nmae")], lenient=True).used == ()


def test_a_count_beyond_all_measure_is_the_largest_page() -> None:
    assert parse("Patient", [("_count", "2147483647")], sizes=Sizes(most=50)).size == 50


def test_every_record_has_an_id_and_a_time_of_writing() -> None:
    for name in ("_id:missing", "_lastUpdated:missing"):
        assert parse("Patient", [(name, "false")]).criteria == (Ids((), absent=True),)
        assert parse("Patient", [(name, "true")]).criteria == (Ids(()),)
        with pytest.raises(BadRequest, match="true or false"):
            parse("Patient", [(name, "maybe")])


def test_contained_resources_are_looked_for_by_who_can_alone() -> None:
    assert parse("Patient", [("_contained", "false"), ("_containedType", "container")]).inside is None
    assert parse("Patient", [("_contained", "true")], deep=True).inside == Inside(outside=False, alone=False)
    both = [("_contained", "both"), ("_containedType", "contained")]
    assert parse("Patient", both, deep=True).inside == Inside(outside=True, alone=True)
    with pytest.raises(NotSupported, match="one type alone"):
        parse("Patient", both)


@pytest.mark.parametrize(
    ("pairs", "says"),
    [
        ([("_contained", "maybe")], "one of false, true, both"),
        ([("_contained", "true"), ("_containedType", "x")], "one of container, contained"),
        ([("_containedType", "contained")], "needs '_contained=true'"),
        ([("_contained", "true"), ("_text", "x")], "neither by words"),
        ([("_contained", "true"), ("_filter", "not (active eq true)")], "neither by words"),
        ([("_contained", "true"), ("_list", "mine")], "neither by words"),
        ([("_contained", "both"), ("_has:Observation:patient:code", "x")], "neither by words"),
    ],
)
def test_what_cannot_be_asked_of_contained_resources_is_said(pairs: list[tuple[str, str]], says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        parse("Patient", pairs, deep=True)


@pytest.mark.parametrize(
    ("pair", "place"),
    [
        (("birthdate", "14/03/1961"), "birthdate"),
        (("_count", "abc"), "_count"),
        (("_sort", "foo"), "_sort"),
        (("_sort", "_id,_id"), "_sort"),
        (("_sort", "code-value-quantity"), "_sort"),
        (("_summary", "text"), "_summary"),
        (("_explain", "maybe"), "_explain"),
        (("_revinclude", "Observation:code"), "_revinclude"),
        (("_include:iterate", "Nobody:subject"), "_include"),
        (("_include", "Patient:organization:Nobody"), "_include"),
        (("_count", ""), "_count"),
        (("_include", "x"), "_include"),
        (("_total", "zz"), "_total"),
        (("name:missing", "maybe"), "name:missing"),
        (("identifier:of-type", "a"), "identifier:of-type"),
        (("_lastUpdated", "zz"), "_lastUpdated"),
    ],
)
def test_a_refusal_names_the_parameter_as_its_place(pair, place):
    with pytest.raises(BadRequest) as refused:
        parse("Patient", [pair])
    assert [issue.where for issue in refused.value.issues] == [place]
