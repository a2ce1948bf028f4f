"""Everything that is wrong with a resource: against R4, and against the profiles it claims or is asked to keep.

https://hl7.org/fhir/R4/validation.html
"""

from collections.abc import Iterator, Sequence

from fhir_gateway.fhir import answer_limits, answering, gathered, prose
from fhir_gateway.fhir.codec import plain
from fhir_gateway.fhir.invariants import formal
from fhir_gateway.fhir.profile import check, extensions, vital_signs
from fhir_gateway.fhir.profile.surroundings import Surroundings
from fhir_gateway.fhir.profile.tree import is_core
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.fhir.validation import validate
from fhir_gateway.problem import Issue
from fhir_gateway.terminology import coded, related
from fhir_gateway.terminology.library import Library
from fhir_gateway.terminology.shelf import codes_of, shelf

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
    whole = plain(resource)
    extended = list(extensions.uses(type_, whole))
    held = await shelf(library, [*(canonical for _, _, canonical in claims), *(use.url for use in extended)])
    around = Surroundings(whole)
    found = [issue for path, one, canonical in claims for issue in check.faults(one, canonical, held, path, around)]
    found += await _answers(library, whole)
    found += [issue for use in extended for issue in _extension_faults(use, held, around)]
    found += [*extensions.local_names(whole, type_), *gathered.faults(whole, around), *formal.faults(type_, whole)]
    found += prose.faults(type_, whole)
    found += [issue async for issue in coded.faults(library, type_, whole)]
    found += [issue async for issue in related.faults(library, whole)]
    return [*(issue for issue in missing if issue), *dict.fromkeys(found)][:ISSUE_LIMIT]


async def _answers(library: Library, response: Resource) -> list[Issue]:
    """The faults of a QuestionnaireResponse whose Questionnaire is held here, or in it."""
    canonical = response.get("questionnaire")
    if response["resourceType"] != "QuestionnaireResponse" or not isinstance(canonical, str):
        return []
    questionnaire = await _questionnaire(library, response, canonical)
    if questionnaire is None:
        text = f"the questionnaire {canonical} is not held here, so the answers were not checked"
        return [Issue(text, "QuestionnaireResponse.questionnaire", "not-found", "warning")]
    addresses = set(_value_sets(questionnaire))
    return list(answering.faults(response, plain(questionnaire), await codes_of(library, sorted(addresses))))


async def _questionnaire(library: Library, response: Resource, canonical: str) -> Resource | None:
    if canonical.startswith("#"):
        return next((one for one in response.get("contained", ()) if one.get("id") == canonical[1:]), None)
    edition = await library.find("Questionnaire", canonical)
    return edition.resource if edition else None


def _value_sets(element: Resource) -> Iterator[str]:
    for item in element.get("item", ()):
        if isinstance(canonical := item.get("answerValueSet"), str):
            yield canonical
        yield from (str(one.value) for one in answer_limits.stated(item, answer_limits.UNIT_VALUE_SET))
        yield from _value_sets(item)


def _extension_faults(use: extensions.Use, held: check.Shelf, around: Surroundings) -> Iterator[Issue]:
    definition = held.profiles.get(use.url)
    if definition is None or definition.get("type") != "Extension":
        return
    yield from extensions.misplaced(use, definition)
    checking = check.Check(held, around)
    yield from checking.profile(use.extension, use.url, ())
    yield from extensions.unnamed(use, checking.known_parts(use.url))


async def _is_missing(library: Library, canonical: str) -> Issue | None:
    """A profile that was asked for by name and is not there is an error, not a remark."""
    if await library.find("StructureDefinition", canonical) is None:
        return Issue("the profile that was asked for is not held here", "profile", "not-found")
    return None


def _claims(path: str, resource: Resource) -> Iterator[tuple[str, Resource, str]]:
    """Each resource that claims a profile or has to keep one, where it is: the whole, and those inside it."""
    for canonical in (*resource.get("meta", {}).get("profile", ()), vital_signs.profile_of(resource)):
        if isinstance(canonical, str):
            yield path, resource, canonical
    for place, one in enumerate(resource.get("contained", ())):
        yield from _claims(f"{path}.contained[{place}]", one)
    for place, entry in enumerate(resource.get("entry", ()) if resource["resourceType"] == "Bundle" else ()):
        if "resource" in entry:
            yield from _claims(f"{path}.entry[{place}].resource", entry["resource"])
