"""Nothing invalid is stored: every resource of a write passes the R4 gate, and all faults are told at once.

https://hl7.org/fhir/R4/validation.html
"""

from collections.abc import Sequence
from dataclasses import replace

from fhir_gateway.fhir.subset import must_be_whole
from fhir_gateway.fhir.validation import validate
from fhir_gateway.problem import Invalid, Issue
from fhir_gateway.records.step import Step
from fhir_gateway.records.turns import in_turns

ISSUE_LIMIT = 200


async def must_conform(steps: Sequence[Step]) -> None:
    """Raises Invalid with the faults of all resources, each under its entry."""
    issues: list[Issue] = []
    async for step in in_turns(steps):
        if step.method == "PUT" and step.resource is not None:
            must_be_whole(step.resource)
        if step.resource is not None and len(issues) < ISSUE_LIMIT:
            issues += (_under(step, issue) for issue in validate(step.resource))
    if issues:
        rest = f" and {len(issues) - 1} more" if len(issues) > 1 else ""
        raise Invalid(f"{issues[0].text}{rest}", issues[0].where, tuple(issues[:ISSUE_LIMIT]))


def _under(step: Step, issue: Issue) -> Issue:
    if not step.where:
        return issue
    inner = (issue.where or "").removeprefix(step.type).lstrip(".")
    return replace(issue, where=".".join(filter(None, (step.where, "resource", inner))))
