"""The fixtures: what a document becomes, to the last letter, and why a bad one is refused."""

import json

import msgspec
import pytest
from bundles import containers, links

from adapters import cda
from adapters.contract import Untranslatable

GOOD = (
    "mother-discharge",
    "newborn-birth-record",
    "consultation-note",
    "unstructured",
    "nullflavors",
    "unknown-template",
    "care-summary",
)
BAD = ("bad-truncated", "bad-external-entity")


def written(bundle: dict) -> bytes:
    """The Bundle as the fixtures keep it: decimals with the digits they came in."""
    return msgspec.json.format(msgspec.json.Encoder(decimal_format="number").encode(bundle), indent=2) + b"\n"


@pytest.mark.parametrize("name", GOOD)
def test_a_document_becomes_its_golden_bundle(name, fixtures, case):
    assert written(case(name).bundle).decode() == (fixtures / name / "bundle.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", GOOD)
def test_the_same_bytes_give_the_same_bundle_and_ledger(name, case):
    first, second = case(name), case(name)

    assert written(first.bundle) == written(second.bundle)
    assert first.ledger == second.ledger


@pytest.mark.parametrize("name", GOOD)
def test_every_resource_is_valid_r4(name, case, r4_problems):
    assert r4_problems(case(name)) == []


@pytest.mark.parametrize("name", GOOD)
def test_every_reference_leads_into_the_bundle(name, case):
    bundle = case(name).bundle
    known = {entry["fullUrl"] for entry in bundle["entry"]}

    assert set(links(bundle)) <= known
    assert len(known) == len(bundle["entry"])


@pytest.mark.parametrize("name", BAD)
def test_a_bad_document_is_refused_with_its_place(name, fixtures, translate):
    expected = json.loads((fixtures / name / "refusal.json").read_text(encoding="utf-8"))

    with pytest.raises(Untranslatable) as refusal:
        translate((fixtures / name / "message.xml").read_bytes())

    assert {"reason": refusal.value.reason, "where": refusal.value.where} == expected


def test_the_adapter_recognises_its_own_documents_only(fixtures):
    for name in (*GOOD, *BAD[:1]):
        assert cda.recognises((fixtures / name / "message.xml").read_bytes())
    assert cda.recognises(b'\xef\xbb\xbf<?xml version="1.0"?><!-- x --><v:ClinicalDocument xmlns:v="urn:hl7-org:v3"/>')
    for other in (b"", b"MSH|^~\\&|", b"<GIAMDINHHS/>", b'<ClinicalDocument xmlns="urn:x"/>', b"<", b"<?xml", b"{}"):
        assert not cda.recognises(other)


@pytest.mark.parametrize("name", GOOD)
def test_two_translations_share_nothing_that_could_be_changed(name, case):
    first, second = case(name).bundle, case(name).bundle

    assert not {id(one) for one in containers(first)} & {id(one) for one in containers(second)}


def test_a_translation_does_not_depend_on_what_was_translated_before(case):
    forwards = [case(name) for name in GOOD]
    backwards = [case(name) for name in reversed(GOOD)]

    assert forwards == backwards[::-1]
