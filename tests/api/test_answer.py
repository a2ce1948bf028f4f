"""Preferences and the headers of refusals."""

import pytest
from starlette.datastructures import Headers

from fhir_gateway.api.answer import of_problem, preference
from fhir_gateway.problem import NotFound, Unauthenticated, Unavailable


@pytest.mark.parametrize(
    "header",
    ["return=minimal", "handling=lenient, return=minimal", "handling=lenient; return=minimal", 'Return="minimal"'],
)
def test_a_preference_is_found_among_others(header: str) -> None:
    assert preference(Headers({"prefer": header}), "return") == "minimal"


def test_no_preference_is_none() -> None:
    assert preference(Headers({}), "return") is None


def test_a_refusal_carries_the_header_its_status_asks_for() -> None:
    assert of_problem(Unauthenticated("who?")).header("www-authenticate")
    assert of_problem(Unavailable("later")).header("retry-after")
    assert of_problem(NotFound("no")).headers == ()
