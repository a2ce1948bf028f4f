"""What a container is found by for the sake of what it contains."""

from typing import Any

from fhir_gateway.search import containing
from fhir_gateway.search.criteria import Condition
from fhir_gateway.search.extract import index, index_inside, is_entangled
from fhir_gateway.search.query import parse

MEDICATION = {"resourceType": "Medication", "id": "m1", "code": {"coding": [{"system": "urn:c", "code": "abc"}]}}
PATIENT = {"resourceType": "Patient", "id": "p", "name": [{"family": "Đào"}], "birthDate": "1980-02-01"}


def request(*contained: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"resourceType": "MedicationRequest", "id": "23", "contained": [*contained], **more}


def test_what_is_contained_is_found_behind_the_parameter_that_points_at_it() -> None:
    keys = index(request(MEDICATION, medicationReference={"reference": "#m1"}))["keys"]
    assert keys == [">:Medication\x1fmedication", "medication>Medication>code:abc\x1furn:c"]


def test_what_a_contained_resource_points_at_is_found_behind_it() -> None:
    maker = {"resourceType": "Organization", "id": "o", "name": "Hạ Long", "partOf": {"reference": "#o"}}
    made = MEDICATION | {"manufacturer": {"reference": "#o"}}
    keys = index(request(made, maker, medicationReference={"reference": "#m1"}))["keys"]
    assert "medication>Medication>manufacturer>Organization>name:ha long\x1fHạ Long\x1f" in keys
    assert ">Organization>name:ha long\x1fHạ Long\x1f" in keys
    assert not any("partof" in key for key in keys)


def test_what_no_parameter_points_at_has_no_way() -> None:
    keys = index(request(MEDICATION))["keys"]
    assert keys == [">:Medication\x1f", ">Medication>code:abc\x1furn:c"]


def test_each_of_two_contained_resources_keeps_its_own_dates() -> None:
    facts = [{"resourceType": "Observation", "id": f"o{year}", "effectiveDateTime": year} for year in ("2020", "2022")]
    links = [{"reference": f"#{one['id']}"} for one in facts]
    report = {"resourceType": "DiagnosticReport", "id": "r", "contained": facts, "result": links}
    found = [index(one)["spans"]["date"][0] for one in facts]
    assert index(report)["spans"]["result>Observation>date"] == found


def test_keys_that_contained_resources_give_each_other_have_an_end() -> None:
    person = PATIENT | {"identifier": [{"value": str(at)} for at in range(2000)]}
    facts = [{"resourceType": "Basic", "id": f"b{at}", "subject": {"reference": "#p"}} for at in range(20)]

    few, many = ({**request(person, *facts[:end])} for end in (3, 20))
    assert (is_entangled(few), is_entangled(many), is_entangled(request(person))) == (False, True, False)
    assert len(index_inside(containing.contained(few))["#b2"]["keys"]) > 2000
    inside = index_inside(containing.contained(many))
    assert sum(len(one["keys"]) for one in inside.values()) < containing.MOST_KEYS + 3000


def test_the_container_is_in_no_compartment_of_a_contained_patient() -> None:
    fields = index(request(PATIENT, subject={"reference": "#p"}))
    assert fields["patients"] == []
    assert fields["spans"]["subject>Patient>birthdate"]
    assert any(key.startswith("subject>Patient>name:dao") for key in fields["keys"])


def test_what_contains_nothing_has_the_keys_that_it_had() -> None:
    plain = request(medicationCodeableConcept=MEDICATION["code"])
    assert index(plain) == index({name: value for name, value in plain.items() if name != "contained"})


def test_a_contained_resource_without_id_or_within_another_is_left_alone() -> None:
    assert index(request({"resourceType": "Medication", "code": MEDICATION["code"]}))["keys"] == []
    nested = index(request(MEDICATION | {"contained": [PATIENT]}))["keys"]
    assert nested == index(request(MEDICATION))["keys"]


def test_every_kind_of_choice_is_asked_behind_the_prefix() -> None:
    for name, value in (("name", "dao"), ("family:contains", "a"), ("birthdate", "1980"), ("identifier", "urn:x|1")):
        condition = parse("Patient", [(name, value)]).criteria[0]
        assert isinstance(condition, Condition)
        start = containing.prefix("subject", "Patient")
        for plain, moved in zip(condition.choices, containing.within(condition, start), strict=True):
            assert (moved.start, moved.stop) == (start + plain.start, plain.stop and start + plain.stop)
            assert (moved.span and moved.span.key) == (plain.span and start + plain.span.key)
            assert (moved.pattern is None) is (plain.pattern is None)
            assert moved.pattern is None or moved.pattern.startswith("^subject>Patient>name:")
