"""Numbers keep their digits, commas are read only where they can mean one thing, units keep their text."""

from decimal import Decimal

import pytest

from adapters.cda.quantities import number
from adapters.cda.tables import UNITS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7.20", "7.20"),
        ("5,4", "5.4"),
        ("0,125", "0.125"),
        ("-1,5", "-1.5"),
        ("3150", "3150"),
        ("+2", "2"),
        (".5", "0.5"),
        ("-.25", "-0.25"),
        ("5.", "5"),
    ],
)
def test_a_number_keeps_its_digits(text, expected):
    assert str(number(text)) == expected
    assert isinstance(number(text), Decimal)


@pytest.mark.parametrize(
    "text", ["1,234", "1,2,3", "1.2.3", ".", "", "x", "1e5", "NaN", "Infinity", "٣", "1 000", "9" * 30]
)
def test_what_can_mean_two_things_is_no_number(text):
    assert number(text) is None


def test_an_ambiguous_value_is_kept_as_text_and_told(document, translate, made):
    entry = """<entry><observation classCode="OBS" moodCode="EVN"><code code="2339-0"/>
    <value xsi:type="PQ" value="1,234" unit="mg/dL"/></observation></entry>"""
    translation = translate(document(entry, loinc="30954-2"))

    assert made(translation, "Observation")[0]["valueString"] == "1,234 mg/dL"
    assert [notice.text for notice in translation.notices] == ["not an unambiguous number"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            'xsi:type="PQ" value="&lt;0,3" unit="mg/dl"',
            {"comparator": "<", "value": Decimal("0.3"), "unit": "mg/dl", "code": "mg/dL"},
        ),
        ('xsi:type="PQ" value="36,8" unit="°C"', {"value": Decimal("36.8"), "unit": "°C", "code": "Cel"}),
        ('xsi:type="PQ" value="2" unit="hộp lớn"', {"value": Decimal("2"), "unit": "hộp lớn"}),
        ('xsi:type="REAL" value="7.20"', {"value": Decimal("7.20")}),
    ],
)
def test_a_value_keeps_its_unit_and_gets_ucum_where_the_table_has_it(value, expected, document, translate, made):
    entry = f'<entry><observation classCode="OBS" moodCode="EVN"><code code="1"/><value {value}/></observation></entry>'
    quantity = made(translate(document(entry, loinc="30954-2")), "Observation")[0]["valueQuantity"]

    assert {name: item for name, item in quantity.items() if name != "system"} == expected
    assert ("code" in quantity) == (quantity.get("system") == "http://unitsofmeasure.org")


def test_every_unit_code_of_the_table_is_written_in_ascii():
    assert [code for code in UNITS.values() if not code.isascii()] == []


def test_a_bare_number_has_the_code_of_one_and_no_unit_to_read(document, translate, made, r4_problems):
    entry = """<entry><observation classCode="OBS" moodCode="EVN"><code code="2965-2"/>
    <value xsi:type="PQ" value="1.020" unit="1"/></observation></entry>"""
    translation = translate(document(entry, loinc="30954-2"))
    found = made(translation, "Observation")[0]["valueQuantity"]

    assert (str(found["value"]), found["code"], "unit" in found) == ("1.020", "1", False)
    assert r4_problems(translation) == []
