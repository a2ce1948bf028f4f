"""Vital signs keep R4's profile of them, whether they claim it or not."""

import pytest

from fhir_gateway.fhir.profile.vital_signs import profile_of

CORE = "http://hl7.org/fhir/StructureDefinition/"


def observation(code: str, system: str = "http://loinc.org", kind: str = "Observation") -> dict:
    return {"resourceType": kind, "code": {"coding": [{"system": system, "code": code}]}}


@pytest.mark.parametrize(("code", "name"), [("85354-9", "bp"), ("8310-5", "bodytemp"), ("2708-6", "oxygensat")])
def test_a_vital_sign_has_a_profile_by_its_code(code, name):
    assert profile_of(observation(code)) == f"{CORE}{name}"


def test_what_is_no_vital_sign_has_none():
    assert profile_of(observation("2345-7")) is None
    assert profile_of(observation("85354-9", "http://a.vn/codes")) is None
    assert profile_of(observation("85354-9", kind="ServiceRequest")) is None
    assert profile_of({"resourceType": "Observation"}) is None
