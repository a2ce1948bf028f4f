"""The walk: which segment builds on which, and what a message cannot do without."""

from collections.abc import Callable
from datetime import UTC, datetime
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import hl7v2
from adapters.contract import Fate, Hospital, Message, Resource, Translation, Untranslatable
from adapters.hl7v2.codes import rows, table

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]

PID = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M"
PV1 = "PV1|1|I|||||||||||||||||VN1|||||||||||||||||||||||||20261102"


def only(translation: Translation, resource_type: str) -> Resource:
    found = [e["resource"] for e in translation.bundle["entry"] if e["resource"]["resourceType"] == resource_type]
    assert len(found) == 1
    resource: Resource = found[0]
    return resource


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ("ADT^A01", "in-progress"),
        ("ADT^A03", "finished"),
        ("ADT^A05", "planned"),
        ("ADT^A08", "in-progress"),
        ("ADT^A11", "cancelled"),
        ("ORU^R01", "unknown"),
    ],
)
def test_the_event_says_how_far_the_visit_is(translate: Translate, message: Build, event: str, status: str) -> None:
    assert only(translate(message(event, PID, PV1)), "Encounter")["status"] == status


def test_a_discharge_without_its_time_takes_the_time_of_the_event(translate: Translate, message: Build) -> None:
    encounter = only(translate(message("ADT^A03", "EVN||20261106||||202611061000", PID, PV1)), "Encounter")

    assert encounter["period"] == {"start": "2026-11-02", "end": "2026-11-06T10:00:00+07:00"}


def test_a_period_that_ends_before_it_starts_keeps_its_start_and_says_so(translate: Translate, message: Build) -> None:
    translation = translate(message("ADT^A03", PID, PV1 + "|202611010900"))

    assert only(translation, "Encounter")["period"] == {"start": "2026-11-02"}
    assert [notice.where for notice in translation.notices] == ["PV1[1]-45[1]"]


@pytest.mark.parametrize(
    ("segments", "where"),
    [
        (("EVN|A01",), "PID"),
        (("PID|1||||NGUYỄN^HOÀ", PV1), "PID[1]-3"),
        ((PID, "OBR|1|P1|F1|SHM", "OBX|1|NM|NA||1.2.3||||||F"), "OBX[1]-5"),
    ],
)
def test_a_message_that_cannot_be_filed_safely_names_the_place(
    translate: Translate, message: Build, segments: tuple[str, ...], where: str
) -> None:
    with pytest.raises(Untranslatable) as refused:
        translate(message("ADT^A01", *segments))

    assert refused.value.where == where


def test_a_merge_needs_the_number_that_goes(translate: Translate, message: Build) -> None:
    with pytest.raises(Untranslatable) as refused:
        translate(message("ADT^A40", PID))

    assert refused.value.where == "MRG"


def test_a_missing_visit_is_a_notice_and_the_patient_is_kept(translate: Translate, message: Build) -> None:
    translation = translate(message("ADT^A01", PID))

    assert only(translation, "Patient")["birthDate"] == "1961"
    assert [notice.where for notice in translation.notices] == ["PV1"]


def test_a_message_type_without_a_map_keeps_what_is_shared_and_says_so(translate: Translate, message: Build) -> None:
    translation = translate(message("CSU^C09", "CSR|1|2|3", PID, PV1))

    assert only(translation, "Encounter")["status"] == "unknown"
    assert [notice.where for notice in translation.notices] == ["MSH[1]-9", "CSR"]
    fates = {account.place: account.fate for account in translation.ledger}
    assert fates["CSR[1]-2[1]"] is Fate.UNMAPPED


def test_a_message_about_the_person_alone_opens_no_visit(translate: Translate, message: Build) -> None:
    kinds = [e["resource"]["resourceType"] for e in translate(message("ADT^A28", PID, "PV1|1|N")).bundle["entry"]]

    assert "Encounter" not in kinds


def test_a_hostile_number_of_rows_takes_no_hostile_time(translate: Translate, message: Build) -> None:
    started = perf_counter()
    translate(message("ORU^R01", PID, *["OBR|1|P|F|S", "OBX|1|TX|N||a"] * 1500, *["x"] * 20000, PID + "~1" * 3000))

    assert perf_counter() - started < 10


def test_a_comment_belongs_to_the_row_before_it(translate: Translate, message: Build) -> None:
    body = message(
        "ORU^R01", PID, "OBR|1|P1|F1|SHM", "NTE|1||về phiếu", "OBX|1|ST|MAU||vàng||||||F", "NTE|1||về kết quả"
    )
    translation = translate(body)

    assert only(translation, "ServiceRequest")["note"] == [{"text": "về phiếu"}]
    assert only(translation, "Observation")["note"] == [{"text": "về kết quả"}]


def test_each_patient_of_a_message_keeps_what_is_its_own(translate: Translate, message: Build) -> None:
    other = PID.replace("QN0001", "QN0002")
    translation = translate(message("ADT^A17", PID, PV1, other, PV1.replace("VN1", "VN2"), "AL1|1|DA|^Penicillin"))

    patients = [e["fullUrl"] for e in translation.bundle["entry"] if e["resource"]["resourceType"] == "Patient"]
    assert len(patients) == 2
    assert only(translation, "AllergyIntolerance")["patient"] == {"reference": patients[1]}


def test_a_resend_with_a_new_control_number_meets_the_same_ids(translate: Translate, message: Build) -> None:
    body = message("ORU^R01", PID, PV1, "OBR|1|P1|F1|SHM", "OBX|1|ST|MAU||vàng||||||P")
    again = body.replace(b"|1|P|2.5.1", b"|2|P|2.5.1").replace(b"|P\r", b"|F\r")

    def ids(sent: bytes) -> list[str]:
        return [entry["fullUrl"] for entry in translate(sent).bundle["entry"]]

    assert ids(body) == ids(again)


