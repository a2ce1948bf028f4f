"""Secret records are labelled whatever format they came in, before anything of them is stored."""

from datetime import UTC, datetime

import pytest

from adapters import cda, hl7v2
from adapters.contract import Message
from fhir_gateway.exchange.directory import load
from fhir_gateway.exchange.translation import translate

ADAPTERS = {"hl7v2": hl7v2, "cda": cda}


@pytest.fixture(scope="module")
def hospital(tmp_path_factory):
    return load("quang-ninh", None, None, tmp_path_factory.mktemp("partners")).hospital("qn-general")


def labelled(hospital, media_type: str, body: bytes) -> dict[str, set[str]]:
    """The types of what carries a category, with the categories."""
    found = translate(ADAPTERS, Message(hospital, media_type, body, datetime.now(UTC)))
    assert found.faults == ()
    told: dict[str, set[str]] = {}
    for entry in found.translation.bundle["entry"]:
        marks = {m["code"] for m in entry["resource"].get("meta", {}).get("security", ())}
        if marks:
            told.setdefault(entry["resource"]["resourceType"], set()).update(marks)
    return told


def test_a_diagnosis_of_an_hl7_message_labels_itself_and_its_visit(hospital, message):
    body = message("hl7v2/admission-a01")
    assert labelled(hospital, "application/hl7-v2", body) == {}

    secret = labelled(hospital, "application/hl7-v2", body.replace(b"I20.0^", b"F20.0^"))
    assert secret["Condition"] == secret["Encounter"] == {"R", "PSY"}
    assert "Patient" not in secret


def test_a_word_in_an_entry_of_a_document_labels_it(hospital, message):
    body = message("cda/consultation-note").decode()
    assert labelled(hospital, "application/hl7-cda+xml", body.encode()) == {}

    secret = labelled(hospital, "application/hl7-cda+xml", body.replace('"Ferritin"', '"HIV Ag/Ab"').encode())
    assert {"R", "HIV"} in secret.values()
