"""A hospital that speaks FHIR, and the way to put a message before the adapter."""

import json
from datetime import UTC, datetime

import pytest

from adapters import fhir_bundle
from adapters.contract import Coding, Hospital, Message

SIDS = "http://fhir.hl7.org.vn/core/sid"
OWN = "urn:vn:quang-ninh:ba-che"
SYSTEMS = {
    **{kind: f"{OWN}:{kind}" for kind in ("mrn", "visit", "order", "document")},
    **{kind: f"{SIDS}/{kind}" for kind in ("cccd", "cmnd", "passport", "bhyt", "bhyt-temporary", "bhxh", "episode")},
    "practitioner": f"{SIDS}/cchn",
    "facility": f"{SIDS}/ma-cskcb",
    "icd10": "http://fhir.hl7.org.vn/core/CodeSystem/vn-icd10-cs",
}


@pytest.fixture(scope="session")
def message():
    def build(content, media_type="application/fhir+json", quirks=(), codes=()):
        hospital = Hospital(
            "ba-che", "Ba Chẽ", "22T04", ("fhir_bundle",), systems=SYSTEMS, quirks=dict(quirks), codes=dict(codes)
        )
        body = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
        return Message(hospital, media_type, body, datetime(2026, 11, 23, tzinfo=UTC))

    return build


@pytest.fixture(scope="session")
def translate(message):
    def run(content, **more):
        return fhir_bundle.translate(message(content, **more))

    return run


@pytest.fixture(scope="session")
def bundle():
    """A Bundle of resources; (fullUrl, resource) pairs name themselves."""

    def build(kind, *resources):
        rows = [row if isinstance(row, tuple) else ("", row) for row in resources]
        entries = [{"resource": r, **({"fullUrl": url} if url else {})} for url, r in rows]
        return {"resourceType": "Bundle", "type": kind, "entry": entries}

    return build


@pytest.fixture(scope="session")
def made():
    """The only resource of a type in a translation."""

    def of(translation, kind):
        (found,) = [e["resource"] for e in translation.bundle["entry"] if e["resource"]["resourceType"] == kind]
        return found

    return of


@pytest.fixture
def coding():
    return Coding
