"""Where in the message a fault of its FHIR comes from: who sent it looks there, not into a Bundle it never saw.

https://hl7.org/fhir/R4/operationoutcome-definitions.html#OperationOutcome.issue.expression
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from adapters.contract import Translation
from fhir_gateway.problem import Issue

_INSIDE = re.compile(r"Bundle\.entry\[(\d+)\]\.resource(?:\.(.*))?")


def placed(issues: Iterable[Issue], translation: Translation) -> list[Issue]:
    """The issues at the source fields that made the faulty elements; as they are where the ledger names none."""
    found = list(issues)
    fields: dict[str, str] = {}
    if found:
        fields = {target: account.place for account in reversed(translation.ledger) for target in account.targets}
    return [_placed(issue, translation, fields) for issue in found]


def _placed(issue: Issue, translation: Translation, fields: Mapping[str, str]) -> Issue:
    found = _INSIDE.fullmatch(issue.where or "")
    if found is None:
        return issue
    resource, path = translation.bundle["entry"][int(found[1])]["resource"], found[2] or ""
    identity = f"{resource['resourceType']}/{resource.get('id')}#"
    if identity + path in fields:
        return replace(issue, where=fields[identity + path])
    near = sorted(target for target in fields if target.startswith(identity))
    inner = [target for target in near if target.startswith((f"{identity}{path}.", f"{identity}{path}["))]
    if not near:
        return issue
    place = fields[(inner or near)[0]]
    return replace(issue, where=f"{place} ({resource['resourceType']}{'.' if path else ''}{path})")
