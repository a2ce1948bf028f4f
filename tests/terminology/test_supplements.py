"""What supplements say of another system's codes, and value sets named by the element they are for."""

from datetime import UTC, datetime
from typing import Any

import pytest

from fhir_gateway.fhir.parameters import Arguments
from fhir_gateway.problem import BadRequest, NotFound, Unprocessable
from fhir_gateway.terminology import service
from fhir_gateway.terminology.library import Library
from fhir_gateway.terminology.supplements import EXTENSION

pytestmark = pytest.mark.anyio

SYSTEM, VS = "http://example.org/diseases", "http://example.org/vs"
TAY = "http://example.org/tay"
SUPPLEMENT = {
    "resourceType": "CodeSystem",
    "id": "tay",
    "url": TAY,
    "status": "active",
    "language": "tyz",
    "content": "supplement",
    "supplements": f"{SYSTEM}|1",
    "concept": [
        {
            "code": "J18",
            "display": "Pỉnh phổi",
            "designation": [{"language": "fr", "value": "Pneumonie"}],
            "property": [{"code": "notifiable", "valueBoolean": True}],
        },
        {"code": "Z99", "display": "no code of the system"},
    ],
}
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def given(**named: Any) -> Arguments:
    return Arguments(tuple(named.items()))


def parts(answer: dict[str, Any], name: str) -> list[list[Any]]:
    rows = (one["part"] for one in answer["parameter"] if one["name"] == name)
    return [[value for part in row for key, value in part.items() if key != "name"] for row in rows]


@pytest.fixture(autouse=True)
async def stored(put, library: Library) -> None:
    await put(SUPPLEMENT)


async def test_a_lookup_tells_what_the_supplement_adds(library: Library) -> None:
    plain = await service.lookup(library, given(system=SYSTEM, code="J18"), None)
    assert parts(plain, "designation") == []
    richer = await service.lookup(library, given(system=SYSTEM, code="J18", useSupplement=TAY), None)
    assert parts(richer, "designation") == [["tyz", "Pỉnh phổi"], ["fr", "Pneumonie"]]
    assert ["notifiable", True] in parts(richer, "property")
    with pytest.raises(NotFound):
        await service.lookup(library, given(system=SYSTEM, code="Z99", useSupplement=TAY), None)


async def test_a_code_may_be_called_what_the_supplement_calls_it(library: Library) -> None:
    async def right(**more: Any) -> bool:
        answer = await service.validate_in_system(
            library, given(url=SYSTEM, code="J18", display="Pneumonie", **more), None
        )
        return bool(answer["parameter"][0]["valueBoolean"])

    assert (await right(), await right(useSupplement=TAY)) == (False, True)


async def test_an_expansion_carries_and_finds_the_supplements_words(library: Library, put, value_set) -> None:
    await put(value_set({}))

    async def codes(**more: Any) -> dict[str, Any]:
        found = await service.expansion(library, given(url=VS, **more), None, NOW)
        return {one["code"]: one for one in found["expansion"].get("contains", ())}

    assert list(await codes(filter="pneu")) == []
    found = await codes(filter="pneu", useSupplement=TAY, includeDesignations=True)
    assert [one["value"] for one in found["J18"]["designation"]] == ["Pỉnh phổi", "Pneumonie"]
    assert (await codes(useSupplement=TAY, displayLanguage="fr"))["J18"]["display"] == "Pneumonie"

    await put({**SUPPLEMENT, "concept": [{"code": "J18", "display": "khác"}]})
    assert list(await codes(filter="pneu", useSupplement=TAY)) == []
    assert list(await codes(filter="khac", useSupplement=TAY)) == ["J18"]


async def test_a_value_set_may_name_its_supplement_itself(library: Library, put, value_set) -> None:
    await put({**value_set({}), "extension": [{"url": EXTENSION, "valueCanonical": TAY}]})
    found = await service.expansion(library, given(url=VS, filter="pneu"), None, NOW)
    assert [one["code"] for one in found["expansion"]["contains"]] == ["J18"]


async def test_what_is_no_supplement_is_refused(library: Library) -> None:
    for canonical, problem in (("http://example.org/none", NotFound), (SYSTEM, Unprocessable)):
        with pytest.raises(problem):
            await service.lookup(library, given(system=SYSTEM, code="J18", useSupplement=canonical), None)


async def test_a_context_stands_for_the_value_set_it_is_bound_to(library: Library, put, value_set) -> None:
    await put(value_set({"concept": [{"code": "J18"}]}))
    element = {"id": "Condition.code", "path": "Condition.code", "binding": {"strength": "required", "valueSet": VS}}
    profile = {
        "resourceType": "StructureDefinition",
        "id": "d",
        "url": "http://example.org/StructureDefinition/d",
        "name": "D",
        "status": "active",
        "kind": "resource",
        "abstract": False,
        "type": "Condition",
        "differential": {"element": [{"id": "Condition", "path": "Condition"}, element]},
    }
    await put(profile)
    of_profile = given(context=f"{profile['url']}#Condition.code", contextDirection="incoming")
    found = await service.expansion(library, of_profile, None, NOW)
    assert [one["code"] for one in found["expansion"]["contains"]] == ["J18"]

    core = "http://hl7.org/fhir/StructureDefinition/Patient#Patient.contact.gender"
    found = await service.expansion(library, given(context=core), None, NOW)
    assert {one["code"] for one in found["expansion"]["contains"]} == {"male", "female", "other", "unknown"}
    answer = await service.validate_in_set(library, given(context=core, code="male"), None)
    assert answer["parameter"][0]["valueBoolean"] is True


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"context": "Patient.gender"}, BadRequest),
        ({"context": "http://hl7.org/fhir/StructureDefinition/Patient#Patient.name"}, NotFound),
        ({"context": "http://hl7.org/fhir/StructureDefinition/Patient#Practitioner.gender"}, NotFound),
        ({"context": "http://hl7.org/fhir/StructureDefinition/Patient#Patient.gender", "url": VS}, BadRequest),
        ({"contextDirection": "incoming", "url": VS}, BadRequest),
        (
            {
                "context": "http://hl7.org/fhir/StructureDefinition/Patient#Patient.gender",
                "contextDirection": "up",
            },
            BadRequest,
        ),
    ],
)
async def test_a_context_that_leads_nowhere_is_refused(library: Library, asked: dict[str, str], problem) -> None:
    with pytest.raises(problem):
        await service.expansion(library, given(**asked), None, NOW)
