"""A hospital with the tables of a test, and the way to put an export before the adapter."""

import tomllib
from datetime import UTC, datetime

import pytest

from adapters import tabular
from adapters.contract import Coding, Hospital, Message

SIDS = "http://fhir.hl7.org.vn/core/sid"
OWN = "urn:vn:quang-ninh:ba-che"
SYSTEMS = {
    **{kind: f"{OWN}:{kind}" for kind in ("mrn", "visit", "order", "document")},
    **{kind: f"{SIDS}/{kind}" for kind in ("cccd", "cmnd", "passport", "bhyt", "bhyt-temporary", "bhxh", "episode")},
    "practitioner": f"{SIDS}/cchn",
    "facility": f"{SIDS}/ma-cskcb",
    "icd10": "http://fhir.hl7.org.vn/core/CodeSystem/vn-icd10-cs",
    "ethnicity": "http://fhir.hl7.org.vn/core/CodeSystem/vn-ethnicity-cs",
}
PATIENTS = """
[patients]
rows = "patient"
[patients.columns]
MA = "number"
TEN = "name"
SINH = { field = "birth_date", format = "dd/MM/yyyy" }
GT = { field = "sex", codes = "gt" }
CCCD = "citizen"
BO = { ignore = "not for the record" }
"""


@pytest.fixture(scope="session")
def message():
    def build(body, toml=PATIENTS, media_type="text/csv"):
        codes = {"gt": {"1": Coding("http://hl7.org/fhir/administrative-gender", "male", "Nam")}}
        hospital = Hospital(
            "ba-che", "Ba Chẽ", "22T04", ("tabular",), systems=SYSTEMS, codes=codes, tables=tomllib.loads(toml)
        )
        content = body.encode() if isinstance(body, str) else body
        return Message(hospital, media_type, content, datetime(2026, 11, 23, tzinfo=UTC))

    return build


@pytest.fixture(scope="session")
def translate(message):
    def run(body, toml=PATIENTS, media_type="text/csv"):
        return tabular.translate(message(body, toml, media_type))

    return run


@pytest.fixture(scope="session")
def resources():
    """The resources of one type in a translation."""

    def of(translation, kind):
        return [e["resource"] for e in translation.bundle["entry"] if e["resource"]["resourceType"] == kind]

    return of
