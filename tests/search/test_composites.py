"""What the parts of each composite are."""

from fhir_gateway.fhir.definitions import resource_types
from fhir_gateway.search.composites import branches, tupled
from fhir_gateway.search.extract import index
from fhir_gateway.search.registry import parameters


def test_every_composite_of_r4_has_parts_that_can_be_searched() -> None:
    composites = [(type_, one) for type_ in resource_types() for one in parameters(type_).values() if one.components]
    assert len(composites) > 60
    for type_, one in composites:
        found = branches(type_, one.code)
        assert found, (type_, one.code)
        for branch in found:
            assert len(branch.parts) == len(one.components)
            assert all(part.parameter.searchable and part.paths for part in branch.parts), (type_, one.code)


def test_a_composite_of_the_record_itself_leaves_no_tuple() -> None:
    assert {branch.key for branch in branches("Observation", "code-value-quantity")} == {""}
    observation = {"resourceType": "Observation", "id": "o", "code": {"text": "x"}, "valueString": "y"}
    assert "tuples" not in index(observation)


def test_composites_of_one_element_share_its_tuples() -> None:
    keys = {branch.key for branch in tupled("Observation")}
    assert keys == {"combo-code-value-concept", "combo-code-value-quantity"}


def test_a_part_is_found_where_it_is_and_not_where_r4_misnamed_it() -> None:
    (branch,) = branches("DocumentReference", "relationship")
    assert [part.parameter.code for part in branch.parts] == ["relatesto", "relation"]
    assert [path.text for part in branch.parts for path in part.paths] == ["name:target", "name:code"]


def test_an_element_that_lacks_a_part_leaves_no_tuple() -> None:
    component = {"code": {"coding": [{"code": "8480-6"}]}, "dataAbsentReason": {"text": "x"}}
    observation = {"resourceType": "Observation", "id": "o", "component": [component]}
    assert "tuples" not in index(observation)
