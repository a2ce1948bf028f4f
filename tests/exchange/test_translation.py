"""Which adapter takes a message, and what a broken one leads to."""

from datetime import UTC, datetime

import pytest

from adapters.contract import Account, Fate, Message, Translation, Untranslatable
from fhir_gateway.app import adapters, directory
from fhir_gateway.exchange.translation import choose, translate
from fhir_gateway.settings import Settings

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def sent(hospital, media_type, body):
    return Message(directory(Settings()).hospital(hospital), media_type, body, NOW)


@pytest.mark.parametrize(
    ("media_type", "path", "expected"),
    [
        ("application/xml", "vn_xml/outpatient", "vn_xml"),
        ("text/xml; charset=utf-8", "cda/mother-discharge", "cda"),
        ("application/octet-stream", "cda/mother-discharge", "cda"),
        ("text/plain", "hl7v2/admission-a01", "hl7v2"),
        ("", "hl7v2/admission-a01", "hl7v2"),
    ],
)
def test_the_bytes_decide_whatever_the_hospital_usually_sends(message, media_type, path, expected):
    for hospital in ("qn-general", "bai-chay", "san-nhi"):
        assert choose(adapters(), sent(hospital, media_type, message(path)))[0] == expected


def test_what_no_adapter_recognises_goes_to_the_hospitals_own_and_is_refused_with_a_place():
    for hospital in ("qn-general", "bai-chay", "san-nhi"):
        translated = translate(adapters(), sent(hospital, "application/octet-stream", b"\x00 nothing of the kind"))
        assert translated.translation is None
        assert translated.faults[0].where


class Fake:
    """An adapter that answers what it is told to."""

    NAME = "fake"
    MEDIA_TYPES = frozenset({"x/fake"})

    def __init__(self, answer):
        self.answer = answer

    def recognises(self, body):
        return True

    def translate(self, message):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def with_answer(answer):
    return {"hl7v2": Fake(answer)}


def bundle(resource):
    entry = {"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource}
    entry["request"] = {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}
    return {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}


def test_an_invalid_resource_is_a_fault_with_its_path():
    wrong = {"resourceType": "Patient", "id": "a", "gender": "männlich"}
    translated = translate(with_answer(Translation(bundle(wrong), ())), sent("qn-general", "x/fake", b"x"))
    assert [fault.where for fault in translated.faults] == ["Bundle.entry[0].resource.gender"]


def test_a_message_of_which_nothing_could_be_mapped_is_a_fault():
    empty = Translation({"resourceType": "Bundle", "type": "transaction"}, ())
    assert translate(with_answer(empty), sent("qn-general", "x/fake", b"x")).faults


def test_a_refusal_keeps_its_place_and_reason():
    refusal = Untranslatable("no such thing", "PID-3")
    fault = translate(with_answer(refusal), sent("qn-general", "x/fake", b"x")).faults[0]
    assert (fault.where, fault.text) == ("PID-3", "no such thing")


def test_the_counts_add_up():
    ledger = (
        Account("a", Fate.MAPPED, ("Patient/a#id",)),
        Account("b", Fate.IGNORED, reason="r"),
        Account("c", Fate.UNMAPPED),
    )
    good = Translation(bundle({"resourceType": "Patient", "id": "a"}), ledger)
    counts = translate(with_answer(good), sent("qn-general", "x/fake", b"x")).counts
    assert counts == {"mapped": 1, "ignored": 1, "unmapped": 1, "fields": 3}
