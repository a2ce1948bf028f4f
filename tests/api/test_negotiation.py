"""Media types, charset and arguments of requests."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.api.negotiation import FHIR_JSON, FHIR_XML, JSON_TYPES, arguments, form, must_send, without_subsets
from fhir_gateway.problem import BadRequest, NotAcceptable, TooLarge, UnsupportedMedia


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", FHIR_JSON),
        ("*/*", FHIR_JSON),
        ("application/fhir+json", FHIR_JSON),
        ("application/json; fhirVersion=4.0", FHIR_JSON),
        ("text/html, */*;q=0.1", FHIR_JSON),
        ("application/fhir+xml", FHIR_XML),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", FHIR_XML),
        ("application/fhir+xml;q=0.5, application/fhir+json;q=0.7", FHIR_JSON),
        ("application/fhir+xml, application/fhir+json", FHIR_XML),
    ],
)
def test_the_best_of_what_is_offered_answers(accept: str, media_type: str) -> None:
    assert form(accept, []).media_type == media_type


@pytest.mark.parametrize(
    "accept",
    [
        "text/turtle",
        "application/fhir+json; fhirVersion=3.0",
        "application/json;q=0",
        "image/*",
        "application/xml;q=0.0",
    ],
)
def test_whoever_takes_neither_form_is_told_what_is_offered(accept: str) -> None:
    with pytest.raises(NotAcceptable, match=r"application/fhir\+json"):
        form(accept, [])


def test_the_format_argument_outranks_the_header() -> None:
    assert form("application/fhir+xml", [("_format", "json")]).media_type == FHIR_JSON
    assert form("*/*", [("_format", "application/fhir xml")]).media_type == FHIR_XML  # a plus sign nobody escaped
    assert form("image/*", [("_format", "xml")]).media_type == FHIR_XML
    with pytest.raises(NotAcceptable):
        form("application/fhir+json", [("_format", "turtle")])


def test_pretty_is_true_or_false() -> None:
    assert form("", [("_pretty", "true")]).pretty
    assert not form("", [("_pretty", "false")]).pretty
    with pytest.raises(BadRequest):
        form("", [("_pretty", "please")])


def test_how_to_show_is_no_part_of_what_to_find() -> None:
    pairs = [("name", "An"), ("_format", "xml"), ("_summary", "count"), ("_summary", "text"), ("_elements", "name")]
    assert without_subsets(pairs) == [("name", "An"), ("_summary", "count")]


@pytest.mark.parametrize("content_type", ["application/fhir+json", "application/json; charset=UTF-8"])
def test_json_bodies_are_taken(content_type: str) -> None:
    must_send(content_type, JSON_TYPES)


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/json; charset=utf-16", "application/xml"])
def test_other_bodies_are_unsupported(content_type: str) -> None:
    with pytest.raises(UnsupportedMedia):
        must_send(content_type, JSON_TYPES)


def test_arguments_keep_their_order_repeats_and_letters() -> None:
    assert arguments(b"name=Nguy%E1%BB%85n&name=b+c&x=", 5) == [("name", "Nguyễn"), ("name", "b c"), ("x", "")]


def test_too_many_arguments_are_refused() -> None:
    with pytest.raises(TooLarge, match="3 parameters"):
        arguments(b"a=1&b=2&c=3&d=4", 3)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=60))
def test_any_query_string_is_read_or_refused_by_a_problem(query: bytes) -> None:
    try:
        pairs = arguments(query, 10)
    except (BadRequest, TooLarge):
        return

    assert all("\x00" not in name + value for name, value in pairs)
