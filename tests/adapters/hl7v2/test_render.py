"""An answer is written as the hospital reads it, and our own parser reads back what it says."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from bundles import made

from adapters.contract import Hospital, Reply, Resource, Translation
from adapters.hl7v2.render import message_of, render
from adapters.hl7v2.render_parts import narrative, stamp

Translate = Callable[[bytes], Translation]
FACILITY = "http://fhir.hl7.org.vn/core/sid/ma-cskcb"
MRN = "urn:vn:quang-ninh:qn-general:mrn"
PATIENT: Resource = {
    "resourceType": "Patient",
    "id": "p",
    "identifier": [
        {"system": "urn:other:mrn", "value": "BM9", "type": {"coding": [{"code": "MR"}]}},
        {"system": MRN, "value": "QN0001", "type": {"coding": [{"code": "MR"}]}},
        {
            "system": "http://fhir.hl7.org.vn/core/sid/cccd",
            "value": "022861009001",
            "type": {"coding": [{"code": "NI"}]},
        },
    ],
    "name": [{"text": "NGUYỄN VĂN HOÀ", "family": "NGUYỄN", "given": ["VĂN", "HOÀ"]}],
    "gender": "male",
    "birthDate": "1961-03",
    "telecom": [{"system": "phone", "value": "0912000001", "use": "mobile"}],
}
REQUEST: Resource = {
    "resourceType": "ServiceRequest",
    "id": "r",
    "status": "active",
    "identifier": [{"value": "GCT-1"}],
    "priority": "urgent",
    "reasonCode": [{"text": "Vượt khả năng & cần can thiệp"}],
    "requester": {"reference": "Practitioner/d"},
}
DOCTOR: Resource = {
    "resourceType": "Practitioner",
    "id": "d",
    "identifier": [{"value": "BS1"}],
    "name": [{"text": "PHẠM MINH AN"}],
}


def facility(code: str, title: str) -> Resource:
    return {"identifier": {"system": FACILITY, "value": code}, "display": title}


TASK: Resource = {
    "resourceType": "Task",
    "id": "t",
    "identifier": [{"value": "CASE-1"}],
    "status": "accepted",
    "focus": {"reference": "ServiceRequest/r"},
    "for": {"reference": "Patient/p"},
    "lastModified": "2026-11-23T15:00:00.000Z",
    "requester": facility("22T01", "Bệnh viện tỉnh"),
    "owner": facility("01T01", "Bạch Mai"),
}
OBSERVATION: Resource = {
    "resourceType": "Observation",
    "id": "o",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "718-7", "display": "Hb"}], "text": "Huyết sắc tố"},
    "valueQuantity": {"value": Decimal("7.20"), "unit": "g/L", "comparator": "<"},
    "effectiveDateTime": "2026-11-22T08:00:00+07:00",
}
DOCUMENT: Resource = {
    "resourceType": "Bundle",
    "id": "b",
    "entry": [
        {
            "resource": {
                "resourceType": "Composition",
                "type": {"coding": [{"system": "http://loinc.org", "code": "18842-5"}]},
                "title": "Tóm tắt ra viện",
                "date": "2026-11-23T15:00:00+07:00",
                "section": [
                    {"title": "Kết quả", "text": {"div": "<div><p>Ổn &lt;định&gt;<br/>hẹn &amp; khám</p></div>"}}
                ],
            }
        },
        {"resource": DOCTOR},
        {"resource": OBSERVATION},
    ],
}


def reply(hospital: Hospital, event: str, task: Resource, *more: Resource, **outbound: str) -> bytes:
    sent = datetime(2026, 11, 23, 15, tzinfo=UTC)
    receiver = replace(hospital, outbound=outbound)
    return render(Reply(receiver, event, (task, REQUEST, PATIENT, DOCTOR, *more), "CONTROL1", sent))


@pytest.mark.parametrize("outbound", [{}, {"encoding": "#*+!$"}, {"segment_end": "LF", "version": "2.7"}])
def test_an_answer_is_read_back_as_it_was_meant(
    hospital: Hospital, translate: Translate, outbound: dict[str, str]
) -> None:
    slot = {"resourceType": "Appointment", "id": "a", "start": "2026-11-25T08:00:00+07:00"}
    task = {**TASK, "output": [{"valueReference": {"reference": "Appointment/a"}}]}
    body = reply(hospital, "referral.accept", task, slot, **outbound)
    translation = translate(body)

    [patient] = made(translation, "Patient")
    assert patient["name"][0]["text"] == "NGUYỄN VĂN HOÀ"
    assert [mark["value"] for mark in patient["identifier"]] == ["QN0001", "BM9", "022861009001"]
    assert patient["identifier"][0]["system"] == MRN
    assert patient["identifier"][1].get("system") != MRN
    assert (patient["birthDate"], patient["gender"]) == ("1961-03", "male")
    assert b"20261125080000" in body


def test_a_document_goes_back_with_its_words_and_results(hospital: Hospital, translate: Translate) -> None:
    task = {**TASK, "status": "completed", "output": [{"valueReference": {"reference": "Bundle/b"}}]}
    translation = translate(reply(hospital, "referral.complete", task, DOCUMENT))

    text, result = made(translation, "Observation")
    assert text["valueString"] == "Ổn <định>\nhẹn & khám"
    assert (str(result["valueQuantity"]["value"]), result["valueQuantity"]["comparator"]) == ("7.20", "<")
    assert result["code"]["coding"][0] == {"system": "http://loinc.org", "code": "718-7", "display": "Hb"}
    [report] = made(translation, "DiagnosticReport")
    assert report["status"] == "final"
    assert [mark["value"] for mark in report["identifier"]] == ["GCT-1", "CASE-1"]
    assert [person["display"] for person in report["resultsInterpreter"]] == ["PHẠM MINH AN"]


def test_a_referral_goes_to_a_hospital_of_the_province_as_one(hospital: Hospital, translate: Translate) -> None:
    condition = {"resourceType": "Condition", "id": "c", "code": {"coding": [{"code": "I20.0", "display": "Đau ngực"}]}}
    allergy = {
        "resourceType": "AllergyIntolerance",
        "id": "y",
        "category": ["medication"],
        "code": {"text": "Penicillin"},
    }
    document = {**DOCUMENT, "entry": [*DOCUMENT["entry"], {"resource": condition}, {"resource": allergy}]}
    task = {**TASK, "status": "requested", "input": [{"valueReference": {"reference": "Bundle/b"}}]}
    translation = translate(reply(hospital, "referral.open", task, document))

    request = next(r for r in made(translation, "ServiceRequest") if r.get("category"))
    assert request["category"][0]["coding"][0]["code"] == "3457005"
    assert request["performer"][0]["identifier"]["value"] == "01T01"
    assert request["priority"] == "asap"
    assert request["reasonCode"] == [{"text": "Vượt khả năng & cần can thiệp"}]
    assert made(translation, "Condition")[0]["code"]["coding"][0]["code"] == "I20.0"
    assert made(translation, "AllergyIntolerance")[0]["category"] == ["medication"]
    assert request["note"] == [{"text": "Kết quả: Ổn <định>\nhẹn & khám"}]


def test_the_same_reply_is_the_same_message(hospital: Hospital) -> None:
    assert reply(hospital, "referral.accept", TASK) == reply(hospital, "referral.accept", TASK)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("referral.accept", "RRI^I12"),
        ("teleconsult.decline", "RRI^I12"),
        ("teleconsult.answer", "ORU^R01"),
        ("referral.open", "REF^I12"),
        ("referral.receive", ""),
    ],
)
def test_each_event_has_its_message(event: str, kind: str) -> None:
    assert message_of(event) == kind


@pytest.mark.parametrize(
    ("moment", "written"),
    [("1961", "1961"), ("1961-03", "196103"), ("2026-11-23T15:00:01.500Z", "20261123150001+0000"), ("", "")],
)
def test_a_time_keeps_what_its_source_left_open(moment: str, written: str) -> None:
    assert stamp(moment) == written


def test_a_narrative_is_one_line_for_each_block() -> None:
    section = {"text": {"div": "<div><p>a&amp;b</p><ul><li>c</li><li> d </li></ul></div>"}}
    assert narrative(section) == "a&b\nc\nd"
