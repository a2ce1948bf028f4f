"""What records are found by."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.fhir.definitions import resource_types
from fhir_gateway.search.criteria import UNIT
from fhir_gateway.search.extract import INDEXES, index
from fhir_gateway.search.kinds.date import interval

CORPUS = Path(__file__).resolve().parents[2].parent / "shared" / "corpus" / "fhir-r4"

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "meta": {"tag": [{"system": "urn:t", "code": "x"}], "lastUpdated": "2026-01-01T00:00:00Z"},
    "identifier": [{"system": "urn:cccd", "value": "022"}],
    "name": [{"text": "Nguyễn Thị Đào", "family": "Nguyễn", "given": ["Thị", None, "Đào"]}],
    "_birthDate": {"extension": []},
    "birthDate": "1980-05",
    "deceasedBoolean": False,
    "managingOrganization": {"reference": "Organization/o1"},
    "link": [{"other": {"reference": "Patient/p2"}, "type": "seealso"}],
}


def shown(fields: dict[str, Any]) -> list[str]:
    return [key.replace(UNIT, "/") for key in fields["keys"]]


def test_a_patient_is_found_by_these_keys_and_no_more() -> None:
    assert shown(index(PATIENT)) == [
        "_tag:x/urn:t",
        "identifier:022/urn:cccd",
        "name:nguyen thi dao/Nguyễn Thị Đào/text",
        "name:nguyen/Nguyễn/family",
        "name:thi/Thị/given",
        "name:dao/Đào/given",
        *(f"birthdate:{edge:018d}" for edge in interval("1980-05")),
        "deceased:false/=",
        "organization:o1/Organization",
        "link:p2/Patient",
    ]


def test_who_an_answer_is_about_is_found_where_its_question_says_so() -> None:
    about = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/questionnaireresponse-isSubject"}]}
    answer = {"answer": [{"valueReference": {"reference": "Patient/p1"}}]}
    response = {"resourceType": "QuestionnaireResponse", "item": [{"linkId": "1", **about, **answer}]}

    assert "item-subject:p1/Patient" in shown(index(response))
    assert shown(index(response | {"item": [{"linkId": "1", **answer}]})) == []


def test_a_code_and_a_component_s_code_are_no_keys_of_the_parameter_that_looks_at_both() -> None:
    amount = {"value": 5, "unit": "g"}
    component = {"code": {"coding": [{"code": "b"}]}, "valueQuantity": amount}
    fields = index({"resourceType": "Observation", "code": {"coding": [{"code": "a"}]}, "component": [component]})
    names = [key.partition(":")[0] for key in fields["keys"]]
    assert names == ["code", "component-code", "component-value-quantity"]
    assert set(fields["spans"]) == {"component-value-quantity"}


def test_a_patient_is_in_its_own_compartment_and_in_those_it_links_to() -> None:
    assert index(PATIENT)["patients"] == ["p1", "p2"]


def test_a_patient_without_a_word_on_death_lives() -> None:
    assert "deceased:false/=" in shown(index({"resourceType": "Patient", "id": "a"}))
    died = index({"resourceType": "Patient", "id": "a", "deceasedDateTime": "2026-01-01"})
    assert "deceased:true/=" in shown(died)


def test_a_contained_reference_is_no_key() -> None:
    observation = {"resourceType": "Observation", "id": "o", "subject": {"reference": "#p"}, "status": "final"}
    assert shown(index(observation)) == ["status:final/="]


def test_only_dates_numbers_and_quantities_have_spans() -> None:
    observation = {
        "resourceType": "Observation",
        "id": "o",
        "valueQuantity": {"value": 5.4, "unit": "mg", "code": "mg"},
    }
    spans = index(observation)["spans"]
    assert spans["value-quantity"] == [{"lo": 5.4, "hi": 5.4, "unit": ["mg"], "system": ""}]
    assert "spans" not in index({"resourceType": "Observation", "id": "o"})


def test_every_index_ends_in_the_id() -> None:
    assert all(one.fields[-1] == "_id" for one in INDEXES)


def test_an_index_holds_at_most_one_list_field() -> None:
    lists = {"keys", "patients", "readers"}
    assert all(len(lists.intersection(one.fields)) <= 1 for one in INDEXES)


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not on this machine")
def test_official_examples_are_indexed_cheaply() -> None:
    resources = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(CORPUS.glob("*.json"))]
    began = time.process_time()
    counts = [len(index(resource)["keys"]) for resource in resources]
    assert sum(counts) / len(counts) < 12
    assert (time.process_time() - began) / len(resources) < 0.002


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(sorted(resource_types())), st.dictionaries(st.text(max_size=8), VALUES, max_size=4))
def test_members_that_no_definition_knows_make_no_keys(type_: str, members: dict[str, Any]) -> None:
    invented = {f"x-{name}": value for name, value in members.items()}
    resource = {"resourceType": type_, "id": "a"}
    assert index(resource | invented) == index(resource)
