"""Media types, charset and arguments of requests."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.api.negotiation import JSON_TYPES, arguments, must_accept, must_send
from fhir_gateway.problem import BadRequest, NotAcceptable, TooLarge, UnsupportedMedia


@pytest.mark.parametrize(
    "accept",
    ["", "*/*", "application/fhir+json", "application/json; fhirVersion=4.0", "text/html, */*;q=0.1", "application/*"],
)
def test_json_is_offered_to_whoever_takes_it(accept: str) -> None:
    must_accept(accept, None)


@pytest.mark.parametrize(
    "accept",
    [
        "application/fhir+xml",
        "text/turtle",
        "application/fhir+json; fhirVersion=3.0",
        "application/json;q=0",
        "image/*",
    ],
)
def test_whoever_takes_no_json_is_told_what_is_offered(accept: str) -> None:
    with pytest.raises(NotAcceptable, match=r"application/fhir\+json"):
        must_accept(accept, None)


def test_the_format_argument_outranks_the_header() -> None:
    must_accept("application/fhir+xml", "json")
    must_accept("*/*", "application/fhir json")  # a plus sign that nobody escaped
    with pytest.raises(NotAcceptable):
        must_accept("application/fhir+json", "xml")


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
