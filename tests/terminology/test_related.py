"""Definitions against those they refer to: each relation kept and broken."""

from typing import Any

import pytest

from fhir_gateway.terminology import related
from fhir_gateway.terminology.library import Library

pytestmark = pytest.mark.anyio

SYSTEM = "http://example.org/diseases"
NAME = "http://hl7.org/fhir/SearchParameter/Organization-name"
CORE_EXTENSION = "http://hl7.org/fhir/StructureDefinition/Extension"


async def found(library: Library, kind: str, **facts: Any) -> list[str]:
    return [str(one.where) async for one in related.faults(library, {"resourceType": kind, **facts})]


async def test_a_search_parameter_is_of_the_type_and_the_base_that_it_is_derived_from(library: Library) -> None:
    good = {"derivedFrom": NAME, "type": "string", "base": ["Organization"]}

    assert await found(library, "SearchParameter", **good) == []
    assert await found(library, "SearchParameter", **{**good, "type": "token"}) == ["SearchParameter.type"]
    assert await found(library, "SearchParameter", **{**good, "base": ["Patient"]}) == ["SearchParameter.base"]
    assert await found(library, "SearchParameter", derivedFrom="http://a.vn/none", type="token") == []


async def test_a_capability_has_the_type_of_its_definition(library: Library) -> None:
    def rest(kind: str) -> list[dict[str, Any]]:
        return [{"resource": [{"searchParam": [{"name": "name", "definition": NAME, "type": kind}]}]}]

    assert await found(library, "CapabilityStatement", rest=rest("string")) == []
    where = ["CapabilityStatement.rest[0].resource[0].searchParam[0].type"]
    assert await found(library, "CapabilityStatement", rest=rest("date")) == where


async def test_a_map_maps_codes_of_its_source(library: Library, put, value_set) -> None:
    listed = {"include": [{"system": SYSTEM, "concept": [{"code": "A90"}]}]}
    await put({**value_set(), "compose": listed})

    def group(code: str) -> list[dict[str, Any]]:
        return [{"source": SYSTEM, "element": [{"code": code}]}]

    facts = {"sourceCanonical": "http://example.org/vs"}
    assert await found(library, "ConceptMap", **facts, group=group("A90")) == []
    assert await found(library, "ConceptMap", **facts, group=group("A91")) == ["ConceptMap.group[0].element[0].code"]


async def test_a_supplement_is_about_codes_that_exist(library: Library, put) -> None:
    inner = {"code": "A", "concept": [{"code": "A99"}]}

    assert await found(library, "CodeSystem", supplements=SYSTEM, concept=[{"code": "A90"}]) == []
    where = ["CodeSystem.concept[0].concept[0].code"]
    assert await found(library, "CodeSystem", supplements=SYSTEM, concept=[inner]) == where


@pytest.mark.parametrize(
    ("part", "where"),
    [
        ({"concept": [{"code": "A90"}]}, None),
        ({"concept": [{"code": "A99"}]}, "concept[0].code"),
        ({"filter": [{"property": "concept", "op": "is-a", "value": "A"}]}, None),
        ({"filter": [{"property": "concept", "op": "is-a", "value": "B"}]}, "filter[0].value"),
        ({"filter": [{"property": "near", "op": "=", "value": f"{SYSTEM}#J18"}]}, None),
        ({"filter": [{"property": "near", "op": "=", "value": f"{SYSTEM}#J99"}]}, "filter[0].value"),
    ],
)
async def test_a_value_set_takes_and_filters_by_codes_that_exist(library: Library, put, part, where) -> None:
    near = {"code": "B1", "property": [{"code": "near", "valueCoding": {"system": SYSTEM, "code": "J18"}}]}
    facts = {"id": "near", "url": "http://example.org/near", "status": "active", "content": "complete"}
    await put({"resourceType": "CodeSystem", **facts, "concept": [near]})
    system = "http://example.org/near" if "near" in str(part) else SYSTEM
    said = await found(library, "ValueSet", compose={"include": [{"system": system, **part}]})

    assert said == ([f"ValueSet.compose.include[0].{where}"] if where else [])


async def test_a_report_counts_populations_of_its_measure(library: Library, put) -> None:
    def group(code: str) -> list[dict[str, Any]]:
        return [{"population": [{"code": {"coding": [{"system": "urn:x", "code": code}]}, "count": 1}]}]

    criteria = {"criteria": {"language": "text/cql", "expression": "x"}}
    population = {**group("all")[0]["population"][0], **criteria}
    population.pop("count")
    measure = {"resourceType": "Measure", "id": "m", "url": "http://example.org/m", "status": "active"}
    await put({**measure, "group": [{"population": [population]}]})

    assert await found(library, "MeasureReport", measure="http://example.org/m", group=group("all")) == []
    where = ["MeasureReport.group[0].population[0].code"]
    assert await found(library, "MeasureReport", measure="http://example.org/m", group=group("none")) == where
    assert await found(library, "MeasureReport", measure="http://example.org/none", group=group("none")) == []


async def test_a_profile_fixes_what_the_one_that_it_builds_on_fixes(library: Library, put) -> None:
    def structure(name: str, base: str, value: str) -> dict[str, Any]:
        url = [{"id": "Extension.url", "path": "Extension.url", "fixedUri": value}]
        facts = {"name": name, "status": "active", "kind": "complex-type", "abstract": False, "type": "Extension"}
        rest = {"baseDefinition": base, "derivation": "constraint", "differential": {"element": url}}
        return {"resourceType": "StructureDefinition", "id": name, "url": f"http://example.org/{name}", **facts, **rest}

    await put(structure("base", CORE_EXTENSION, "urn:a"))
    good, bad = (structure("own", "http://example.org/base", value) for value in ("urn:a", "urn:b"))

    assert [issue async for issue in related.faults(library, good)] == []
    where = [issue.where async for issue in related.faults(library, bad)]
    assert where == ["StructureDefinition.differential.element[0]"]

    unnamed = [{"path": "Extension.url", "fixedUri": "urn:a"}, {"path": "Extension.valueCode", "fixedCode": "x"}]
    await put(structure("bare", CORE_EXTENSION, "urn:a") | {"differential": {"element": unnamed}})
    bare = structure("own", "http://example.org/bare", "urn:a") | {"differential": {"element": unnamed}}
    assert [issue async for issue in related.faults(library, bare)] == []
