"""Rules about people, places and what was found, given and planned.

https://hl7.org/fhir/R4/resourcelist.html
"""

from fhir_gateway.fhir.invariants.rule import Element, Rule, chosen, coded, has, listed, ordered

_ALLERGY = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_ERROR = "entered-in-error"


def _allergy_in_error(allergy: Element) -> bool:
    return coded(allergy, "verificationStatus", _ALLERGY, _ERROR)


def _abated(condition: Element) -> bool:
    ended = coded(condition, "clinicalStatus", _CLINICAL, "resolved", "remission", "inactive")
    return chosen(condition, "abatement") is None or ended


def _in_error_has_no_status(condition: Element) -> bool:
    return not (coded(condition, "verificationStatus", _VERIFICATION, _ERROR) and has(condition, "clinicalStatus"))


def _codings(element: Element) -> set[tuple[str, str]]:
    return {(coding.get("system", ""), coding.get("code", "")) for coding in listed(element.get("code", {}), "coding")}


def _component_repeats(observation: Element) -> bool:
    if chosen(observation, "value") is None:
        return True
    own = _codings(observation)
    return not any(own & _codings(component) for component in listed(observation, "component"))


def _no_home(name: str) -> Rule:
    key = {"telecom": "org-3", "address": "org-2"}[name]
    text = f"an organization's {name} is never of use home"
    return Rule(key, text, lambda o: all(item.get("use") != "home" for item in listed(o, name)))


def _prediction(prediction: Element) -> bool:
    return bool(prediction.get("probabilityDecimal", 0) <= 100)


RULES: dict[str, tuple[Rule, ...]] = {
    "AllergyIntolerance": (
        Rule(
            "ait-1",
            "clinicalStatus is required unless entered in error",
            lambda a: _allergy_in_error(a) or has(a, "clinicalStatus"),
        ),
        Rule(
            "ait-2",
            "clinicalStatus is not allowed when entered in error",
            lambda a: not (_allergy_in_error(a) and has(a, "clinicalStatus")),
        ),
    ),
    "CarePlan.activity": (
        Rule("cpl-3", "either detail or reference", lambda a: not (has(a, "detail") and has(a, "reference"))),
    ),
    "Condition": (
        Rule("con-4", "abated, so clinicalStatus must be inactive, remission or resolved", _abated),
        Rule("con-5", "clinicalStatus is not allowed when entered in error", _in_error_has_no_status),
    ),
    "Condition.evidence": (Rule("con-2", "code or detail is required", lambda e: has(e, "code", "detail")),),
    "Condition.stage": (Rule("con-1", "summary or assessment is required", lambda s: has(s, "summary", "assessment")),),
    "FamilyMemberHistory": (
        Rule("fhs-1", "either age or born", lambda f: chosen(f, "age") is None or chosen(f, "born") is None),
        Rule("fhs-2", "estimatedAge needs age", lambda f: not has(f, "estimatedAge") or chosen(f, "age") is not None),
    ),
    "Goal.target": (
        Rule("gol-1", "a detail needs its measure", lambda t: chosen(t, "detail") is None or has(t, "measure")),
    ),
    "Group": (
        Rule("grp-1", "only an actual group has members", lambda g: not has(g, "member") or g.get("actual") is True),
    ),
    "Immunization.education": (
        Rule("imm-1", "documentType or reference is required", lambda e: has(e, "documentType", "reference")),
    ),
    "ImmunizationRecommendation.recommendation": (
        Rule("imr-1", "vaccineCode or targetDisease is required", lambda r: has(r, "vaccineCode", "targetDisease")),
    ),
    "MedicationAdministration.dosage": (
        Rule("mad-1", "dose or rate is required", lambda d: has(d, "dose") or chosen(d, "rate") is not None),
    ),
    "MedicationDispense": (
        Rule(
            "mdd-1",
            "handed over before it was prepared",
            lambda d: ordered(d.get("whenPrepared"), d.get("whenHandedOver")),
        ),
    ),
    "Observation": (
        Rule(
            "obs-6",
            "dataAbsentReason excludes a value",
            lambda o: not has(o, "dataAbsentReason") or chosen(o, "value") is None,
        ),
        Rule("obs-7", "the value belongs either to the observation or to a component of its code", _component_repeats),
    ),
    "Observation.referenceRange": (
        Rule("obs-3", "low, high or text is required", lambda r: has(r, "low", "high", "text")),
    ),
    "Organization": (
        Rule("org-1", "a name or an identifier is required", lambda o: has(o, "name", "identifier")),
        _no_home("address"),
        _no_home("telecom"),
    ),
    "Patient.contact": (
        Rule(
            "pat-1",
            "name, telecom, address or organization is required",
            lambda c: has(c, "name", "telecom", "address", "organization"),
        ),
    ),
    "QuestionnaireResponse.item": (
        Rule("qrs-1", "either answer or item", lambda i: not (has(i, "answer") and has(i, "item"))),
    ),
    "RiskAssessment.prediction": (Rule("ras-2", "a probability is at most 100", _prediction),),
}
