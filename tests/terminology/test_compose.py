"""Value sets read for use."""

import pytest

from fhir_gateway.problem import NotFound, Unprocessable
from fhir_gateway.terminology import compose
from fhir_gateway.terminology.library import Library
from fhir_gateway.terminology.selection import NotHeld

pytestmark = pytest.mark.anyio

URL = "http://example.org/vs"
SYSTEM = "http://example.org/diseases"


def codes(selection) -> list[str]:
    return [member.concept.code for member in selection.members()]


@pytest.mark.parametrize(
    ("operator", "prop", "value", "found"),
    [
        ("is-a", "concept", "A", ["A", "A90", "A91", "A15"]),
        ("descendent-of", "concept", "A", ["A90", "A91", "A15"]),
        ("is-not-a", "concept", "A", ["J18"]),
        ("generalizes", "concept", "A90", ["A", "A90"]),
        ("regex", "code", "A9[01]", ["A90", "A91"]),
        ("=", "chapter", "I", ["A91"]),
        ("in", "code", "A90,J18", ["A90", "J18"]),
        ("not-in", "code", "A90,J18", ["A", "A91", "A15"]),
        ("exists", "chapter", "true", ["A91"]),
    ],
)
async def test_a_filter_takes_its_concepts(library: Library, value_set, operator, prop, value, found) -> None:
    resource = value_set({"filter": [{"property": prop, "op": operator, "value": value}]})
    selection = await compose.of_resource(library, resource)

    assert codes(selection) == found
    for code in ("A", "A90", "A91", "A15", "J18"):
        assert (selection.find(SYSTEM, code) is not None) == (code in found)


async def test_what_is_excluded_is_in_no_part(library: Library, value_set) -> None:
    resource = value_set({}, exclude=[{"system": SYSTEM, "concept": [{"code": "A90"}]}])
    selection = await compose.of_resource(library, resource)

    assert codes(selection) == ["A", "A91", "A15", "J18"]
    assert selection.find(SYSTEM, "A90") is None


async def test_imports_of_one_include_are_cut_and_those_of_several_joined(library: Library, put, value_set) -> None:
    fever = {**value_set({"concept": [{"code": "A90"}, {"code": "A91"}]}), "id": "f", "url": "http://example.org/f"}
    severe = {**value_set({"concept": [{"code": "A91"}, {"code": "J18"}]}), "id": "s", "url": "http://example.org/s"}
    await put(fever, severe)
    cut = await compose.of_resource(library, value_set({"valueSet": [fever["url"], severe["url"]]}))
    joined = await compose.of_resource(library, value_set({"valueSet": [fever["url"]]}, {"valueSet": [severe["url"]]}))

    assert codes(cut) == ["A91"]
    assert codes(joined) == ["A90", "A91", "J18"]


async def test_a_value_set_that_contains_itself_is_refused(library: Library, put, value_set) -> None:
    await put(value_set({"valueSet": [URL]}))

    with pytest.raises(Unprocessable, match="itself"):
        await compose.value_set(library, URL)


async def test_a_kept_selection_is_made_anew_when_its_code_system_changes(library: Library, put, value_set) -> None:
    await put(value_set({}))
    before = await compose.value_set(library, URL)
    again = await compose.value_set(library, URL)
    changed = {"resourceType": "CodeSystem", "id": "diseases", "url": SYSTEM, "status": "active"}
    await put({**changed, "content": "complete", "concept": [{"code": "Z"}]})
    after = await compose.value_set(library, URL)

    assert before is again
    assert codes(after) == ["Z"]


async def test_a_system_that_is_not_held_can_be_neither_listed_nor_asked(library: Library) -> None:
    include = {"system": "http://snomed.info/sct"}
    resource = {"resourceType": "ValueSet", "status": "active", "compose": {"include": [include]}}
    selection = await compose.of_resource(library, resource)

    with pytest.raises(NotHeld):
        selection.find("http://snomed.info/sct", "1")
    with pytest.raises(NotHeld):
        codes(selection)
    assert selection.find("http://other.example", "1") is None


async def test_a_stored_expansion_is_a_value_set(library: Library) -> None:
    contains = [{"system": SYSTEM, "code": "A", "abstract": True, "contains": [{"system": SYSTEM, "code": "X"}]}]
    resource = {"resourceType": "ValueSet", "status": "active", "expansion": {"contains": contains}}

    assert codes(await compose.of_resource(library, resource)) == ["X"]


async def test_a_system_implies_value_sets_of_its_own(library: Library) -> None:
    assert codes(await compose.value_set(library, f"{SYSTEM}?fhir_vs=isa/A")) == ["A", "A90", "A91", "A15"]
    assert len(codes(await compose.value_set(library, f"{SYSTEM}?fhir_vs"))) == 5
    with pytest.raises(NotFound):
        await compose.value_set(library, f"{SYSTEM}?fhir_vs=refset")


async def test_a_filter_by_a_property_that_nobody_knows_is_refused(library: Library, value_set) -> None:
    resource = value_set({"filter": [{"property": "chaptre", "op": "=", "value": "I"}]})
    with pytest.raises(Unprocessable, match="chaptre"):
        await compose.of_resource(library, resource)


async def test_a_listed_code_that_its_system_does_not_have_is_not_in_the_value_set(library: Library, value_set) -> None:
    listed = [{"code": "A90"}, {"code": "nope"}]
    for system, found in ((SYSTEM, ["A90"]), ("http://example.org/unknown", ["A90", "nope"])):
        selection = await compose.of_resource(library, value_set({"system": system, "concept": listed}))
        assert [one.concept.code for one in selection.members()] == found
