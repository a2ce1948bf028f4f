"""What R4 demands in words: each demand kept and broken."""

from typing import Any

import pytest

from fhir_gateway.fhir.prose import faults
from fhir_gateway.fhir.prose.codes import is_loinc, is_snomed

PROPERTIES = "http://hl7.org/fhir/concept-properties#"


def found(resource: dict[str, Any]) -> list[str]:
    return [issue.where or "" for issue in faults(resource["resourceType"], resource)]


def coded(**coding: Any) -> dict[str, Any]:
    return {"resourceType": "Basic", "code": {"coding": [coding]}}


def identified(value: str) -> dict[str, Any]:
    return {"resourceType": "Basic", "identifier": [{"system": "urn:ietf:rfc:3986", "value": value}]}


def asking(question: str) -> dict[str, Any]:
    group = {"linkId": "group", "enableWhen": [{"question": question}], "item": [{"linkId": "inner"}]}
    return {"resourceType": "Questionnaire", "item": [{"linkId": "before"}, group]}


def system(**facts: Any) -> dict[str, Any]:
    return {"resourceType": "CodeSystem", "content": "complete", **facts}


def including(**facts: Any) -> dict[str, Any]:
    return {"resourceType": "ValueSet", "compose": {"include": [facts]}}


def profile(*elements: dict[str, Any], **facts: Any) -> dict[str, Any]:
    base = {
        "resourceType": "StructureDefinition",
        "type": "Observation",
        "kind": "resource",
        "derivation": "constraint",
    }
    return {**base, **facts, "differential": {"element": list(elements)}}


def one(path: str, **facts: Any) -> dict[str, Any]:
    return {"path": path, **facts}


SLICED = "Observation.category"


