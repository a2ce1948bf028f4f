import pytest

from fhir_gateway.fhir.patch import fhirpath
from fhir_gateway.problem import BadRequest, Unprocessable

PATIENT = {
    "resourceType": "Patient",
    "name": [{"use": "official", "given": ["An", "Bình"]}, {"use": "usual", "text": "An"}],
    "birthDate": "1950",
    "deceasedBoolean": False,
    "contact": [{"name": {"text": "Chi"}, "gender": "male"}],
}


def operation(type_, path, **parts):
    named = [{"name": name, **part} for name, part in parts.items()]
    first = [{"name": "type", "valueCode": type_}, {"name": "path", "valueString": path}]
    return {"name": "operation", "part": first + named}


def text(value):
    return {"valueString": value}


def number(value):
    return {"valueInteger": value}


def patched(*operations):
    return fhirpath.read({"resourceType": "Parameters", "parameter": list(operations)})(PATIENT)


def test_a_patch_without_operations_changes_nothing():
    assert fhirpath.read({"resourceType": "Parameters"})(PATIENT) == PATIENT


def test_an_element_that_is_not_there_yet_is_added():
    assert patched(operation("add", "Patient", name=text("gender"), value={"valueCode": "male"}))["gender"] == "male"


def test_what_is_added_to_a_list_goes_to_its_end():
    names = patched(operation("add", "Patient", name=text("name"), value={"valueHumanName": {"text": "x"}}))["name"]
    assert names == [*PATIENT["name"], {"text": "x"}]


def test_an_element_of_a_nameless_type_is_made_of_its_parts():
    phone = {"name": "telecom", "valueContactPoint": {"value": "1"}}
    name = {"name": "name", "valueHumanName": {"text": "x"}}
    contacts = patched(operation("add", "Patient", name=text("contact"), value={"part": [phone, name, phone]}))[
        "contact"
    ]
    assert contacts[1] == {"name": {"text": "x"}, "telecom": [{"value": "1"}, {"value": "1"}]}


def test_the_item_after_the_last_is_begun_by_its_first_child_and_one_further_is_not():
    male = {"name": text("gender"), "value": {"valueCode": "male"}}
    assert patched(operation("add", "Patient.contact[1]", **male))["contact"][1] == {"gender": "male"}
    for path in ("Patient.contact[2]", "Patient.name[0].given[2]", "Patient.deceased[1]"):
        with pytest.raises(Unprocessable):
            patched(operation("add", path, **male))


def test_a_primitive_gets_an_extension():
    extension = {"part": [{"name": "url", "valueUri": "u"}, {"name": "value", "valueCode": "c"}]}
    found = patched(operation("add", "Patient.birthDate", name=text("extension"), value=extension))
    assert found["_birthDate"] == {"extension": [{"url": "u", "valueCode": "c"}]}


def test_a_choice_changes_its_type_when_replaced():
    found = patched(operation("replace", "Patient.deceased", value={"valueDateTime": "2020"}))
    assert found["deceasedDateTime"] == "2020"
    assert "deceasedBoolean" not in found


def test_an_item_is_inserted_replaced_moved_and_deleted_in_turn():
    path = "Patient.name.where(use = 'official').given"
    found = patched(
        operation("insert", path, index=number(2), value=text("Dung")),
        operation("replace", f"{path}[0]", value=text("Em")),
        operation("move", path, source=number(2), destination=number(0)),
        operation("delete", f"{path}.last()"),
    )
    assert found["name"][0]["given"] == ["Dung", "Em"]
    assert PATIENT["name"][0]["given"] == ["An", "Bình"]


def test_a_list_that_is_not_there_yet_takes_its_first_item():
    found = patched(
        operation("insert", "Patient.address", index=number(0), value={"valueAddress": {"city": "Hạ Long"}})
    )
    assert found["address"] == [{"city": "Hạ Long"}]


def test_deleting_what_is_not_there_is_no_fault():
    assert patched(operation("delete", "Patient.gender")) == PATIENT


@pytest.mark.parametrize(
    ("one", "part"),
    [
        (operation("replace", "Patient.gender", value={"valueCode": "male"}), "path"),
        (operation("delete", "Patient.name"), "path"),
        (operation("delete", "Patient"), "path"),
        (operation("delete", "Patient.colour"), "path"),
        (operation("add", "Patient", name=text("birthDate"), value={"valueDate": "1951"}), "name"),
        (operation("add", "Patient", name=text("deceased"), value={"valueDateTime": "1951"}), "name"),
        (operation("add", "Patient", name=text("colour"), value={"valueCode": "red"}), "name"),
        (operation("add", "Patient.name[5]", name=text("text"), value=text("x")), "path"),
        (operation("insert", "Patient.name", index=number(3), value={"valueHumanName": {"text": "x"}}), "index"),
        (operation("insert", "Patient.birthDate", index=number(0), value={"valueDate": "1951"}), "path"),
        (operation("move", "Patient.name", source=number(2), destination=number(0)), "source"),
        (operation("move", "Patient.name", source=number(0), destination=number(2)), "destination"),
    ],
)
def test_what_cannot_be_done_is_unprocessable_with_its_place(one, part):
    with pytest.raises(Unprocessable) as caught:
        patched(operation("delete", "Patient.birthDate"), one) if part != "name" else patched(
            operation("delete", "Patient.gender"), one
        )
    assert caught.value.issues[0].where == f"Parameters.parameter[1].part('{part}')"


@pytest.mark.parametrize(
    "parameter",
    [
        {"name": "other"},
        operation("change", "Patient.name"),
        operation("add", "Patient", name=text("gender")),
        operation("add", "Patient", name=text("gender"), value={}),
        operation("insert", "Patient.name", index=text("0"), value=text("x")),
        {"name": "operation", "part": [{"name": "type", "valueCode": "delete"}]},
    ],
)
def test_what_is_no_fhirpath_patch_is_a_bad_request(parameter):
    with pytest.raises(BadRequest) as caught:
        patched(parameter)
    assert (caught.value.issues[0].where or "").startswith("Parameters.parameter[0]")
