"""What each member of a resource is."""

from fhir_gateway.fhir.elements import children, members, nodes, spelt


def test_choices_backbones_and_the_halves_of_primitives_are_members() -> None:
    known = members("Observation")
    assert known["valueQuantity"] == "Quantity"
    assert known["component"] == "Observation.component"
    assert known["_status"] == "Element"
    assert "value" not in known
    assert "_subject" not in known


def test_an_element_defined_elsewhere_is_of_that_class() -> None:
    assert members("Bundle.entry")["link"] == "Bundle.link"
    assert members("Questionnaire.item")["item"] == "Questionnaire.item"


def test_an_unknown_class_has_no_members() -> None:
    assert members("Foo") == {}


def test_children_are_told_with_their_paths() -> None:
    patient = {"resourceType": "Patient", "active": True, "name": [{"text": "A"}], "x": 1}
    assert list(children("Patient", patient)) == [
        ("active", "boolean", True),
        ("name[0]", "HumanName", {"text": "A"}),
    ]


def test_a_resource_inside_is_listed_and_not_entered() -> None:
    inner = {"resourceType": "Patient", "name": [{"text": "A"}]}
    bundle = {"resourceType": "Bundle", "entry": [{"resource": inner}], "total": {"no": "object"}}
    found = nodes((None, "Bundle", None), "Bundle", bundle)
    assert [(spelt(place), kind, element) for place, kind, element in found] == [
        ("Bundle", "Bundle", bundle),
        ("Bundle.entry[0]", "Bundle.entry", {"resource": inner}),
        ("Bundle.entry[0].resource", "Resource", inner),
    ]


def test_a_place_is_spelt_from_its_resource_down() -> None:
    assert spelt(((None, "Patient", None), "name", 0)) == "Patient.name[0]"
    assert spelt((((None, "Patient", None), "name", 0), "period", None)) == "Patient.name[0].period"
