"""Each rule of the standard that the gate knows, broken once and kept once."""

from decimal import Decimal
from typing import Any

import pytest

from fhir_gateway.fhir.invariants import RULES, broken_rules
from fhir_gateway.fhir.invariants.rule import UCUM, amounts_ordered, is_choice, ordered

Element = dict[str, Any]

V = "http://terminology.hl7.org/CodeSystem/"
IN_ERROR = {"coding": [{"system": f"{V}condition-ver-status", "code": "entered-in-error"}]}
ALLERGY_IN_ERROR = {"coding": [{"system": f"{V}allergyintolerance-verification", "code": "entered-in-error"}]}
ACTIVE = {"coding": [{"system": f"{V}condition-clinical", "code": "active"}]}
RESOLVED = {"coding": [{"system": f"{V}condition-clinical", "code": "resolved"}]}
X: Element = {"text": "x"}
CODE: Element = {"coding": [{"system": "urn:a", "code": "1"}]}
OTHER: Element = {"coding": [{"system": "urn:a", "code": "2"}]}
DOCUMENT: Element = {
    "type": "document",
    "identifier": {"system": "urn:a", "value": "1"},
    "timestamp": "2026-11-23T10:00:00Z",
    "entry": [{"resource": {"resourceType": "Composition"}}],
}
REQUEST: Element = {"request": {"method": "GET", "url": "Patient"}}
RESPONSE: Element = {"response": {"status": "200"}}
MISCALLED: Element = {"fullUrl": "http://a.vn/Patient/1", "resource": {"resourceType": "Patient", "id": "2"}}

