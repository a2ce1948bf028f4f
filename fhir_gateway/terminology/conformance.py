"""Everything that is wrong with a resource: against R4, and against the profiles it claims or is asked to keep.

https://hl7.org/fhir/R4/validation.html
"""

from collections.abc import Sequence
from typing import Any

from fhir_gateway.fhir.profile import check
from fhir_gateway.fhir.profile.tree import is_core
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.fhir.validation import validate
from fhir_gateway.problem import Issue
from fhir_gateway.terminology.library import Library
from fhir_gateway.terminology.shelf import shelf

ISSUE_LIMIT = 500


async def faults(library: Library, resource: Resource, type_: str, asked: Sequence[str]) -> list[Issue]:
    """All issues, at most ``ISSUE_LIMIT``. Profiles are checked only where the resource is R4 at all."""
    issues = list(validate(resource))
    if resource.get("resourceType") != type_:
        issues.insert(0, Issue(f"is not a {type_}", "resourceType", "structure"))
    if issues:
        return issues
    missing = [await _is_missing(library, one) for one in asked if not is_core(one)]
    canonicals = list(dict.fromkeys((*asked, *_claimed(resource))))
    held = await shelf(library, canonicals)
    found = [issue for one in canonicals for issue in check.faults(resource, one, held)]
    return [*(issue for issue in missing if issue), *dict.fromkeys(found)][:ISSUE_LIMIT]


async def _is_missing(library: Library, canonical: str) -> Issue | None:
    """A profile that was asked for by name and is not there is an error, not a remark."""
    if await library.find("StructureDefinition", canonical) is None:
        return Issue("the profile that was asked for is not held here", "profile", "not-found")
    return None


def _claimed(resource: Resource) -> list[str]:
    meta: Any = resource.get("meta", {})
    return [one for one in meta.get("profile", ()) if isinstance(one, str)]
