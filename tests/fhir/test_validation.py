"""The gate: every fault at once, each with its path."""

from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.fhir.codec import decode
from fhir_gateway.fhir.definitions import R4B_ONLY, resource_types
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.fhir.validation import ELEMENT_LIMIT, ISSUE_LIMIT, check, validate
from fhir_gateway.problem import Invalid

PATIENT: Resource = {
    "resourceType": "Patient",
    "id": "p",
    "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p>A</p></div>'},
    "identifier": [{"system": "urn:a", "value": "1", "period": {"start": "2020-01-01"}}],
    "name": [{"text": "NGUYỄN VĂN A", "family": "NGUYỄN", "given": ["VĂN", "A"]}],
    "gender": "male",
    "birthDate": "1980-02-29",
    "deceasedBoolean": False,
    "contact": [{"name": {"text": "B"}}],
    "generalPractitioner": [{"reference": "Practitioner/1"}],
}
OBSERVATION: Resource = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}]},
    "subject": {"reference": "Patient/p"},
    "effectiveDateTime": "2026-11-23T10:00:00+07:00",
    "valueQuantity": {"value": Decimal("7.20"), "unit": "mmol/L"},
}
CONDITION: Resource = {"resourceType": "Condition", "subject": {"reference": "Patient/p"}}
DOCUMENT: Resource = {"resourceType": "Binary", "contentType": "application/pdf", "data": "JVBERi0="}
BUNDLE: Resource = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [{"resource": PATIENT}, {"resource": OBSERVATION}],
}
APPOINTMENT: Resource = {
    "resourceType": "Appointment",
    "status": "proposed",
    "priority": 1,
    "minutesDuration": 15,
    "participant": [{"type": [{"text": "x"}], "status": "accepted"}],
}
GONE = object()


def altered(resource: Resource, path: str, value: Any) -> Resource:
    """A copy with the element at ``path`` (``name.0.given``) set, or removed by GONE."""
    copy = deepcopy(resource)
    target: Any = copy
    *steps, last = (int(step) if step.isdigit() else step for step in path.split("."))
    for step in steps:
        target = target[step]
    if value is GONE:
        del target[last]
    else:
        target[last] = value
    return copy


@pytest.mark.parametrize("resource", [PATIENT, OBSERVATION, CONDITION, DOCUMENT, BUNDLE, APPOINTMENT])
def test_right_resources_pass(resource: Resource) -> None:
    assert validate(resource) == ()
    check(resource)


