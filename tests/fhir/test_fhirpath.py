import pytest

from fhir_gateway.fhir.codec import decode
from fhir_gateway.fhir.fhirpath import evaluate, holds
from fhir_gateway.problem import BadRequest

OBSERVATION = {"resourceType": "Observation", "valueQuantity": {"value": decode(b"7.20"), "unit": "mmol/l"}}


def test_choices_are_known_by_their_plain_name():
    assert evaluate(OBSERVATION, "Observation", "value.unit", "path") == ["mmol/l"]
    assert holds(OBSERVATION, "Observation", "value.value > 7 and value.unit = 'mmol/l'", "path")


def test_an_element_is_evaluated_as_what_it_is():
    assert holds({"url": "u", "valueString": "x"}, "Extension", "value = 'x'", "path")
    assert not holds({"use": "old"}, "HumanName", "use = 'official'", "path")


@pytest.mark.parametrize(
    "expression", ["foo((", "use = ", "use.replaceMatches('(a+)+$', '')", "1.resolve()", "use.", "a" * 3000]
)
def test_what_cannot_or_must_not_be_evaluated_is_a_bad_request(expression):
    with pytest.raises(BadRequest):
        evaluate({}, "HumanName", expression, "path")
