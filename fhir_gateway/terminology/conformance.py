"""Everything that is wrong with a resource: against R4, and against the profiles it claims or is asked to keep.

https://hl7.org/fhir/R4/validation.html
"""

from collections.abc import Iterator, Sequence

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
    claims = [*(("", resource, one) for one in asked), *_claims(type_, resource)]
    held = await shelf(library, [canonical for _, _, canonical in claims])
    found = [issue for path, one, canonical in claims for issue in check.faults(one, canonical, held, path)]
    return [*(issue for issue in missing if issue), *dict.fromkeys(found)][:ISSUE_LIMIT]


async def _is_missing(library: Library, canonical: str) -> Issue | None:
    """A profile that was asked for by name and is not there is an error, not a remark."""
    if await library.find("StructureDefinition", canonical) is None:
        return Issue("the profile that was asked for is not held here", "profile", "not-found")
    return None


def _claims(path: str, resource: Resource) -> Iterator[tuple[str, Resource, str]]:
    """Each resource that claims a profile, where it is: the whole, and those inside it."""
    for canonical in resource.get("meta", {}).get("profile", ()):
        if isinstance(canonical, str):
            yield path, resource, canonical
    for place, one in enumerate(resource.get("contained", ())):
        yield from _claims(f"{path}.contained[{place}]", one)
    for place, entry in enumerate(resource.get("entry", ()) if resource["resourceType"] == "Bundle" else ()):
        if "resource" in entry:
            yield from _claims(f"{path}.entry[{place}].resource", entry["resource"])