WRONG: list[tuple[Resource, str, Any, str, str]] = [
    # elements
    (PATIENT, "nickname", "B", "Patient.nickname", "structure"),
    (PATIENT, "name.0.first", "B", "Patient.name[0].first", "structure"),
    (PATIENT, "fhir_comments", ["x"], "Patient.fhir_comments", "structure"),
    (PATIENT, "name.0.two words", "B", "Patient.name[0]", "structure"),
    # cardinalities
    (OBSERVATION, "status", GONE, "Observation.status", "required"),
    (OBSERVATION, "code", GONE, "Observation.code", "required"),
    (APPOINTMENT, "participant", GONE, "Appointment.participant", "required"),
    (PATIENT, "name", {"text": "A"}, "Patient.name", "structure"),
    (PATIENT, "gender", ["male"], "Patient.gender", "structure"),
    (PATIENT, "name", [], "Patient.name", "structure"),
    (PATIENT, "name", [{}], "Patient.name[0]", "structure"),
    (PATIENT, "contact", [{}], "Patient.contact[0]", "structure"),
    (PATIENT, "name", None, "Patient.name", "structure"),
    (PATIENT, "name", [None], "Patient.name[0]", "structure"),
    (PATIENT, "birthDate", None, "Patient.birthDate", "structure"),
    (PATIENT, "name", ["A"], "Patient.name[0]", "structure"),
    (PATIENT, "name.0.given", [None, "A"], "Patient.name[0].given[0]", "structure"),
    (PATIENT, "name.0", {"id": "a"}, "Patient.name[0]", "invariant"),
    # choices
    (PATIENT, "deceasedDateTime", "2020", "Patient.deceased", "structure"),
    (PATIENT, "_deceasedDateTime", {"id": "a"}, "Patient.deceased", "structure"),
    (OBSERVATION, "valueString", "x", "Observation.value", "structure"),
    (OBSERVATION, "valueMoney", {"value": 1}, "Observation.valueMoney", "structure"),
    # primitives
    (PATIENT, "id", "x" * 65, "Patient.id", "value"),
    (PATIENT, "id", "a_b", "Patient.id", "value"),
    (PATIENT, "active", "true", "Patient.active", "value"),
    (PATIENT, "active", 1, "Patient.active", "value"),
    (PATIENT, "birthDate", "1980-2-1", "Patient.birthDate", "value"),
    (PATIENT, "birthDate", "1981-02-29", "Patient.birthDate", "value"),
    (PATIENT, "birthDate", "1980-04-31", "Patient.birthDate", "value"),
    (PATIENT, "birthDate", "19800101", "Patient.birthDate", "value"),
    (PATIENT, "birthDate", "0000", "Patient.birthDate", "value"),
    (PATIENT, "birthDate", "1980-01-01T00:00:00Z", "Patient.birthDate", "value"),
    (PATIENT, "name.0.family", "", "Patient.name[0].family", "value"),
    (PATIENT, "name.0.family", "a\x00b", "Patient.name[0].family", "value"),
    (PATIENT, "name.0.family", 1, "Patient.name[0].family", "value"),
    (PATIENT, "identifier.0.system", "urn: a", "Patient.identifier[0].system", "value"),
    (OBSERVATION, "effectiveDateTime", "2026-11-23T10:00:00", "Observation.effectiveDateTime", "value"),
    (OBSERVATION, "effectiveDateTime", "2026-11-23T10:00Z", "Observation.effectiveDateTime", "value"),
    (OBSERVATION, "effectiveDateTime", "2026-11-23T24:00:00Z", "Observation.effectiveDateTime", "value"),
    (OBSERVATION, "issued", "2026-11-23", "Observation.issued", "value"),
    (OBSERVATION, "valueQuantity.value", "7.20", "Observation.valueQuantity.value", "value"),
    (OBSERVATION, "valueQuantity.code", " mmol", "Observation.valueQuantity.code", "value"),
    (APPOINTMENT, "priority", -1, "Appointment.priority", "value"),
    (APPOINTMENT, "priority", Decimal("1.0"), "Appointment.priority", "value"),
    (APPOINTMENT, "minutesDuration", 0, "Appointment.minutesDuration", "value"),
    (APPOINTMENT, "minutesDuration", 2**31, "Appointment.minutesDuration", "value"),
    (PATIENT, "name.0.family", "a" * (2**20 + 1), "Patient.name[0].family", "value"),
    (PATIENT, "text.div", "a" * (2**20 + 1), "Patient.text.div", "value"),
    (DOCUMENT, "data", "###", "Binary.data", "value"),
    (DOCUMENT, "data", "JVBERi0", "Binary.data", "value"),
    # required bindings
    (PATIENT, "gender", "malee", "Patient.gender", "code-invalid"),
    (OBSERVATION, "status", "done", "Observation.status", "code-invalid"),
    (CONDITION, "clinicalStatus", {"text": "active"}, "Condition.clinicalStatus", "code-invalid"),
    (CONDITION, "clinicalStatus", {"coding": [{"code": "active"}]}, "Condition.clinicalStatus", "code-invalid"),
    # references
    (OBSERVATION, "subject.reference", "Practitioner/1", "Observation.subject", "structure"),
    (OBSERVATION, "subject.reference", "https://a.vn/fhir/Encounter/1", "Observation.subject", "structure"),
    (OBSERVATION, "subject", {"type": "Encounter", "display": "x"}, "Observation.subject", "structure"),
    (OBSERVATION, "subject.reference", "Foo/1", "Observation.subject.reference", "value"),
    (OBSERVATION, "subject.reference", "p", "Observation.subject.reference", "value"),
    (OBSERVATION, "subject.reference", "#p", "Observation.subject.reference", "invariant"),
    (OBSERVATION, "performer", [{"reference": "Patient/1"}, {"reference": "Device/1"}], "Observation.performer[1]",
     "structure"),
    (OBSERVATION, "subject", {"type": "Patient"}, "Observation.subject", "required"),
    # rules
    (PATIENT, "contact.0", {"gender": "male"}, "Patient.contact[0]", "invariant"),
    (PATIENT, "identifier.0.period.end", "2019", "Patient.identifier[0].period", "invariant"),
    (PATIENT, "text.div", "<div>A</div>", "Patient.text.div", "invariant"),
    (PATIENT, "extension", [{"url": "urn:x"}], "Patient.extension[0]", "invariant"),
    # resources inside
    (BUNDLE, "entry.1.resource.status", GONE, "Bundle.entry[1].resource.status", "required"),
    (BUNDLE, "entry.0.resource.name.0.given", "A", "Bundle.entry[0].resource.name[0].given", "structure"),
    (BUNDLE, "entry.0.resource.resourceType", "Foo", "Bundle.entry[0].resource", "not-supported"),
    (BUNDLE, "entry.0.resource", {"id": "a"}, "Bundle.entry[0].resource.resourceType", "required"),
    (BUNDLE, "entry.0.resource", [], "Bundle.entry[0].resource", "structure"),
    (BUNDLE, "type", GONE, "Bundle.type", "required"),
    (PATIENT, "contained", [{"resourceType": "Foo"}], "Patient.contained[0]", "not-supported"),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "path", "value", "where", "code"), WRONG)