def batch(message: Build, *events: str, said: str = "") -> bytes:
    head = b"FHS|^~\\&|HIS\rBHS|^~\\&|HIS\r"
    bodies = [message(event, PID.replace("QN0001", f"QN{n}")) for n, event in enumerate(events)]
    return head + b"".join(bodies) + f"BTS|{said}\rFTS|1\r".encode()


def test_every_message_of_a_batch_is_mapped_and_its_places_are_its_own(translate: Translate, message: Build) -> None:
    translation = translate(batch(message, "ADT^A08", "ADT^A29", said="2"))

    patients = [e["resource"] for e in translation.bundle["entry"] if e["resource"]["resourceType"] == "Patient"]
    assert [patient.get("active") for patient in patients] == [None, False]
    fates = {account.place: account.fate for account in translation.ledger}
    assert (fates["PID[1]-3[1].1"], fates["PID[2]-3[1].1"]) == (Fate.MAPPED, Fate.MAPPED)
    assert fates["BTS[1]-1[1]"] is Fate.IGNORED


@pytest.mark.parametrize(("said", "change", "where"), [("3", b"", "BTS[1]-1"), ("2", b"MSH|^~!&|", "MSH[2]-2")])
def test_a_batch_that_cannot_be_whole_is_refused(
    translate: Translate, message: Build, said: str, change: bytes, where: str
) -> None:
    body = batch(message, "ADT^A08", "ADT^A08", said=said)
    head, _, tail = body.rpartition(b"MSH|^~\\&|")
    with pytest.raises(Untranslatable) as refused:
        translate(head + change + tail if change else body)

    assert refused.value.where == where


def test_messages_without_the_envelope_of_a_batch_are_refused(translate: Translate, message: Build) -> None:
    with pytest.raises(Untranslatable) as refused:
        translate(message("ADT^A08", PID) * 2)

    assert refused.value.where == "MSH[2]"


def test_a_segment_of_billing_is_left_out_for_a_written_reason(translate: Translate, message: Build) -> None:
    ledger = translate(message("DFT^P03", PID, "FT1|1|||20261106||CG|TPT||||1|1500000")).ledger

    fates = {account.fate for account in ledger if account.place.startswith("FT1")}
    assert fates == {Fate.IGNORED}


def test_an_order_of_tests_is_no_referral(translate: Translate, message: Build) -> None:
    order = only(translate(message("ORM^O01", PID, "ORC|NW|P1", "OBR|1|P1||SHM")), "ServiceRequest")

    assert "category" not in order


SEGMENT = st.sampled_from(
    [
        "PID",
        "PV1",
        "PV2",
        "NK1",
        "DG1",
        "AL1",
        "IN1",
        "ORC",
        "OBR",
        "OBX",
        "SPM",
        "NTE",
        "PR1",
        "MRG",
        "ZZZ",
        "TXA",
        "SCH",
        "AIS",
        "AIG",
        "AIL",
        "AIP",
        "RXO",
        "RXE",
        "RXD",
        "RXA",
        "RXR",
        "RXC",
        "TQ1",
        "ROL",
        "PRT",
        "GT1",
        "PRB",
        "IAM",
        "MSH",
        "BTS",
    ]
)
TEXT = st.text(st.sampled_from('A1Đ&^~\\.<-,"20 '), max_size=12)


@settings(deadline=None, max_examples=120)
@given(
    st.sampled_from(
        ["ADT^A01", "ADT^A40", "ORU^R01", "REF^I12", "MDM^T02", "SIU^S12", "RDE^O11", "VXU^V04", "RAS^O17"]
    ),
    st.lists(st.tuples(SEGMENT, st.lists(TEXT, min_size=1, max_size=30)), max_size=6),
)
def test_no_message_crashes_and_every_ledger_adds_up(
    hospital: Hospital, message: Build, event: str, segments: list[tuple[str, list[str]]]
) -> None:
    body = message(event, PID, *["|".join([name, *fields]) for name, fields in segments])
    try:
        ledger = hl7v2.translate(Message(hospital, "text/plain", body, datetime(2026, 1, 1, tzinfo=UTC))).ledger
    except Untranslatable as refused:
        ledger = ()
        assert refused.where  # noqa: PT017

    places = [account.place for account in ledger]
    assert len(places) == len(set(places))
    assert all(account.targets for account in ledger if account.fate is Fate.MAPPED)
    assert all(account.reason for account in ledger if account.fate is Fate.IGNORED)


def test_the_adapter_knows_its_own_messages() -> None:
    assert hl7v2.recognises(b"\x0bMSH|^~\\&|")
    assert hl7v2.recognises(b"\xef\xbb\xbfMSH|")
    assert not hl7v2.recognises(b"<GIAMDINHHS>")
    assert not hl7v2.recognises(b"")


@pytest.mark.parametrize("name", ["v2-0001", "v2-0004", "v2-0078", "v2-0085", "v2-0123", "v2-0203", "units"])
def test_a_code_table_has_a_system_and_a_code_in_every_row(name: str) -> None:
    assert all(coding.system.startswith("http") and coding.code for coding in table(name).values())
    assert len(table(name)) == len(rows(name))


def test_a_message_that_is_nearly_all_signs_is_refused_before_it_takes_the_memory(
    translate: Translate, message: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.hl7v2.MOST_PARTS", 2000)
    rows = ["PID|1||QN0001^^^22T01^MR", "NTE|1||" + "x" * 3000]
    assert translate(message("ADT^A08", *rows)).ledger
    with pytest.raises(Untranslatable, match="more than 2000 parts"):
        translate(message("ADT^A08", *rows, "ZZZ|" + "x|~^&" * 500))
