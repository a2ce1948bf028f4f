"""The two Provenances of a message: who sent what, and what was made of it by which mapping."""

from dataclasses import replace

import pytest

from fhir_gateway.exchange.inbox import Receipt
from fhir_gateway.exchange.parts import facility
from fhir_gateway.exchange.provenances import of_message
from fhir_gateway.fhir.validation import validate
from fhir_gateway.search.extract import index

HOSPITAL = facility("22T01", "Bệnh viện")
TARGETS = ["Patient/p", *(f"Observation/o{n}" for n in range(100))]


@pytest.fixture
def receipt():
    return Receipt("qn-general", "abc", "00ff", "x/y", 3, "2026-11-23T08:00:00.000+00:00", mapping="hl7v2@1234")


def test_both_are_valid_and_each_says_its_part(receipt):
    source, made = of_message(receipt, "quang-ninh", HOSPITAL, TARGETS)
    assert validate(source) == validate(made) == ()
    assert source["agent"][0]["who"] == HOSPITAL
    assert source["entity"][0]["what"]["identifier"]["value"] == "qn-general/abc"
    assert made["agent"][0]["who"]["type"] == "Device"
    assert made["entity"][0]["what"]["reference"] == f"Provenance/{source['id']}"
    assert made["policy"] == ["urn:vn:quang-ninh:fhir-gateway:mapping:hl7v2@1234"]
    assert [target["reference"] for target in made["target"]] == TARGETS


def test_only_one_of_them_is_found_by_every_resource(receipt):
    source, made = (index(one)["keys"] for one in of_message(receipt, "quang-ninh", HOSPITAL, TARGETS))
    assert len(source) < 12
    assert len(made) > 100


def test_a_corrected_message_names_the_one_it_corrects(receipt):
    source, _ = of_message(replace(receipt, corrects="def"), "quang-ninh", HOSPITAL, [])
    assert source["entity"][1]["role"] == "revision"
    assert source["entity"][1]["what"]["identifier"]["value"] == "qn-general/def"