def test_a_fault_is_found_at_its_path(resource: Resource, path: str, value: Any, where: str, code: str) -> None:
    assert (where, code) in [(issue.where, issue.code) for issue in validate(altered(resource, path, value))]


@pytest.mark.parametrize(
    ("resource", "path", "value"),
    [
        (PATIENT, "birthDate", "1980"),
        (PATIENT, "birthDate", "1980-02"),
        (PATIENT, "birthDate", "2000-02-29"),
        (PATIENT, "_birthDate", {"extension": [{"url": "urn:x", "valueString": "khoảng"}]}),
        (PATIENT, "_gender", {"id": "a"}),
        (PATIENT, "name.0._given", [None, {"extension": [{"url": "urn:x", "valueCode": "a"}]}]),
        (OBSERVATION, "effectiveDateTime", "2026-11-23T10:00:00.123456789Z"),
        (OBSERVATION, "effectiveDateTime", "2016-12-31T23:59:60Z"),
        (OBSERVATION, "valueQuantity.value", 7),
        (OBSERVATION, "valueQuantity.value", decode(b"1e5")),
        (OBSERVATION, "subject.reference", "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"),
        (OBSERVATION, "subject", {"identifier": {"value": "1"}}),
        (DOCUMENT, "data", "JVBE\r\nRi0=\n"),
    ],
)
def test_what_the_standard_allows_passes(resource: Resource, path: str, value: Any) -> None:
    assert validate(altered(resource, path, value)) == ()


def test_a_required_primitive_may_have_an_extension_instead_of_a_value() -> None:
    absent = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
    unknown = {"extension": [{"url": absent, "valueCode": "unknown"}]}
    assert validate(altered(altered(OBSERVATION, "status", GONE), "_status", unknown)) == ()


def test_a_null_stands_where_only_the_extension_speaks() -> None:
    name = {"given": [None, "A"], "_given": [{"extension": [{"url": "urn:x", "valueCode": "a"}]}, None]}
    assert validate(altered(PATIENT, "name.0", name)) == ()
    for wrong in ({"given": ["A"], "_given": [None, None, {"id": "x"}]}, {"_given": [None, {"id": "x"}]}):
        places = {issue.where for issue in validate(altered(PATIENT, "name.0", wrong))}
        assert places & {"Patient.name[0].given[0]", "Patient.name[0].given[1]"}, wrong


def test_a_link_inside_a_bundle_must_meet_a_fitting_type() -> None:
    urn = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"
    bundle = altered(altered(BUNDLE, "entry.0.fullUrl", urn), "entry.1.resource.encounter", {"reference": urn})
    assert [issue.where for issue in validate(bundle)] == ["Bundle.entry[1].resource.encounter"]


def test_all_faults_are_told_at_once() -> None:
    wrong = {
        "resourceType": "Observation",
        "status": "done",
        "subject": {"reference": "Encounter/1"},
        "effectivePeriod": {"start": "2021", "end": "2020"},
        "foo": 1,
        "component": [{"valueString": ""}],
    }
    assert {issue.where for issue in validate(wrong)} == {
        "Observation.status",
        "Observation.code",
        "Observation.subject",
        "Observation.effectivePeriod",
        "Observation.foo",
        "Observation.component[0].code",
        "Observation.component[0].valueString",
    }


def test_a_refusal_carries_every_issue() -> None:
    with pytest.raises(Invalid) as caught:
        check({"resourceType": "Observation"})
    assert len(caught.value.issues) == 2
    assert caught.value.text == "status is required and 1 more"


