"""The published search parameters, compiled."""

import pytest

from fhir_gateway.fhir.definitions import resource_types
from fhir_gateway.search.registry import check, compartment, nearest, parameters


def test_every_type_compiles() -> None:
    assert check() > 2000


def test_every_type_has_the_parameters_of_all_resources() -> None:
    for type_ in resource_types():
        assert {"_id", "_lastUpdated", "_tag", "_profile", "_security", "_source"} <= set(parameters(type_)), type_


def test_an_unknown_type_has_none() -> None:
    assert parameters("Patients") == {}


def test_borrowed_keys_are_made_by_a_parameter_that_keeps_its_own() -> None:
    for type_ in resource_types():
        known = parameters(type_)
        borrowed = [one for one in known.values() if one.searchable and one.key != one.code]
        assert all(known[one.key].key == one.key and known[one.key].kind == one.kind for one in borrowed), type_


@pytest.mark.parametrize(
    ("type_", "code", "key", "part"),
    [
        ("Patient", "family", "name", "family"),
        ("Patient", "phone", "telecom", "phone"),
        ("Observation", "patient", "subject", "Patient"),
        ("Observation", "subject", "subject", ""),
        ("AllergyIntolerance", "patient", "patient", ""),
        ("Organization", "name", "name", ""),
    ],
)
def test_a_parameter_within_another_shares_its_keys(type_: str, code: str, key: str, part: str) -> None:
    parameter = parameters(type_)[code]
    assert (parameter.key, parameter.part) == (key, part)


def test_a_narrowed_reference_has_one_target() -> None:
    assert parameters("Observation")["patient"].targets == ("Patient",)


@pytest.mark.parametrize(
    ("typed", "meant"), [("famly", "family"), ("birthDate", "birthdate"), ("_cuont", "_count"), ("xyzzy", None)]
)
def test_a_misspelt_name_leads_to_the_nearest(typed: str, meant: str | None) -> None:
    assert nearest("Patient", typed) == meant


def test_the_compartment_names_keys_not_codes() -> None:
    assert compartment("Encounter") == {"subject"}
    assert compartment("Organization") == frozenset()


def test_what_others_find_together_has_no_keys_of_its_own() -> None:
    united = {type_: {one.code: one for one in parameters(type_).values() if one.also} for type_ in resource_types()}
    assert {type_ for type_, found in united.items() if found} == {"Observation"}
    for one in united["Observation"].values():
        parts = [parameters("Observation")[key] for key in (one.key, *one.also)]
        assert {path.text for part in parts for path in part.paths} == {path.text for path in one.paths}
        assert all(part.key == part.code and part.kind == one.kind for part in parts)
    codes = {"combo-code", "combo-data-absent-reason", "combo-value-concept", "combo-value-quantity"}
    assert set(united["Observation"]) == codes
