"""Conditions: one spelling for one meaning."""

import pytest

from fhir_gateway.problem import BadRequest
from fhir_gateway.records.condition import normal, pairs


def test_order_and_escapes_do_not_make_another_condition() -> None:
    assert normal("identifier=a%7C1&active=true") == normal("active=true&identifier=a|1")
    assert normal("identifier=a|1") != normal("identifier=a|2")


@pytest.mark.parametrize("empty", ["", "identifier=", "&&", "=%FF"])
def test_a_condition_that_says_nothing_is_refused(empty: str) -> None:
    with pytest.raises(BadRequest):
        pairs(empty)
