"""JSON Schemas made from the definitions."""

import re

import pytest

from fhir_gateway.fhir.definitions import resource_types, types
from fhir_gateway.fhir.schema import PRIMITIVES, schema


def test_a_schema_holds_only_what_its_type_reaches() -> None:
    reached = schema("Patient")["definitions"]
    assert {"HumanName", "Patient.contact", "Element", "Extension"} <= reached.keys()
    assert "Observation.component" not in reached
    assert "Patient" not in reached


@pytest.mark.parametrize("name", ["Patient", "Bundle", "Questionnaire", "Parameters", "StructureDefinition"])
def test_every_reference_of_a_schema_has_its_definition(name: str) -> None:
    made = schema(name)
    used = set(re.findall(r"'#/definitions/([^']+)'", repr(made)))
    assert used <= made["definitions"].keys()


def test_every_datatype_of_the_definitions_can_be_written() -> None:
    used = {code for facts in types().values() for item in facts["elements"].values() for code in item.get("types", [])}
    assert {code for code in used if code[0].islower()} == PRIMITIVES.keys()


def test_required_codes_are_listed() -> None:
    gender = schema("Patient")["properties"]["gender"]
    assert gender == {"enum": ["female", "male", "other", "unknown"]}


def test_a_list_of_codes_admits_null_beside_an_extension() -> None:
    days = schema("ServiceRequest")["definitions"]["Timing.repeat"]["properties"]["dayOfWeek"]
    assert days["items"]["enum"][-1] is None
    given = schema("Patient")["definitions"]["HumanName"]["properties"]["given"]
    assert given["items"]["type"] == ["string", "null"]


def test_a_schema_can_be_made_for_every_type() -> None:
    assert all(schema(name)["properties"]["resourceType"] == {"enum": [name]} for name in resource_types())
