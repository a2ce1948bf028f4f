"""Codes of HL7's tables sent without a coding system: whose they are, and what stands beside them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from bundles import made

from adapters import hl7v2
from adapters.contract import Coding, Hospital, Message, Resource, Translation

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]

PID = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M"
V2 = "http://terminology.hl7.org/CodeSystem/v2-"


def kinds(translation: Translation) -> list[Resource]:
    (encounter,) = made(translation, "Encounter")
    return list(encounter["type"][0]["coding"])


def admission(message: Build, kind: str) -> bytes:
    return message("ADT^A01", PID, f"PV1|1|I||{kind}|||||||||||||||VN1")


def test_a_code_of_the_fields_table_is_hl7s(translate: Translate, message: Build) -> None:
    assert kinds(translate(admission(message, "E"))) == [{"system": f"{V2}0007", "code": "E", "display": "Emergency"}]


def test_the_senders_words_for_a_code_stay(translate: Translate, message: Build) -> None:
    (kind,) = kinds(translate(admission(message, "E^Cấp cứu")))

    assert (kind["system"], kind["display"]) == (f"{V2}0007", "Cấp cứu")


def test_a_code_that_the_table_does_not_know_is_the_hospitals(translate: Translate, message: Build) -> None:
    assert kinds(translate(admission(message, "KB"))) == [{"system": "urn:vn:code:qn-general:v2-0007", "code": "KB"}]


def test_a_code_of_the_senders_own_list_is_not_read_by_hl7s(translate: Translate, message: Build) -> None:
    assert [kind["system"] for kind in kinds(translate(admission(message, "E^Khác^L")))] == [
        "urn:vn:code:qn-general:v2-0007"
    ]


def test_what_the_hospitals_file_says_of_a_code_wins(hospital: Hospital, message: Build) -> None:
    own = Coding("http://example.org/sort", "evening", "Evening clinic")
    other = replace(hospital, codes={**hospital.codes, "v2-0007": {"E": own}})
    at = datetime(2026, 11, 2, tzinfo=UTC)
    translation = hl7v2.translate(Message(other, "application/hl7-v2", admission(message, "E"), at))

    assert [(kind["system"], kind["code"]) for kind in kinds(translation)] == [
        ("urn:vn:code:qn-general:v2-0007", "E"),
        ("http://example.org/sort", "evening"),
    ]


def test_a_code_that_fhir_writes_otherwise_keeps_what_was_sent(translate: Translate, message: Build) -> None:
    rows = ("PV1|1|I|||||||||||||||||VN1", "PV2|" + "|" * 24 + "2")
    (encounter,) = made(translate(message("ADT^A01", PID, *rows)), "Encounter")

    assert [(one["system"], one["code"]) for one in encounter["priority"]["coding"]] == [
        (f"{V2}0217", "2"),
        ("http://terminology.hl7.org/CodeSystem/v3-ActPriority", "UR"),
    ]


def test_a_code_in_other_capitals_keeps_its_own_and_gets_the_standard_one(translate: Translate, message: Build) -> None:
    rows = ("SCH|1|2|||||Followup||||^^^20261120083000", PID)
    (booked,) = made(translate(message("SIU^S12", *rows)), "Appointment")

    assert [(one["system"], one["code"]) for one in booked["reasonCode"][0]["coding"]] == [
        ("urn:vn:code:qn-general:v2-0276", "Followup"),
        ("http://snomed.info/sct", "185389009"),
    ]


def test_how_somebody_came_is_read_by_its_table(translate: Translate, message: Build) -> None:
    rows = ("PV1|1|I|||||||||||||||||VN1", "PV2|" + "|" * 37 + "A")
    (encounter,) = made(translate(message("ADT^A01", PID, *rows)), "Encounter")

    assert encounter["extension"][0]["valueCoding"] == {"system": f"{V2}0430", "code": "A", "display": "Ambulance"}


def test_the_number_of_a_social_insurance_that_is_no_citizens_number_says_so(
    translate: Translate, message: Build
) -> None:
    row = PID + "|" * 11 + "SSN-48383"
    (patient,) = made(translate(message("ADT^A28", row)), "Patient")

    assert [one["type"]["coding"][0]["code"] for one in patient["identifier"]] == ["MR", "SB"]


def test_words_for_the_class_of_a_visit_are_understood(translate: Translate, message: Build) -> None:
    (visit,) = made(translate(message("ADT^A01", PID, "PV1|1|INPATIENT|||||||||||||||||VN1")), "Encounter")

    assert visit["class"]["code"] == "IMP"
