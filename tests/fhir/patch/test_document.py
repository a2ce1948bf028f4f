import pytest

from fhir_gateway.fhir.codec import encode
from fhir_gateway.fhir.patch import document
from fhir_gateway.problem import Unprocessable, UnsupportedMedia

PATIENT = {"resourceType": "Patient", "id": "a", "active": True, "contact": [{"name": {"text": "x"}}]}
PARAMETERS = b"""<Parameters xmlns="http://hl7.org/fhir"><parameter><name value="operation"/>
    <part><name value="type"/><valueCode value="delete"/></part>
    <part><name value="path"/><valueString value="Patient.active"/></part></parameter></Parameters>"""


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        (document.JSON_PATCH, b'[{"op":"remove","path":"/active"}]'),
        (document.XML_PATCH, b'<diff xmlns="http://hl7.org/fhir"><remove sel="Patient/active"/></diff>'),
        ("application/fhir+xml", PARAMETERS),
    ],
)
def test_the_media_type_says_what_kind_of_patch_it_is(media_type, body):
    found = document.read(media_type, body)(PATIENT)
    assert found == {name: item for name, item in PATIENT.items() if name != "active"}


def test_what_a_patch_leaves_empty_is_cleared_away():
    body = b'[{"op":"remove","path":"/contact/0/name/text"}]'
    assert "contact" not in document.read(document.JSON_PATCH, body)(PATIENT)


@pytest.mark.parametrize(("path", "value"), [("/id", "b"), ("/resourceType", "Group")])
def test_a_patch_leaves_the_resource_what_it_is(path, value):
    body = encode([{"op": "replace", "path": path, "value": value}])
    with pytest.raises(Unprocessable, match="does not change"):
        document.read(document.JSON_PATCH, body)(PATIENT)


def test_another_media_type_is_no_patch():
    with pytest.raises(UnsupportedMedia):
        document.read("text/plain", b"")