@pytest.mark.parametrize(
    ("good", "bad", "where"),
    [
        (
            {"resourceType": "Media", "content": {"data": "YWJj", "size": 3}},
            {"resourceType": "Media", "content": {"data": "YWJj", "size": 4}},
            "Media.content.size",
        ),
        (coded(system="http://a.vn", code="x"), coded(system="colours", code="x"), "Basic.code.coding[0].system"),
        (
            coded(system="http://a.vn", code="x"),
            coded(system="http://hl7.org/fhir/ValueSet/x", code="x"),
            "Basic.code.coding[0].system",
        ),
        (identified("urn:oid:2.16.840"), identified("2.16.840"), "Basic.identifier[0].value"),
        (
            {"resourceType": "Basic", "subject": {"reference": "http://a.vn/x"}},
            {"resourceType": "Basic", "subject": {"reference": "ht tp://a.vn/x"}},
            "Basic.subject.reference",
        ),
        (
            {"resourceType": "Patient", "name": [{"id": "a"}, {"id": "b"}]},
            {"resourceType": "Patient", "name": [{"id": "a"}, {"id": "a"}]},
            "Patient.name[1].id",
        ),
        (
            {"resourceType": "ValueSet", "status": "draft", "url": "urn:uuid:C757873D-ec9a-4326-a141-556f43239520"},
            {"resourceType": "ValueSet", "status": "draft", "url": "urn:uuid:c757873d-ec9a"},
            "ValueSet.url",
        ),
        (
            {"resourceType": "ValueSet", "status": "draft", "url": "urn:oid:1.2.3"},
            {"resourceType": "ValueSet", "status": "draft", "url": "urn:oid:x"},
            "ValueSet.url",
        ),
        (
            {"resourceType": "ValueSet", "status": "draft", "url": "http://a.vn/v"},
            {"resourceType": "ValueSet", "status": "draft", "url": "ValueSet/v"},
            "ValueSet.url",
        ),
        (asking("before"), asking("inner"), "Questionnaire.item[1].enableWhen[0].question"),
        (asking("before"), asking("group"), "Questionnaire.item[1].enableWhen[0].question"),
        (asking("before"), asking("nowhere"), "Questionnaire.item[1].enableWhen[0].question"),
        (
            system(concept=[{"code": "a"}]),
            system(content="not-present", concept=[{"code": "a"}]),
            "CodeSystem.concept",
        ),
        (
            system(content="supplement", supplements="http://a.vn/s"),
            system(supplements="http://a.vn/s"),
            "CodeSystem.content",
        ),
        (
            system(property=[{"code": "a", "type": "code"}, {"code": "b", "type": "code"}]),
            system(property=[{"code": "a", "type": "code"}, {"code": "a", "type": "code"}]),
            "CodeSystem.property[1].code",
        ),
        (
            system(property=[{"code": "a", "uri": f"{PROPERTIES}inactive", "type": "boolean"}]),
            system(property=[{"code": "a", "uri": f"{PROPERTIES}inactive", "type": "dateTime"}]),
            "CodeSystem.property[0].type",
        ),
        (including(system="http://a.vn/s"), including(system="#s"), "ValueSet.compose.include[0].system"),
        (
            including(system="http://a.vn/s", filter=[{"property": "inactive", "op": "=", "value": "true"}]),
            including(system="http://a.vn/s", filter=[{"property": "inactive", "op": "=", "value": "1"}]),
            "ValueSet.compose.include[0].filter[0].value",
        ),
        (
            including(system="http://snomed.info/sct", concept=[{"code": "73211009"}]),
            including(system="http://snomed.info/sct", concept=[{"code": "1"}]),
            "ValueSet.compose.include[0].concept[0].code",
        ),
        (
            {"resourceType": "SearchParameter", "type": "composite", "component": [{}, {}]},
            {"resourceType": "SearchParameter", "type": "composite", "component": [{}]},
            "SearchParameter.component",
        ),
        (profile(), profile(type="Boo"), "StructureDefinition.type"),
        (
            profile(type="http://a.vn/Boo", kind="logical"),
            profile(type="http://a.vn/Boo"),
            "StructureDefinition.type",
        ),
        (
            profile(
                derivation="specialization", type="http://a.vn/Boo", kind="logical", baseDefinition="http://a.vn/Foo"
            ),
            profile(
                derivation="specialization", type="http://a.vn/Boo", kind="logical", baseDefinition="http://a.vn/Boo"
            ),
            "StructureDefinition.baseDefinition",
        ),
        (
            profile(one("Observation.valueQuantity.code")),
            profile(one("Observation.valueBla")),
            "StructureDefinition.differential.element[0].path",
        ),
        (
            profile(one("Observation.component.code")),
            profile(one("Patient.name")),
            "StructureDefinition.differential.element[0].path",
        ),
        (
            profile(one("Observation.code", min=1)),
            profile(one("Observation.code", min=0)),
            "StructureDefinition.differential.element[0].min",
        ),
        (
            profile(one("Observation.code", max="1")),
            profile(one("Observation.code", max="*")),
            "StructureDefinition.differential.element[0].max",
        ),
        (
            profile(one(SLICED, slicing={"discriminator": [{"type": "value", "path": "coding.code"}]})),
            profile(one(SLICED, slicing={"discriminator": [{"type": "value", "path": "type"}]})),
            "StructureDefinition.differential.element[0].slicing.discriminator[0].path",
        ),
        (
            profile(one("Observation.valueQuantity", type=[{"code": "Quantity"}])),
            profile(
                one(
                    "Observation.valueQuantity",
                    type=[{"code": "Quantity", "profile": ["http://hl7.org/fhir/StructureDefinition/Count"]}],
                )
            ),
            "StructureDefinition.differential.element[0].type[0].profile",
        ),
        (
            {"resourceType": "Observation", "valueQuantity": {"system": "http://unitsofmeasure.org", "code": "mm[Hg]"}},
            {"resourceType": "Observation", "valueQuantity": {"system": "http://unitsofmeasure.org", "code": "mmHg"}},
            "Observation.valueQuantity.code",
        ),
        (
            coded(system="http://snomed.info/sct", code="73211009"),
            coded(system="http://snomed.info/sct", code="73211008"),
            "Basic.code.coding[0].code",
        ),
        (
            coded(system="http://loinc.org", code="8310-5"),
            coded(system="http://loinc.org", code="8310-6"),
            "Basic.code.coding[0].code",
        ),
    ],
)
def test_each_demand_is_kept_and_broken(good, bad, where):
    assert found(good) == []
    assert where in found(bad)


def test_what_lies_inside_is_asked_too_and_has_ids_of_its_own():
    inner = {"resourceType": "Basic", "id": "b", "code": {"id": "x", "coding": [{"system": "colours"}]}}
    outer = {"resourceType": "Basic", "code": {"id": "x"}, "contained": [inner]}
    assert found(outer) == ["Basic.contained[0].code.coding[0].system"]


@pytest.mark.parametrize("code", ["=73211009", "73211009 |Diabetes mellitus| : 363698007 = 113331007", "22298006"])
def test_expressions_of_snomed_are_codes(code):
    assert is_snomed(code)


@pytest.mark.parametrize("code", ["1", "276885007x", "73211009 : 1", "", "22928006", "12345678901234567890"])
def test_what_is_no_concept_of_snomed_is_told(code):
    assert not is_snomed(code)


@pytest.mark.parametrize(
    ("code", "said"), [("21176-3", True), ("21167-3", False), ("LA6576-8", True), ("glucose", False)]
)
def test_a_number_of_loinc_ends_with_its_check_digit(code, said):
    assert is_loinc(code) is said