CASES: list[tuple[str, str, Element, Element]] = [
    # class, rule, broken, kept
    ("Age", "age-1", {"value": -1, "system": UCUM, "code": "a"}, {"value": 1, "system": UCUM, "code": "a"}),
    ("Age", "qty-3", {"code": "a"}, {"code": "a", "system": UCUM}),
    ("AllergyIntolerance", "ait-1", {}, {"clinicalStatus": ACTIVE}),
    ("AllergyIntolerance", "ait-2", {"verificationStatus": ALLERGY_IN_ERROR, "clinicalStatus": ACTIVE},
     {"verificationStatus": ALLERGY_IN_ERROR}),
    ("Appointment", "app-2", {"status": "proposed", "start": "2026"}, {"status": "proposed"}),
    ("Appointment", "app-3", {"status": "booked"}, {"status": "booked", "start": "2026", "end": "2026"}),
    ("Appointment", "app-4", {"status": "proposed", "cancelationReason": X},
     {"status": "cancelled", "cancelationReason": X}),
    ("Appointment.participant", "app-1", {"status": "accepted"}, {"actor": {}}),
    ("AppointmentResponse", "apr-1", {}, {"actor": {}}),
    ("Attachment", "att-1", {"data": "AA=="}, {"data": "AA==", "contentType": "text/plain"}),
    ("AuditEvent.entity", "sev-1", {"name": "a", "query": "AA=="}, {"name": "a"}),
    ("Bundle", "bdl-1", {"type": "collection", "total": 1}, {"type": "searchset", "total": 1}),
    ("Bundle", "bdl-2", {"type": "collection", "entry": [{"search": {}}]},
     {"type": "searchset", "entry": [{"search": {}}]}),
    ("Bundle", "bdl-3", {"type": "batch", "entry": [REQUEST, {}]}, {"type": "batch", "entry": [REQUEST, REQUEST]}),
    ("Bundle", "bdl-3", {"type": "collection", "entry": [REQUEST]}, {"type": "collection", "entry": [{}]}),
    ("Bundle", "bdl-4", {"type": "batch-response", "entry": [{}]},
     {"type": "batch-response", "entry": [RESPONSE]}),
    ("Bundle", "bdl-7", {"type": "collection", "entry": [{"fullUrl": "urn:a"}, {"fullUrl": "urn:a"}]},
     {"type": "collection", "entry": [{"fullUrl": "urn:a", "resource": {"meta": {"versionId": "1"}}},
                                      {"fullUrl": "urn:a", "resource": {"meta": {"versionId": "2"}}}]}),
    ("Bundle", "bdl-9", DOCUMENT | {"identifier": {"value": "1"}}, DOCUMENT),
    ("Bundle", "bdl-10", {name: item for name, item in DOCUMENT.items() if name != "timestamp"}, DOCUMENT),
    ("Bundle", "bdl-11", DOCUMENT | {"entry": [{"resource": {"resourceType": "Patient"}}]}, DOCUMENT),
    ("Bundle", "bdl-12", {"type": "message", "entry": []},
     {"type": "message", "entry": [{"resource": {"resourceType": "MessageHeader"}}]}),
    ("Bundle.entry", "bdl-5", {"fullUrl": "urn:a"}, {"resource": {}}),
    ("Bundle.entry", "bdl-8", {"fullUrl": "http://a.vn/Patient/1/_history/2", "resource": {}},
     {"fullUrl": "http://a.vn/Patient/1", "resource": {}}),
    ("Bundle", "Bundle.entry.fullUrl", {"type": "collection", "entry": [MISCALLED]},
     {"type": "batch", "entry": [MISCALLED | REQUEST]}),
    ("Bundle", "Bundle.entry.fullUrl", {"type": "collection", "entry": [MISCALLED | {"fullUrl": "http://a.vn/Group/2"}]},
     {"type": "message", "entry": [{"resource": {"resourceType": "MessageHeader"}}, MISCALLED]}),
    ("CarePlan.activity", "cpl-3", {"detail": {}, "reference": {}}, {"detail": {}}),
    ("CodeSystem", "csd-1", {"concept": [{"code": "a", "concept": [{"code": "a"}]}]}, {"concept": [{"code": "a"}]}),
    ("Composition.section", "cmp-1", {"title": "x"}, {"text": X}),
    ("Composition.section", "cmp-2", {"emptyReason": X, "entry": [{}]}, {"emptyReason": X, "text": X}),
    ("Condition", "con-4", {"abatementString": "x", "clinicalStatus": ACTIVE},
     {"abatementString": "x", "clinicalStatus": RESOLVED}),
    ("Condition", "con-5", {"verificationStatus": IN_ERROR, "clinicalStatus": ACTIVE},
     {"verificationStatus": IN_ERROR}),
    ("Condition.evidence", "con-2", {"id": "a"}, {"code": [X]}),
    ("Condition.stage", "con-1", {"type": X}, {"summary": X}),
    ("Consent", "ppc-1", {"status": "active"}, {"policyRule": X}),
    ("ContactPoint", "cpt-2", {"value": "091"}, {"value": "091", "system": "phone"}),
    ("Count", "cnt-3", {"value": Decimal("1.5"), "system": UCUM, "code": "1"},
     {"value": 2, "system": UCUM, "code": "1"}),
    ("Count", "qty-3", {"code": "1"}, {"code": "1", "system": UCUM}),
    ("CoverageEligibilityResponse.insurance.item", "ces-1", {"category": X, "productOrService": X},
     {"category": X}),
    ("DataRequirement.codeFilter", "drq-1", {"path": "a", "searchParam": "b"}, {"path": "a"}),
    ("DataRequirement.dateFilter", "drq-2", {}, {"searchParam": "b"}),
    ("Distance", "dis-1", {"value": 1}, {"value": 1, "code": "m", "system": UCUM}),
    ("Distance", "qty-3", {"code": "m"}, {"code": "m", "system": UCUM}),
    ("Duration", "drt-1", {"code": "h", "system": UCUM}, {"code": "h", "system": UCUM, "value": 1}),
    ("Duration", "qty-3", {"code": "h"}, {"code": "h", "system": UCUM, "value": 1}),
    ("Expression", "exp-1", {"language": "text/cql"}, {"expression": "x"}),
    ("Extension", "ext-1", {"url": "urn:a"}, {"url": "urn:a", "valueString": "x"}),
    ("Extension", "ext-1", {"url": "urn:a", "extension": [{}], "valueString": "x"},
     {"url": "urn:a", "extension": [{}]}),
    ("FamilyMemberHistory", "fhs-1", {"ageString": "x", "bornString": "y"}, {"ageString": "x"}),
    ("FamilyMemberHistory", "fhs-2", {"estimatedAge": True}, {"estimatedAge": True, "ageString": "x"}),
    ("Goal.target", "gol-1", {"detailString": "x"}, {"detailString": "x", "measure": X}),
    ("Group", "grp-1", {"actual": False, "member": [{}]}, {"actual": True, "member": [{}]}),
    ("Immunization.education", "imm-1", {"publicationDate": "2020"}, {"documentType": "x"}),
    ("ImmunizationRecommendation.recommendation", "imr-1", {"forecastStatus": X}, {"vaccineCode": [X]}),
    ("InsurancePlan", "ipn-1", {"status": "active"}, {"name": "x"}),
    ("Linkage", "lnk-1", {"item": [{}]}, {"item": [{}, {}]}),
    ("List", "lst-1", {"emptyReason": X, "entry": [{}]}, {"emptyReason": X}),
    ("List", "lst-2", {"mode": "working", "entry": [{"deleted": True}]},
     {"mode": "changes", "entry": [{"deleted": True}]}),
    ("List", "lst-3", {"mode": "changes", "entry": [{"date": "2020"}]},
     {"mode": "working", "entry": [{"date": "2020"}]}),
    ("MeasureReport", "mrp-1", {"type": "data-collection", "group": [{}]}, {"type": "summary", "group": [{}]}),
    ("MedicationAdministration.dosage", "mad-1", {"text": "x"}, {"rateQuantity": {"value": 1}}),
    ("MedicationDispense", "mdd-1", {"whenPrepared": "2020-02-02", "whenHandedOver": "2020-02-01"},
     {"whenPrepared": "2020-02-01", "whenHandedOver": "2020-02-02"}),
    ("Observation", "obs-6", {"dataAbsentReason": X, "valueString": "x"}, {"valueString": "x"}),
    ("Observation", "obs-7", {"code": CODE, "valueString": "x", "component": [{"code": CODE}]},
     {"code": CODE, "valueString": "x", "component": [{"code": OTHER}]}),
    ("Observation.referenceRange", "obs-3", {"type": X}, {"text": "3.5 - 5"}),
    ("Organization", "org-1", {"active": True}, {"name": "x"}),
    ("Organization", "org-2", {"name": "x", "address": [{"use": "home"}]},
     {"name": "x", "address": [{"use": "work"}]}),
    ("Organization", "org-3", {"name": "x", "telecom": [{"use": "home"}]},
     {"name": "x", "telecom": [{"use": "work"}]}),
    ("Parameters.parameter", "inv-1", {"name": "a"}, {"name": "a", "valueString": "x"}),
    ("Parameters.parameter", "inv-1", {"name": "a", "part": [{}], "resource": {}}, {"name": "a", "part": [{}]}),
    ("Patient.contact", "pat-1", {"gender": "male"}, {"name": X}),
    ("Period", "per-1", {"start": "2020-02", "end": "2020-01"}, {"start": "2020-02", "end": "2020"}),
    ("Quantity", "qty-3", {"code": "mmol/L"}, {"code": "mmol/L", "system": UCUM}),
    ("Questionnaire", "que-2", {"item": [{"linkId": "1"}, {"linkId": "2", "item": [{"linkId": "1"}]}]},
     {"item": [{"linkId": "1"}, {"linkId": "2"}]}),
    ("Questionnaire.item", "que-1", {"type": "group"}, {"type": "group", "item": [{}]}),
    ("Questionnaire.item", "que-3", {"type": "display", "code": [{}]}, {"type": "display"}),
    ("Questionnaire.item", "que-4", {"type": "choice", "answerOption": [{}], "answerValueSet": "urn:a"},
     {"type": "choice", "answerOption": [{}]}),
    ("Questionnaire.item", "que-5", {"type": "boolean", "answerOption": [{}]},
     {"type": "choice", "answerOption": [{}]}),
    ("Questionnaire.item", "que-6", {"type": "display", "required": True}, {"type": "text", "required": True}),
    ("Questionnaire.item", "que-8", {"type": "group", "item": [{}], "initial": [{}]},
     {"type": "text", "initial": [{}]}),
    ("Questionnaire.item", "que-9", {"type": "display", "readOnly": True}, {"type": "text", "readOnly": True}),
    ("Questionnaire.item", "que-10", {"type": "date", "maxLength": 1}, {"type": "text", "maxLength": 1}),
    ("Questionnaire.item", "que-11", {"type": "choice", "answerOption": [{}], "initial": [{}]},
     {"type": "choice", "answerOption": [{}]}),
    ("Questionnaire.item", "que-12", {"type": "text", "enableWhen": [{}, {}, {}]},
     {"type": "text", "enableWhen": [{}, {}, {}], "enableBehavior": "any"}),
    ("Questionnaire.item", "que-13", {"type": "text", "initial": [{}, {}]},
     {"type": "text", "initial": [{}, {}], "repeats": True}),
    ("Questionnaire.item.enableWhen", "que-7", {"operator": "exists", "answerString": "x"},
     {"operator": "exists", "answerBoolean": True}),
    ("QuestionnaireResponse.item", "qrs-1", {"answer": [{}], "item": [{}]}, {"answer": [{}]}),
    ("Range", "rng-2", {"low": {"value": 2}, "high": {"value": 1}}, {"low": {"value": 1}, "high": {"value": 2}}),
    ("Ratio", "rat-1", {"numerator": {}}, {"numerator": {}, "denominator": {}}),
    ("RequestGroup.action", "rqg-1", {"title": "x"}, {"resource": {}}),
    ("RiskAssessment.prediction", "ras-2", {"probabilityDecimal": Decimal("100.1")},
     {"probabilityDecimal": Decimal("0.9")}),
    ("ServiceRequest", "prr-1", {"orderDetail": [X]}, {"orderDetail": [X], "code": X}),
    ("Task", "inv-1", {"authoredOn": "2020-02-02", "lastModified": "2020-02-01"}, {"authoredOn": "2020-02-02"}),
    ("Timing.repeat", "tim-1", {"duration": 1}, {"duration": 1, "durationUnit": "h"}),
    ("Timing.repeat", "tim-2", {"period": 1}, {"period": 1, "periodUnit": "h"}),
    ("Timing.repeat", "tim-4", {"duration": -1, "durationUnit": "h"}, {"duration": 0, "durationUnit": "h"}),
    ("Timing.repeat", "tim-5", {"period": -1, "periodUnit": "h"}, {"period": 0, "periodUnit": "h"}),
    ("Timing.repeat", "tim-6", {"periodMax": 1}, {"period": 1, "periodUnit": "h", "periodMax": 1}),
    ("Timing.repeat", "tim-7", {"durationMax": 1}, {"duration": 1, "durationUnit": "h", "durationMax": 1}),
    ("Timing.repeat", "tim-8", {"countMax": 1}, {"count": 1, "countMax": 1}),
    ("Timing.repeat", "tim-9", {"offset": 1, "when": ["CM"]}, {"offset": 1, "when": ["ACM"]}),
    ("Timing.repeat", "tim-10", {"timeOfDay": ["08:00:00"], "when": ["CM"]}, {"timeOfDay": ["08:00:00"]}),
    ("TriggerDefinition", "trd-1", {"data": [{}], "timingDate": "2020"}, {"data": [{}]}),
    ("TriggerDefinition", "trd-2", {"condition": {}}, {"condition": {}, "data": [{}]}),
    ("ValueSet.compose.include", "vsd-1", {"version": "1"}, {"system": "urn:a"}),
    ("ValueSet.compose.include", "vsd-2", {"concept": [{}], "valueSet": ["urn:a"]},
     {"concept": [{}], "system": "urn:a"}),
    ("ValueSet.compose.include", "vsd-3", {"system": "urn:a", "concept": [{}], "filter": [{}]},
     {"system": "urn:a", "concept": [{}]}),
    ("ValueSet.expansion.contains", "vsd-6", {"abstract": True}, {"abstract": True, "display": "x"}),
    ("ValueSet.expansion.contains", "vsd-9", {"display": "x"}, {"display": "x", "abstract": True}),
    ("ValueSet.expansion.contains", "vsd-10", {"code": "x"}, {"code": "x", "system": "urn:a"}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "key", "broken", "kept"), CASES)
