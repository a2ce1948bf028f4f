from fhir_gateway.fhir.patch.slots import Content, children, contents, opened, pruned, root, spelled, store

HALF = {"extension": [{"url": "u", "valueCode": "c"}]}


def test_a_choice_is_found_under_its_plain_name():
    (found,) = children(root({"resourceType": "Observation", "valueString": "x"}), "value")
    assert (found.member, found.kind, found.content.value) == ("valueString", "string", "x")


def test_a_primitive_and_its_other_half_are_one_element():
    name = {"given": ["An"], "_given": [None, HALF]}
    assert contents(name, "given") == [Content("An"), Content(None, HALF)]
    (owner,) = children(root({"resourceType": "Patient", "name": [name]}), "name")
    store(owner, "given", [Content(None, HALF), Content("An")])
    assert name == {"given": [None, "An"], "_given": [HALF, None]}
    store(owner, "given", [])
    assert name == {}


def test_a_primitive_gets_an_object_for_its_children_when_needed():
    patient = {"resourceType": "Patient", "birthDate": "1950"}
    (born,) = children(root(patient), "birthDate")
    opened(born).element["id"] = "b"
    assert patient["_birthDate"] == {"id": "b"}


def test_names_of_json_alone_are_no_elements():
    assert spelled("Patient", "_birthDate") == []
    assert spelled("Nothing", "x") == []


def test_what_holds_nothing_goes_and_a_null_beside_a_half_stays():
    assert pruned({"a": {"b": []}, "c": [{}, None, {"d": 0}]}) == {"c": [None, {"d": 0}]}
