from decimal import Decimal

from fhir_gateway.fhir.codec import decode
from fhir_gateway.fhir.xml.reading import decode_resource
from fhir_gateway.fhir.xml.writing import encode, spelled

DIV = '<div xmlns="http://www.w3.org/1999/xhtml"><p><b>a</b><i>b</i></p></div>'


def test_elements_stand_in_the_order_of_the_definitions():
    text = encode({"resourceType": "Patient", "gender": "male", "id": "a", "name": [{"given": ["An"], "family": "Lê"}]})
    names = [b"<id ", b"<name>", b"<family ", b"<given ", b"<gender "]
    assert sorted(names, key=text.index) == names
    assert text.startswith(b"<?xml version='1.0' encoding='UTF-8'?>\n<Patient xmlns=\"http://hl7.org/fhir\">")


def test_line_breaks_in_a_value_survive():
    resource = {"resourceType": "Patient", "name": [{"text": "a\nb\t\"c\" <d> & 'e'"}]}
    assert decode_resource(encode(resource)) == resource


def test_a_character_that_xml_cannot_hold_becomes_a_replacement_character():
    text = encode({"resourceType": "Patient", "name": [{"text": "a\uffffb"}]})
    assert decode_resource(text)["name"][0]["text"] == "a\ufffdb"


def test_pretty_text_breaks_lines_but_not_inside_a_narrative():
    resource = {"resourceType": "Patient", "text": {"status": "generated", "div": DIV}, "active": True}
    text = encode(resource, pretty=True)
    assert b"\n  <text>\n    <status value" in text
    assert DIV.encode() in text
    assert decode_resource(text) == resource


def test_primitives_are_spelled_as_json_spells_them():
    values = [True, 7, Decimal("7.20"), decode(b"1e5"), "x"]
    assert [spelled(value) for value in values] == ["true", "7", "7.20", "1e5", "x"]


def test_a_missing_value_leaves_an_element_with_its_extension_alone():
    half = {"extension": [{"url": "u", "valueCode": "unknown"}]}
    assert b"<birthDate><extension" in encode({"resourceType": "Patient", "_birthDate": half})


def test_the_other_half_of_an_elements_id_has_no_place_in_xml():
    resource = {"resourceType": "Patient", "name": [{"text": "a", "_id": {"extension": [{"url": "u"}]}}]}
    assert decode_resource(encode(resource))["name"] == [{"text": "a"}]