def test_a_rule_sees_what_breaks_it_and_nothing_else(kind: str, key: str, broken: Element, kept: Element) -> None:
    assert key in [rule.key for rule in broken_rules(kind, broken)]
    assert broken_rules(kind, kept) == []


def test_every_rule_has_a_case() -> None:
    known = {(kind, rule.key) for kind, rules in RULES.items() for rule in rules}
    assert {(kind, key) for kind, key, _, _ in CASES} == known


@pytest.mark.parametrize(
    ("first", "second", "holds"),
    [
        ("2020", "2020-05-01", True),
        ("2020-05-02", "2020-05", True),
        ("2020-05-02", "2020-05-01", False),
        ("2020-05-01T10:00:00+07:00", "2020-05-01T03:00:00Z", True),
        ("2020-05-01T10:00:01+07:00", "2020-05-01T03:00:00Z", False),
        ("2020-05-01T23:00:00+07:00", "2020-05-01", True),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z", True),
        ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.123456789-12:00", True),
        (None, "2020", True),
        ("2020", None, True),
    ],
)
def test_moments_are_ordered_as_far_as_they_are_known(first: str | None, second: str | None, holds: bool) -> None:
    assert ordered(first, second) is holds


def test_amounts_of_different_units_are_not_compared() -> None:
    assert amounts_ordered({"value": 2, "unit": "g"}, {"value": 1, "unit": "kg"})
    assert not amounts_ordered({"value": 2, "unit": "g"}, {"value": 1, "unit": "g"})


def test_a_choice_is_told_from_a_longer_name() -> None:
    assert is_choice("valueString", "value")
    assert is_choice("_valueString", "value")
    assert not is_choice("valueset", "value")
    assert not is_choice("value", "value")
