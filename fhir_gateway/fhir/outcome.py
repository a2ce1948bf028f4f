"""OperationOutcome: what went wrong or well, and where.

https://hl7.org/fhir/R4/operationoutcome.html
"""

from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import Issue, Problem


def outcome(problem: Problem) -> Resource:
    """The OperationOutcome that answers a Problem."""
    return of_issues(problem.issues)


def success(text: str, where: str | None = None) -> Resource:
    return of_issues((Issue(text, where, code="informational", severity="information"),))


def of_issues(issues: tuple[Issue, ...]) -> Resource:
    """One OperationOutcome of all issues; without any it says that all is well."""
    listed = issues or (Issue("no fault found", None, "informational", "information"),)
    return {"resourceType": "OperationOutcome", "issue": [_issue(item) for item in listed]}


def _issue(issue: Issue) -> Resource:
    element: Resource = {"severity": issue.severity, "code": issue.code, "diagnostics": issue.text}
    return element | {"expression": [issue.where]} if issue.where else element
