"""Secret categories are labelled whatever format they came in, pass on to what cites them, and never beyond."""

import json
from pathlib import Path

import pytest

from fhir_gateway.security.secrecy import DISPLAYS, is_restricted, label, mark, revealed

ICD10 = "http://hl7.org/fhir/sid/icd-10"
VN = "http://fhir.hl7.org.vn/core/CodeSystem/vn-icd10-cs"
FIXTURES = Path(__file__).parents[2] / "fixtures"


def condition(code: str, system: str = ICD10, **more):
    return {"resourceType": "Condition", "code": {"coding": [{"system": system, "code": code}]}, **more}


def bundle(**resources):
    return {"entry": [{"fullUrl": f"urn:uuid:{name}", "resource": resource} for name, resource in resources.items()]}


def labels(resource) -> set[str]:
    return {row["code"] for row in resource.get("meta", {}).get("security", ())}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("B20", {"HIV"}), ("B24.0", {"HIV"}), ("Z21", {"HIV"}), ("R75", {"HIV"}), ("F11.2", {"SUD"}),
        ("F20.0", {"PSY"}), ("X61", {"PSY"}), ("T74.2", {"SDV"}), ("Y05", {"SDV"}), ("Z04.4", {"SDV"}),
        ("Z31.2", {"SEX"}), ("F64.0", {"SEX", "PSY"}), ("Q90.9", {"GDIS"}), ("Z94.0", {"SPI"}),
        ("J18.9", set()), ("I10", set()), ("B25", set()), ("Z22", set()),
    ],
)  # fmt: skip
@pytest.mark.parametrize("system", [ICD10, VN, "urn:oid:icd10"])
def test_a_diagnosis_of_a_secret_category_is_known_by_its_code(code, system, expected):
    assert revealed(condition(code, system)) == revealed(condition(code.replace(".", ""), system)) == expected


def test_a_code_of_another_list_is_no_diagnosis():
    assert revealed(condition("F20", "http://hl7.org/fhir/sid/icd-10-pcs")) == set()
    assert revealed(condition("F20", "urn:vn:byt:ma-dich-vu")) == set()


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ({"resourceType": "Observation", "code": {"text": "HIV Ab test nhanh"}}, {"HIV"}),
        ({"resourceType": "MedicationRequest", "medicationCodeableConcept": {"text": "Tenofovir 300mg"}}, {"HIV"}),
        ({"resourceType": "MedicationRequest", "medicationCodeableConcept": {"text": "METHADONE 10mg/ml"}}, {"SUD"}),
        ({"resourceType": "Encounter", "reasonCode": [{"text": "Bị bạo lực gia đình"}]}, {"SDV"}),
        ({"resourceType": "Observation", "code": {"text": "Siêu âm: giới tính thai nhi"}}, {"SEX"}),
        ({"resourceType": "Procedure", "code": {"text": "Ghép thận"}}, {"SPI"}),
        ({"resourceType": "Observation", "code": {"text": "Ca"}, "component": [condition("Z21")]}, {"HIV"}),
        ({"resourceType": "Observation", "code": {"text": "Archive, hive, tâm thất"}}, set()),
        ({"resourceType": "Patient", "code": {"text": "HIV"}}, set()),
    ],
)
def test_words_reveal_as_codes_do(resource, expected):
    assert revealed(resource) == expected


def test_a_secret_diagnosis_labels_its_visit_and_the_narratives_and_what_cites_it():
    visit = {"reference": "urn:uuid:e"}
    made = {
        "c": condition("B20", encounter=visit),
        "d": condition("I10", encounter=visit),
        "e": {"resourceType": "Encounter"},
        "n": {"resourceType": "Composition", "encounter": visit},
        "o": {"resourceType": "Observation", "code": {"text": "Natri"}, "encounter": visit},
        "r": {"resourceType": "ServiceRequest", "reasonReference": [{"reference": "urn:uuid:c"}]},
        "p": {"resourceType": "Patient", "extension": [{"url": "x", "valueReference": {"reference": "urn:uuid:c"}}]},
    }
    label(bundle(**made))

    assert {name for name, resource in made.items() if is_restricted(resource)} == {"c", "e", "n", "r"}
    assert labels(made["e"]) == {"R", "HIV"}


def test_a_secret_test_labels_its_report_and_order_chain_but_not_the_visit():
    made = {
        "e": {"resourceType": "Encounter"},
        "o": {"resourceType": "Observation", "code": {"text": "HIV Ag/Ab"}, "encounter": {"reference": "urn:uuid:e"}},
        "t": {"resourceType": "DiagnosticReport", "result": [{"reference": "urn:uuid:o"}], "code": {"text": "Vi sinh"}},
    }
    label(bundle(**made))

    assert {name for name, resource in made.items() if is_restricted(resource)} == {"o", "t"}


def test_labels_of_the_sender_stay_and_are_not_doubled():
    resource = condition("B20", meta={"source": "x", "security": [{"system": "s", "code": "V"}]})
    for _ in range(2):
        mark(resource, revealed(resource))

    assert [row["code"] for row in resource["meta"]["security"]] == ["R", "V", "HIV"]
    assert resource["meta"]["source"] == "x"


def test_every_label_has_its_words():
    assert all(text.endswith("information sensitivity") for text in DISPLAYS.values())


def test_no_fixture_without_a_secret_is_labelled():
    for file in FIXTURES.glob("*/*/bundle.json"):
        text = file.read_text()
        if "HIV" not in text and '"F' not in text:
            whole = json.loads(text)
            label(whole)
            assert not [e["resource"] for e in whole.get("entry", ()) if is_restricted(e["resource"])], file
