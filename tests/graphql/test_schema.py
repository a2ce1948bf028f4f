"""The schema made of R4's definitions."""

from graphql import validate_schema

from fhir_gateway.fhir.definitions import resource_types
from fhir_gateway.graphql.schema import schema


def test_the_schema_is_valid_and_has_every_type() -> None:
    made = schema()

    assert validate_schema(made) == []
    assert resource_types() <= set(made.type_map)
    assert made.query_type is not None
    assert set(made.query_type.fields["PatientList"].args) >= {"general_practitioner", "_id", "_sort"}


def test_a_type_is_referred_to_by_those_whose_parameters_say_so() -> None:
    patient = schema("Patient").query_type

    assert patient is not None
    assert {"ObservationList", "EncounterList", "birthDate", "_birthDate"} <= set(patient.fields)
    assert "PatientList" in patient.fields
    assert "LocationList" not in patient.fields