def test_words_never_repeat_what_the_record_says() -> None:
    secret = "NGUYỄN BÍ MẬT"
    wrong = altered(altered(PATIENT, "birthDate", secret), "name.0.given", secret)
    wrong[secret] = secret
    wrong["gender"] = secret
    assert secret not in repr(validate(wrong))
    assert len(validate(wrong)) == 4


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("birthDate", "x", "is not a valid date: YYYY, YYYY-MM or YYYY-MM-DD of a day that exists"),
        ("active", "true", "is not a valid boolean: true or false, without quotes"),
        (
            "gender",
            "x",
            "is not a code of http://hl7.org/fhir/ValueSet/administrative-gender: female, male, other, unknown",
        ),
        ("nickname", "x", "Patient has no element nickname"),
        ("contact.0.age", 1, "Patient.contact has no element age"),
        ("name", [], "an empty list is not allowed"),
        ("name", {}, "must be a list"),
        ("gender", ["male"], "must be a single value, not a list"),
        ("name", [1], "must be an object (HumanName)"),
        ("name", [{}], "an object without members is not allowed"),
        ("birthDate", None, "null is not allowed"),
        ("generalPractitioner.0.reference", "Patient/1",
         "refers to Patient; allowed: Organization, Practitioner, PractitionerRole"),
        ("deceasedDateTime", "2020", "only one of deceasedBoolean, deceasedDateTime may be present"),
    ],
)  # fmt: skip
def test_a_fault_is_told_in_words_for_people(path: str, value: Any, text: str) -> None:
    assert next(issue.text for issue in validate(altered(PATIENT, path, value))) == text


@pytest.mark.parametrize("name", sorted(R4B_ONLY))
def test_types_that_only_r4b_has_are_refused(name: str) -> None:
    assert [issue.text for issue in validate({"resourceType": name})] == [f"{name} exists in R4B, not in R4"]


@pytest.mark.parametrize("value", [None, [], "x", 1, {}, {"resourceType": 1}, {"resourceType": "Foo"}])
def test_what_is_no_resource_is_refused(value: Any) -> None:
    assert len(validate(value)) == 1


def test_every_type_of_r4_has_rules() -> None:
    assert len(resource_types()) == 146
    for name in resource_types():
        assert {issue.code for issue in validate({"resourceType": name, "nothing": 1})} >= {"structure"}


def test_depth_is_refused_before_it_hurts() -> None:
    nested: Any = []
    for _ in range(30_000):
        nested = [nested]
    assert "deeper" in validate({"resourceType": "Patient", "extension": nested})[0].text
    while nested:  # freed level by level: Python's own destructor is kind, this is kinder
        nested = nested[0]


def test_a_huge_wrong_document_is_answered_with_a_bounded_list() -> None:
    wrong = {"resourceType": "Patient", "name": [{"first": 1, "given": []} for _ in range(20_000)]}
    assert len(validate(wrong)) == ISSUE_LIMIT


def test_a_fault_far_down_a_huge_resource_is_still_refused() -> None:
    names = [{"text": "A"} for _ in range(ELEMENT_LIMIT)]
    assert validate({"resourceType": "Patient", "name": names}) == ()
    issues = validate({"resourceType": "Patient", "name": [*names, {"first": 1}]})
    assert [(issue.where, issue.text) for issue in issues] == [("Patient", "is wrong beyond its first 20000 values")]


_junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["#", "Patient/1", "2020"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["resourceType", "id", "extension", "reference", "coding", "value", "url", "div", "meta"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.sampled_from(["name", "text", "contained", "meta", "link", "contact", "_name"]), _junk))
def test_no_junk_does_worse_than_issues(elements: dict[str, Any]) -> None:
    for issue in validate({"resourceType": "Patient", **elements}):
        assert issue.where is None or issue.where.startswith("Patient")


def test_the_id_of_a_resource_has_no_extensions() -> None:
    half = {"extension": [{"url": "http://x/e", "valueString": "x"}]}

    assert validate({"resourceType": "Patient", "id": "a", "_id": half})
    assert validate({"resourceType": "Patient", "name": [{"id": "a", "text": "A"}]}) == ()


def test_an_id_alone_makes_no_primitive_either() -> None:
    for resource in ({"_implicitRules": {"id": "a"}}, {"name": [{"_family": {"id": "a"}}]}):
        assert [issue.code for issue in validate({"resourceType": "Patient", **resource})] == ["invariant"]
    assert validate({"resourceType": "Patient", "birthDate": "2000", "_birthDate": {"id": "a"}}) == ()
