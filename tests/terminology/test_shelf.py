"""What a check by profiles must look up."""

import pytest

from fhir_gateway.terminology.library import Library
from fhir_gateway.terminology.shelf import shelf

pytestmark = pytest.mark.anyio

GENDER = "http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1"


def profile(name: str, base: str, *elements: dict) -> dict:
    facts = {"url": f"http://example.org/{name}", "name": name, "status": "active", "kind": "resource"}
    rest = {"abstract": False, "type": "Patient", "derivation": "constraint", "baseDefinition": base}
    placed = [{"id": "Patient", "path": "Patient"}, *elements]
    return {"resourceType": "StructureDefinition", "id": name, **facts, **rest, "differential": {"element": placed}}


def bound(value_set: str) -> dict:
    binding = {"strength": "required", "valueSet": value_set}
    return {"id": "Patient.gender", "path": "Patient.gender", "binding": binding}


async def test_profiles_come_with_those_they_build_on_and_with_their_codes(library: Library, put) -> None:
    base = profile("base", "http://hl7.org/fhir/StructureDefinition/Patient", bound(GENDER))
    await put(base, profile("derived", "http://example.org/base", bound("http://example.org/none")))
    found = await shelf(library, ["http://example.org/derived", "http://example.org/nowhere"])

    assert set(found.profiles) == {"http://example.org/derived", "http://example.org/base"}
    assert set(found.value_sets) == {GENDER}
    holds = found.value_sets[GENDER]
    assert (holds(None, "male"), holds(None, "m"), holds("urn:other", "male")) == (True, False, False)


async def test_profiles_that_name_each_other_are_fetched_once(library: Library, put) -> None:
    await put(profile("a", "http://example.org/b"), profile("b", "http://example.org/a"))

    assert len((await shelf(library, ["http://example.org/a"])).profiles) == 2


async def test_codes_of_a_system_that_is_not_held_are_unknown(library: Library, put, value_set) -> None:
    await put({**value_set(), "compose": {"include": [{"system": "http://snomed.info/sct"}]}})
    await put(profile("a", "http://hl7.org/fhir/StructureDefinition/Patient", bound("http://example.org/vs")))
    found = await shelf(library, ["http://example.org/a"])

    assert found.value_sets["http://example.org/vs"]("http://snomed.info/sct", "1") is None
