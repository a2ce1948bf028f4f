from fhir_gateway.fhir.xml.names import layout


def test_choices_are_spelled_out_in_their_place():
    members = layout("Patient")
    assert members["birthDate"].rank < members["deceasedBoolean"].rank < members["address"].rank


def test_only_an_elements_id_and_an_extensions_url_are_attributes():
    assert not layout("Patient")["id"].attribute
    assert [name for name, member in layout("Extension").items() if member.attribute] == ["id", "url"]
    assert layout("HumanName")["id"].attribute


def test_an_unknown_class_has_no_members():
    assert layout("Nothing") == {}
