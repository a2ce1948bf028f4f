"""The terminology operations as asked."""

from datetime import UTC, datetime

import pytest

from fhir_gateway.fhir.parameters import Arguments
from fhir_gateway.problem import BadRequest, NotFound, NotSupported, TooCostly
from fhir_gateway.terminology import expand, service
from fhir_gateway.terminology.library import Library

pytestmark = pytest.mark.anyio

SYSTEM = "http://example.org/diseases"
VS = "http://example.org/vs"


def given(**named) -> Arguments:
    return Arguments(tuple(named.items()))


def said(parameters: dict, name: str):
    found = next((one for one in parameters["parameter"] if one["name"] == name), {})
    return next((value for member, value in found.items() if member != "name"), None)


async def test_lookup_says_what_a_code_is(library: Library) -> None:
    answer = await service.lookup(library, given(system=SYSTEM, code="A90"), None)

    assert (said(answer, "display"), said(answer, "definition")) == ("Sốt xuất huyết Dengue", "Do vi-rút Dengue")
    parents = [
        part["part"][1]
        for part in answer["parameter"]
        if part["name"] == "property" and part["part"][0]["valueCode"] == "parent"
    ]
    assert parents == [{"name": "value", "valueCode": "A"}]
    english = await service.lookup(library, given(system=SYSTEM, code="A90", displayLanguage="en-US"), None)
    assert said(english, "display") == "Dengue fever"


async def test_lookup_of_what_is_not_there_is_not_found(library: Library) -> None:
    for code, system in (("nope", SYSTEM), ("A90", "http://example.org/none")):
        with pytest.raises(NotFound):
            await service.lookup(library, given(system=system, code=code), None)


async def test_a_name_that_is_no_parameter_is_refused_with_those_that_are(library: Library) -> None:
    with pytest.raises(BadRequest, match="displayLanguage"):
        await service.lookup(library, given(system=SYSTEM, code="A90", sistem="x"), None)
    with pytest.raises(NotSupported):
        await service.expansion(library, given(url=VS, profile="x"), None, datetime.now(UTC))


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        ("A", "A90", "subsumes"),
        ("A90", "A", "subsumed-by"),
        ("A90", "A90", "equivalent"),
        ("A90", "J18", "not-subsumed"),
    ],
)
async def test_subsumes_compares_two_codes(library: Library, first, second, outcome) -> None:
    answer = await service.subsumes(library, given(system=SYSTEM, codeA=first, codeB=second), None)

    assert said(answer, "outcome") == outcome


async def test_a_code_is_valid_by_any_of_its_names(library: Library) -> None:
    for display, result in (("sot xuat huyet dengue", True), ("Dengue fever", True), ("Lao", False)):
        answer = await service.validate_in_system(library, given(url=SYSTEM, code="A90", display=display), None)
        assert said(answer, "result") is result
    unknown = await service.validate_in_system(library, given(url="http://example.org/none", code="A90"), None)
    assert (said(unknown, "result"), said(unknown, "message") is not None) == (False, True)


async def test_one_right_coding_of_a_concept_is_enough(library: Library, put, value_set) -> None:
    await put(value_set({"concept": [{"code": "A90"}]}))
    wrong, right = {"system": SYSTEM, "code": "J18"}, {"system": SYSTEM, "code": "A90"}

    both = await service.validate_in_set(library, given(url=VS, codeableConcept={"coding": [wrong, right]}), None)
    one = await service.validate_in_set(library, given(url=VS, coding=wrong), None)
    bare = await service.validate_in_set(library, given(url=VS, code="A90"), None)

    assert (said(both, "result"), said(one, "result"), said(bare, "result")) == (True, False, True)
    assert said(both, "display") == "Sốt xuất huyết Dengue"


async def test_an_abstract_code_is_no_value_where_that_is_asked(library: Library) -> None:
    asked = given(url=SYSTEM, code="A", abstract="false")

    assert said(await service.validate_in_system(library, asked, None), "result") is False


async def expansion(library: Library, **named) -> dict:
    return (await service.expansion(library, given(**named), None, datetime.now(UTC)))["expansion"]


async def test_an_expansion_is_filtered_as_vietnamese_is_typed(library: Library, put, value_set) -> None:
    await put(value_set({}))

    for text in ("sot den", "SỐT DENGUE", "den sot"):
        found = await expansion(library, url=VS, filter=text)
        assert [one["code"] for one in found["contains"]] == ["A90", "A91"]
    assert "contains" not in await expansion(library, url=VS, filter="ot dengue")


async def test_a_page_of_an_expansion_knows_the_total(library: Library, put, value_set) -> None:
    await put(value_set({}))
    found = await expansion(library, url=VS, count="2", offset="3")

    assert (found["total"], found["offset"]) == (5, 3)
    assert [one["code"] for one in found["contains"]] == ["A15", "J18"]
    assert found["contains"][0]["inactive"] is True


async def test_a_code_system_or_one_version_of_it_is_left_out_on_request(library: Library, put, value_set) -> None:
    await put(value_set({}))
    first = (await expansion(library, url=VS))["contains"][0]

    assert (await expansion(library, url=VS, **{"exclude-system": first["system"]}))["total"] == 0
    assert (await expansion(library, url=VS, **{"exclude-system": f"{first['system']}|no-such"}))["total"] == 5
    left = await expansion(library, url=VS, **{"exclude-system": "urn:other"})
    assert left["total"] == 5
    assert {"name": "exclude-system", "valueUri": "urn:other"} in left["parameter"]


def shape(found: dict) -> list:
    return [(one["code"], shape(one)) if "contains" in one else one["code"] for one in found.get("contains", [])]


