"""OperationOutcome of problems and of success."""

from fhir_gateway.fhir.outcome import of_issues, outcome, success
from fhir_gateway.fhir.validation import validate
from fhir_gateway.problem import Invalid, Issue, NotFound


def test_a_problem_becomes_one_issue_with_its_code_and_place() -> None:
    assert outcome(NotFound("no such patient", "Patient/1")) == {
        "resourceType": "OperationOutcome",
        "issue": [
            {"severity": "error", "code": "not-found", "diagnostics": "no such patient", "expression": ["Patient/1"]}
        ],
    }


def test_several_issues_stay_several() -> None:
    problem = Invalid("two faults", None, (Issue("a", "Patient.a", "required"), Issue("b")))
    assert [issue["code"] for issue in outcome(problem)["issue"]] == ["required", "invalid"]


def test_outcomes_are_valid_resources() -> None:
    for made in (outcome(NotFound("x")), success("stored", "Patient/1"), of_issues(())):
        assert validate(made) == ()
