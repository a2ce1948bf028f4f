import os
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.fhir.codec import decode_resource as decode_json
from fhir_gateway.fhir.codec import encode as encode_json
from fhir_gateway.fhir.xml import divs
from fhir_gateway.fhir.xml.reading import decode_resource
from fhir_gateway.fhir.xml.writing import encode
from fhir_gateway.problem import Malformed, TooLarge

HERE = Path(__file__).parents[3]
CORPUS = Path(os.environ.get("FHIR_GATEWAY_CORPUS", HERE.parent / "shared" / "corpus"))


def patient(inner):
    return decode_resource(f'<Patient xmlns="http://hl7.org/fhir">{inner}</Patient>'.encode())


def normal(value):
    """Members sorted, narratives spelled one way."""
    if isinstance(value, dict):
        return {
            name: divs.text(divs.markup(value[name])) if name == "div" else normal(value[name])
            for name in sorted(value)
        }
    return [normal(item) for item in value] if isinstance(value, list) else value


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not here")
def test_official_examples_survive_the_way_to_xml_and_back():
    files = sorted(CORPUS.glob("fhir-r4/*.json"))
    changed = []
    for path in files:
        resource = decode_json(path.read_bytes())
        back = decode_resource(encode(resource))
        if encode_json(normal(back)) != encode_json(normal(resource)):
            changed.append(path.name)
    assert len(files) > 400
    assert changed == []


def test_values_get_the_types_that_json_has():
    found = patient('<active value="true"/><multipleBirthInteger value="2"/><birthDate value="1950"/>')
    assert found == {"resourceType": "Patient", "active": True, "multipleBirthInteger": 2, "birthDate": "1950"}


@pytest.mark.parametrize("text", ["7.20", "1e5", "0.0000001", "-0.0", "100"])
def test_a_decimal_keeps_its_digits(text):
    resource = decode_json(b'{"resourceType":"Observation","valueQuantity":{"value":%b}}' % text.encode())
    back = decode_resource(encode(resource))
    assert encode_json(back) == encode_json(resource)
    assert isinstance(back["valueQuantity"]["value"], int | Decimal)


def test_a_primitives_id_and_extensions_stand_beside_it():
    found = patient(
        '<name><given value="An"/><given id="x"><extension url="u"><valueCode value="c"/></extension></given></name>'
    )
    extension = {"url": "u", "valueCode": "c"}
    assert found["name"] == [{"given": ["An", None], "_given": [None, {"id": "x", "extension": [extension]}]}]


def test_contained_resources_lie_one_element_deeper():
    found = patient('<contained><Organization><id value="o"/></Organization></contained>')
    assert found["contained"] == [{"resourceType": "Organization", "id": "o"}]


@pytest.mark.parametrize(
    ("inner", "where"),
    [
        ("<colour value='red'/>", "Patient.colour"),
        ("<name><familie value='x'/></name>", "Patient.name[0].familie"),
        ("<active value='yes'/>", "Patient.active"),
        ("<multipleBirthInteger value='1.5'/>", "Patient.multipleBirthInteger"),
        ("<extension url='u'><valueDecimal value='1e999'/></extension>", "Patient.extension[0].valueDecimal"),
        ("<gender value='male'/><gender value='male'/>", "Patient.gender"),
        ("<gender/>", "Patient.gender"),
        ("<gender code='male'/>", "Patient.gender"),
        ("<name>An</name>", "Patient.name[0]"),
        ("<contained/>", "Patient.contained[0]"),
        ("<contained><Patience/></contained>", "Patient.contained[0]"),
        ("<text><div>x</div></text>", "Patient.text.div"),
        ("<name xmlns='urn:other'/>", "Patient"),
        ("<name><id value='x'/></name>", "Patient.name[0].id"),
    ],
)
def test_what_is_no_fhir_xml_is_refused_with_its_place(inner, where):
    with pytest.raises(Malformed) as caught:
        patient(inner)
    assert caught.value.issues[0].where == where
    assert "line 1" in caught.value.text


def test_a_schema_location_is_no_content():
    body = b"""<Patient xmlns="http://hl7.org/fhir" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
        xsi:schemaLocation="http://hl7.org/fhir patient.xsd"/>"""
    assert decode_resource(body) == {"resourceType": "Patient"}


def test_a_body_beyond_the_limit_is_too_large():
    with pytest.raises(TooLarge):
        decode_resource(b"<Patient xmlns='http://hl7.org/fhir'/>", 10)


@settings(deadline=None, max_examples=150)
@given(st.text("<>/='\"aPatient xmlns:http.or7&;![]-?ạ\x00", max_size=60).map(str.encode) | st.binary(max_size=40))
def test_whatever_comes_in_only_a_problem_goes_out(body):
    with suppress(Malformed):
        decode_resource(body)
