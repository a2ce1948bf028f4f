"""Business identifiers of a resource."""

from fhir_gateway.fhir.identifier import Identifier, find, identifiers, make


def test_complete_identifiers_come_once_and_in_order() -> None:
    patient = {
        "resourceType": "Patient",
        "identifier": [make("urn:b", "2"), {"system": "urn:a"}, {"value": "3"}, make("urn:b", "2"), make("urn:a", "1")],
    }
    assert identifiers(patient) == [Identifier("urn:b", "2"), Identifier("", "3"), Identifier("urn:a", "1")]


def test_a_single_identifier_is_read_like_a_list() -> None:
    assert identifiers({"resourceType": "Composition", "identifier": make("urn:a", "1")}) == [Identifier("urn:a", "1")]


def test_a_resource_without_identifiers_has_none() -> None:
    assert identifiers({"resourceType": "Patient"}) == []
    assert find({"resourceType": "Patient"}, "urn:a") is None


def test_an_identifier_is_found_by_its_system() -> None:
    patient = {"resourceType": "Patient", "identifier": [make("urn:a", "1"), make("urn:b", "2")]}
    assert find(patient, "urn:b") == "2"


def test_an_identifier_is_searched_as_a_token() -> None:
    assert Identifier("urn:a", "1").token == "urn:a|1"


def test_an_identifier_element_says_its_use_and_kind() -> None:
    assert make("urn:a", "1", "usual", "MR") == {
        "use": "usual",
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]},
        "system": "urn:a",
        "value": "1",
    }
