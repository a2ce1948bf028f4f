"""Definitions by canonical address, as they are stored now."""

import pytest

from fhir_gateway.terminology.library import Library, builtin_system, builtin_value_set

pytestmark = pytest.mark.anyio

URL = "http://example.org/diseases"


async def test_what_is_written_anew_is_found_at_once(library: Library, put) -> None:
    before = await library.system(URL)
    changed = {"resourceType": "CodeSystem", "id": "diseases", "url": URL, "status": "active", "content": "complete"}
    await put({**changed, "concept": [{"code": "Z"}]})
    after = await library.system(URL)

    assert "A90" in before.concepts
    assert list(after.concepts) == ["Z"]


async def test_a_system_is_read_once_while_it_does_not_change(library: Library) -> None:
    assert await library.system(URL) is await library.system(URL)


async def test_a_version_is_found_by_its_name_and_a_draft_only_where_nothing_is_active(library: Library, put) -> None:
    draft = {"resourceType": "CodeSystem", "id": "d2", "url": URL, "version": "2", "content": "complete"}
    await put({**draft, "status": "draft", "concept": [{"code": "NEW"}]})

    assert (await library.find("CodeSystem", URL)).version == "1"
    assert (await library.find("CodeSystem", f"{URL}|2")).version == "2"
    assert await library.find("CodeSystem", URL, "3") is None


async def test_an_address_nobody_knows_is_none(library: Library) -> None:
    assert await library.system("http://example.org/none") is None
    assert await library.find("ValueSet", "") is None


def test_the_systems_of_fhir_itself_are_known() -> None:
    gender = builtin_system("http://hl7.org/fhir/administrative-gender")

    assert gender is not None
    assert (set(gender.concepts), gender.complete) == ({"male", "female", "other", "unknown"}, True)
    assert builtin_system("http://example.org/none") is None
    assert builtin_value_set("http://hl7.org/fhir/ValueSet/administrative-gender") is not None


async def test_r4s_own_profiles_are_there_unless_another_is_stored(library: Library, put) -> None:
    url = "http://hl7.org/fhir/StructureDefinition/patient-birthTime"
    found = await library.find("StructureDefinition", url)
    assert found is not None
    assert found.resource["context"] == [{"type": "element", "expression": "Patient.birthDate"}]
    assert await library.find("StructureDefinition", f"{url}|5.0.0") is None

    facts = {"name": "own", "status": "active", "kind": "complex-type", "abstract": False, "type": "Extension"}
    await put({"resourceType": "StructureDefinition", "id": "own", "url": url, "version": "9", **facts})
    stored = await library.find("StructureDefinition", url)
    assert stored is not None
    assert stored.version == "9"


def test_r4_lists_value_sets_that_its_profiles_bind():
    assert builtin_value_set("http://hl7.org/fhir/ValueSet/age-units") is not None
    assert builtin_value_set("http://hl7.org/fhir/ValueSet/none") is None