ALL, BELOW = {}, {"filter": [{"property": "concept", "op": "is-a", "value": "A"}]}
LISTED = {"concept": [{"code": "A"}, {"code": "A90"}]}
MATCHED = {"filter": [{"property": "code", "op": "regex", "value": "A.*"}]}
TREE = ("A", ["A90", "A91", "A15"])


@pytest.mark.parametrize(
    ("includes", "asked", "codes"),
    [
        ([ALL], {}, [TREE, "J18"]),
        ([ALL], {"excludeNested": "false"}, [TREE, "J18"]),
        ([ALL], {"excludeNested": "true"}, ["A", "A90", "A91", "A15", "J18"]),
        ([ALL], {"count": "2"}, ["A", "A90"]),
        ([ALL], {"filter": "dengue"}, ["A90", "A91"]),
        ([ALL], {"activeOnly": "true"}, [("A", ["A90", "A91"]), "J18"]),
        ([ALL], {"excludeNotForUI": "true"}, ["A90", "A91", "A15", "J18"]),
        ([BELOW], {}, [TREE]),
        ([LISTED], {}, ["A", "A90"]),
        ([MATCHED], {}, ["A", "A90", "A91", "A15"]),
        ([BELOW, {"concept": [{"code": "J18"}]}], {}, ["A", "A90", "A91", "A15", "J18"]),
    ],
)
async def test_an_expansion_is_a_tree_where_the_value_set_has_whole_branches(
    library: Library, put, value_set, includes, asked, codes
) -> None:
    await put(value_set(*includes))
    found = await expansion(library, url=VS, **asked)

    assert shape(found) == codes
    assert {"name": "version", "valueUri": "http://example.org/diseases|1"} in found["parameter"]
    if "excludeNested" in asked:
        assert {"name": "excludeNested", "valueBoolean": asked["excludeNested"] == "true"} in found["parameter"]


async def test_a_tree_is_one_through_another_value_set_too(library: Library, put, value_set) -> None:
    outer = value_set({"valueSet": [VS]}) | {"id": "outer", "url": "http://example.org/outer"}
    await put(value_set(ALL), outer)
    found = await expansion(library, url=outer["url"])
    assert (shape(found), found["total"]) == ([TREE, "J18"], 5)


async def test_inactive_codes_are_left_out_on_request(library: Library, put, value_set) -> None:
    await put(value_set({}))

    assert (await expansion(library, url=VS, activeOnly=True))["total"] == 4


async def test_a_large_value_set_needs_a_page(
    library: Library, put, value_set, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(value_set({}))
    monkeypatch.setattr(expand, "UNPAGED_LIMIT", 4)

    with pytest.raises(TooCostly):
        await expansion(library, url=VS)
    assert (await expansion(library, url=VS, count=1))["total"] == 5


async def test_the_value_sets_of_fhir_itself_expand(library: Library) -> None:
    found = await expansion(library, url="http://hl7.org/fhir/ValueSet/administrative-gender")

    assert {one["code"] for one in found["contains"]} == {"male", "female", "other", "unknown"}


MAP = {
    "resourceType": "ConceptMap",
    "id": "map",
    "url": "http://example.org/map",
    "status": "active",
    "sourceUri": VS,
    "group": [
        {
            "source": SYSTEM,
            "target": "http://hl7.org/fhir/sid/icd-10",
            "element": [{"code": "A90", "target": [{"code": "A90.0", "equivalence": "wider"}]}],
            "unmapped": {"mode": "fixed", "code": "R69"},
        }
    ],
}


async def test_a_code_is_translated_there_and_back(library: Library, put) -> None:
    await put(MAP)
    there = await service.translation(library, given(system=SYSTEM, code="A90"), None)
    back = await service.translation(
        library, given(url=MAP["url"], system="http://hl7.org/fhir/sid/icd-10", code="A90.0", reverse="true"), None
    )

    def match(answer: dict) -> dict:
        return {part["name"]: part for part in said(answer, "match")}

    assert said(there, "result") is True
    assert match(there)["concept"]["valueCoding"] == {"system": "http://hl7.org/fhir/sid/icd-10", "code": "A90.0"}
    assert match(back)["concept"]["valueCoding"] == {"system": SYSTEM, "code": "A90"}
    assert (match(there)["equivalence"]["valueCode"], match(back)["equivalence"]["valueCode"]) == ("wider", "narrower")


async def test_what_a_map_does_not_list_goes_where_it_says(library: Library, put) -> None:
    await put(MAP)
    answer = await service.translation(library, given(source=VS, system=SYSTEM, code="J18"), None)

    assert [part["valueCoding"]["code"] for part in said(answer, "match") if part["name"] == "concept"] == ["R69"]
    none = await service.translation(library, given(system="http://example.org/none", code="J18"), None)
    assert said(none, "result") is False


async def test_a_coding_is_of_the_system_and_version_that_it_names(library: Library, put, value_set) -> None:
    await put(value_set({"system": SYSTEM}))
    for more, right in (({}, True), ({"version": "1"}, True), ({"version": "2"}, False)):
        coding = {"system": SYSTEM, "code": "A90", **more}
        inside = await service.validate_in_set(library, given(url=VS, coding=coding), None)
        system = await service.validate_in_system(library, given(coding=coding), None)
        assert (said(inside, "result"), said(system, "result")) == (right, right), more
    versioned = given(url=VS, code="A90", system=SYSTEM, systemVersion="2")
    assert said(await service.validate_in_set(library, versioned, None), "result") is False
    open_ = await service.validate_in_set(library, given(url=VS, coding={"code": "A90"}), None)
    assert (said(open_, "result"), "no system" in said(open_, "message")) == (False, True)
    assert said(await service.validate_in_set(library, given(url=VS, code="A90"), None), "result") is True
