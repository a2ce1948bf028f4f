"""What extensions of a question demand of its answers: each kept and broken."""

from decimal import Decimal
from typing import Any

import pytest

from fhir_gateway.fhir.answer_limits import count_faults, faults, size_of
from fhir_gateway.fhir.expression.items import Item

CORE = "http://hl7.org/fhir/StructureDefinition/"
SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"
UCUM = "http://unitsofmeasure.org"


def question(name: str, base: str = CORE, **value: Any) -> dict[str, Any]:
    return {"linkId": "q", "extension": [{"url": f"{base}{name}", **value}]}


def amount(value: int, code: str) -> dict[str, Any]:
    return {"value": Decimal(value), "unit": code, "system": UCUM, "code": code}


KILOMETRE = question("questionnaire-unitOption", valueCoding={"system": UCUM, "code": "km"})
UNITS = question("questionnaire-unitValueSet", valueCanonical="http://a.vn/units")


@pytest.mark.parametrize(
    ("asked", "kind", "good", "bad"),
    [
        (question("minValue", valueInteger=5), "integer", 5, 4),
        (question("maxValue", valueDecimal=Decimal("2.5")), "decimal", Decimal("2.5"), Decimal("2.6")),
        (question("minValue", valueDate="2020"), "date", "2020-01-01", "1998-12-31"),
        (question("maxValue", valueDateTime="2022-06"), "dateTime", "2022-06-30", "2022-07"),
        (question("minLength", valueInteger=3), "string", "abc", "ab"),
        (question("regex", valueString="[a-z]+@[a-z]+"), "string", "a@b", "a@@b"),
        (question("maxDecimalPlaces", valueInteger=2), "decimal", Decimal("1.66"), Decimal("1.666")),
        (question("maxDecimalPlaces", valueInteger=2), "decimal", Decimal("1.5e1"), Decimal("1e-3")),
        (KILOMETRE, "Quantity", amount(1, "km"), amount(1, "kg")),
        (UNITS, "Quantity", amount(1, "km"), amount(1, "kg")),
        (question("minQuantity", SDC, valueQuantity=amount(5, "km")), "Quantity", amount(5000, "m"), amount(4, "km")),
        (question("maxQuantity", SDC, valueQuantity=amount(5, "km")), "Quantity", amount(5, "km"), amount(1, "kg")),
        (
            question("mimeType", valueCode="image/gif"),
            "Attachment",
            {"contentType": "image/gif"},
            {"contentType": "image/png"},
        ),
        (question("maxSize", valueDecimal=Decimal(2)), "Attachment", {"data": "YWI="}, {"data": "YWJj"}),
        (
            question("questionnaire-referenceResource", valueCode="Patient"),
            "Reference",
            {"reference": "Patient/1"},
            {"reference": "Group/1"},
        ),
    ],
)
def test_each_limit_is_kept_and_broken(asked, kind, good, bad):
    sets = {"http://a.vn/units": lambda system, code: (system, code) == (UCUM, "km")}
    assert not list(faults(asked, Item(good, kind), sets))
    assert list(faults(asked, Item(bad, kind), sets))


def test_amounts_without_a_formal_unit_are_compared_by_the_word():
    asked = question("minQuantity", SDC, valueQuantity={"value": Decimal(5), "unit": "Kg"})
    assert not list(faults(asked, Item({"value": Decimal(6), "unit": "Kg"}, "Quantity"), {}))
    assert list(faults(asked, Item({"value": Decimal(4), "unit": "Kg"}, "Quantity"), {}))
    assert not list(faults(asked, Item({"value": Decimal(4), "unit": "pound"}, "Quantity"), {}))


@pytest.mark.parametrize("url", [f"{CORE}questionnaire-unitOption", f"{SDC}minQuantity", f"{SDC}maxQuantity"])
@pytest.mark.parametrize("value", [{"valueInteger": 5}, {"valueString": "km"}])
def test_an_extension_of_another_type_demands_nothing(url, value):
    assert not list(faults(question("", url, **value), Item(amount(1, "km"), "Quantity"), {}))


def test_a_pattern_that_is_none_is_not_asked():
    assert not list(faults(question("regex", valueString="("), Item("x", "string"), {}))


def test_the_number_of_answers_is_asked_for_when_all_are_given():
    few = question("questionnaire-minOccurs", valueInteger=2)
    many = question("questionnaire-maxOccurs", valueInteger=2)
    assert list(count_faults(few, 1, finished=True))
    assert not list(count_faults(few, 1, finished=False))
    assert not list(count_faults(few, 2, finished=True))
    assert list(count_faults(many, 3, finished=False))
    assert not list(count_faults(many, 2, finished=False))


def test_the_size_of_a_file_is_counted_before_it_is_believed():
    assert size_of({"data": "YWJj", "size": 9}) == 3
    assert size_of({"size": 9}) == 9
    assert size_of({"data": "%"}) is None
