"""Public FHIR data through the gate: the official R4 examples and Synthea's patients."""

import bz2
import os
import re
from pathlib import Path

import pytest

from fhir_gateway.fhir.codec import decode, decode_resource, encode
from fhir_gateway.fhir.models import cross_check
from fhir_gateway.fhir.reference import rewrite
from fhir_gateway.fhir.validation import validate

HERE = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("FHIR_GATEWAY_CORPUS", HERE.parent / "shared" / "corpus"))
EXAMPLES = sorted(CORPUS.glob("fhir-r4/*.json"))
PATIENTS = sorted(CORPUS.glob("synthea/*.json.bz2"))

# HL7's own examples point where HL7's own definitions do not allow.
WRONG_TARGETS = {
    "MedicationRequest-medrx0301.json": ["MedicationRequest.dispenseRequest.performer"],
    "Observation-clinical-gender.json": ["Observation.performer[0]"],
}
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"')
_NUMBER = re.compile(rb"-?\d[\d.eE+-]*")

pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not here")


def numbers(body: bytes) -> list[bytes]:
    return _NUMBER.findall(_STRING.sub(b"", body))


def test_official_examples_pass_but_for_two_known_faults() -> None:
    found = {path.name: [issue.where for issue in validate(decode_resource(path.read_bytes()))] for path in EXAMPLES}
    assert {name: places for name, places in found.items() if places} == WRONG_TARGETS


def test_official_examples_keep_every_number_as_it_was_written() -> None:
    for path in EXAMPLES:
        body = path.read_bytes()
        again = encode(decode(body))
        assert numbers(again) == numbers(body), path.name
        assert decode(again) == decode(body)


def test_the_models_find_nothing_in_the_official_examples_either() -> None:
    for path in EXAMPLES[::4]:
        assert cross_check(decode_resource(path.read_bytes())) == [], path.name


def test_synthea_bundles_pass() -> None:
    for path in PATIENTS:
        body = bz2.decompress(path.read_bytes())
        assert validate(decode_resource(body)) == (), path.name


def test_rewriting_leaves_no_local_link_in_a_synthea_bundle() -> None:
    bundle = decode_resource(bz2.decompress(PATIENTS[-1].read_bytes()))
    entries = [entry for entry in bundle["entry"] if "fullUrl" in entry]
    mapping = {entry["fullUrl"]: f"{entry['resource']['resourceType']}/{n}" for n, entry in enumerate(entries)}
    for entry in entries:
        after = rewrite(entry["resource"], mapping)
        assert b'"reference":"urn:uuid:' not in encode(after)
