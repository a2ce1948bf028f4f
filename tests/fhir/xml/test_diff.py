import pytest

from fhir_gateway.fhir.xml import diff
from fhir_gateway.problem import BadRequest, Malformed, Unprocessable

PATIENT = {
    "resourceType": "Patient",
    "id": "a",
    "name": [{"use": "official", "text": "one"}, {"use": "usual", "text": "two"}],
    "birthDate": "1950-01-01",
}


def patched(operation):
    return diff.read(f'<diff xmlns:f="http://hl7.org/fhir">{operation}</diff>'.encode())(PATIENT)


def test_a_value_is_replaced():
    found = patched('<replace sel="f:Patient/f:birthDate/@value">2000-02-03</replace>')
    assert found == PATIENT | {"birthDate": "2000-02-03"}
    assert PATIENT["birthDate"] == "1950-01-01"


def test_an_element_is_replaced_by_another():
    found = patched('<replace sel="f:Patient/f:name[2]"><f:name><f:text value="three"/></f:name></replace>')
    assert found["name"] == [PATIENT["name"][0], {"text": "three"}]


@pytest.mark.parametrize(
    ("position", "texts"),
    [("pos='after'", ["one", "new", "two"]), ("pos='before'", ["new", "one", "two"])],
)
def test_an_element_is_added_beside_another(position, texts):
    found = patched(f'<add sel="f:Patient/f:name[1]" {position}>\n  <f:name><f:text value="new"/></f:name>\n</add>')
    assert [name["text"] for name in found["name"]] == texts


def test_an_element_is_added_inside_another():
    assert patched('<add sel="f:Patient"><f:active value="true"/></add>')["active"] is True
    assert (
        patched('<add sel="f:Patient/f:name[1]" pos="prepend"><f:family value="x"/></add>')["name"][0]["family"] == "x"
    )


def test_an_attribute_is_added_and_removed():
    assert patched('<add sel="f:Patient/f:birthDate" type="@id">b</add>')["_birthDate"] == {"id": "b"}
    two = "<add sel='f:Patient/f:name[1]' type='@id'>n</add><remove sel='f:Patient/f:name[1]/@id'/>"
    assert patched(two) == PATIENT


def test_an_element_is_removed():
    assert patched("<remove sel=\"f:Patient/f:name[f:use/@value='usual']\"/>")["name"] == PATIENT["name"][:1]


@pytest.mark.parametrize(
    "operation",
    [
        '<remove sel="f:Patient/f:photo"/>',
        '<remove sel="f:Patient"/>',
        '<replace sel="f:Patient"><f:Patient/></replace>',
        '<add sel="f:Patient" pos="after"><f:Patient/></add>',
        '<add sel="f:Patient/f:birthDate" type="@value">x</add>',
        '<add sel="f:Patient/f:birthDate/@value">x</add>',
    ],
)
def test_what_cannot_be_done_is_unprocessable_with_its_place(operation):
    with pytest.raises(Unprocessable) as caught:
        patched(operation)
    assert (caught.value.issues[0].where or "").startswith("diff[0]")


def test_a_result_that_is_no_fhir_is_refused():
    with pytest.raises(Malformed):
        patched('<add sel="f:Patient"><f:colour value="red"/></add>')


@pytest.mark.parametrize("body", [b"<diff><change sel='x'/></diff>", b"<diff><add/></diff>", b"<other/>"])
def test_what_is_no_diff_is_a_bad_request(body):
    with pytest.raises(BadRequest):
        diff.read(body)


NOTED = {**PATIENT, "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">a<b>b</b></div>'}}


@pytest.mark.parametrize(
    ("position", "words"), [("", "a<b>b</b>new"), (' pos="prepend"', "newa<b>b</b>")]
)  # fmt: skip
def test_text_is_added_to_a_narrative(position, words):
    operation = f'<add sel="f:Patient/f:text/h:div"{position}>new</add>'
    body = f'<diff xmlns:f="http://hl7.org/fhir" xmlns:h="http://www.w3.org/1999/xhtml">{operation}</diff>'
    assert diff.read(body.encode())(NOTED)["text"]["div"] == f'<div xmlns="http://www.w3.org/1999/xhtml">{words}</div>'


def test_text_is_not_lost_where_there_is_no_place_for_it():
    with pytest.raises(Malformed):
        patched('<add sel="f:Patient/f:name[1]">new</add>')
    with pytest.raises(Unprocessable):
        patched('<add sel="f:Patient/f:name[1]" pos="after">new</add>')
