"""What a hospital's interface meets: receipts, repeats, quarantine, and records that follow from messages."""

import json
import re

import pytest

pytestmark = pytest.mark.anyio

HL7, XML = "application/hl7-v2", "application/xml"


async def test_a_message_gets_a_receipt_at_once_and_its_final_state_on_request(pair, message):
    province, _ = pair
    body = message("hl7v2/admission-a01")
    first = await province.ingest("qn-general", HL7, body, wait=False)
    assert first.status_code == 202
    assert first.json()["state"] == "received"
    assert first.headers["location"] == f"/ingest/qn-general/{first.json()['receipt']}"
    settled = await province.ingest("qn-general", HL7, body)
    assert settled.status_code == 200
    assert settled.json()["state"] == "stored"


async def test_a_repeat_gets_the_first_answer_and_changes_nothing(pair, message):
    province, _ = pair
    first = (await province.ingest("qn-general", HL7, message("hl7v2/admission-a01"))).json()
    again = (await province.ingest("qn-general", HL7, message("hl7v2/admission-a01"))).json()
    assert (first["repeated"], again["repeated"]) == (False, True)
    assert {**again, "repeated": False} == first
    patient = next(ref for ref in first["resources"] if ref.startswith("Patient/"))
    history = (await province.get("qn-general", f"/fhir/{patient}/_history")).json()
    assert len(history["entry"]) == 1


async def test_the_original_is_returned_byte_for_byte(pair, message):
    province, _ = pair
    body = message("hl7v2/charset-windows-1258")
    receipt = (await province.ingest("qn-general", HL7, body)).json()
    answer = await province.get("qn-general", f"/ingest/qn-general/{receipt['receipt']}/original")
    assert answer.content == body
    assert answer.headers["content-type"] == HL7


@pytest.mark.parametrize(
    ("hospital", "media_type", "path", "where"),
    [
        ("qn-general", HL7, "hl7v2/bad-no-pid", "PID"),
        ("qn-general", HL7, "hl7v2/bad-lab-value", "OBX[2]-5"),
        ("bai-chay", XML, "vn_xml/bad-external-entity", "DOCTYPE"),
        ("bai-chay", XML, "vn_xml/bad-truncated", "line"),
    ],
)
async def test_a_bad_message_is_quarantined_with_its_place_and_reason(pair, message, hospital, media_type, path, where):
    province, _ = pair
    answer = await province.ingest(hospital, media_type, message(path))
    receipt = answer.json()
    assert answer.status_code == 422
    assert receipt["state"] == "quarantined"
    assert where in receipt["problems"][0]["where"]
    assert receipt["problems"][0]["text"]
    assert receipt["resources"] == []
    kept = await province.get(hospital, f"/ingest/{hospital}/{receipt['receipt']}/original")
    assert kept.content == message(path)
    listed = (await province.get(hospital, f"/ingest/{hospital}?state=quarantined")).json()["receipts"]
    assert [row["receipt"] for row in listed] == [receipt["receipt"]]


async def test_the_ledger_accounts_for_every_field(pair, message):
    province, _ = pair
    receipt = (await province.ingest("bai-chay", XML, message("vn_xml/episode-3176"))).json()
    ledger = (await province.get("bai-chay", f"/ingest/bai-chay/{receipt['receipt']}/ledger")).json()
    counts = ledger["counts"]
    assert counts["fields"] == len(ledger["accounts"]) == counts["mapped"] + counts["ignored"] + counts["unmapped"]
    assert all(row["reason"] for row in ledger["accounts"] if row["fate"] == "ignored")
    assert all(row["targets"] for row in ledger["accounts"] if row["fate"] == "mapped")


async def test_a_hospital_sees_and_sends_only_its_own(pair, message):
    province, _ = pair
    receipt = (await province.ingest("qn-general", HL7, message("hl7v2/admission-a01"))).json()
    patient = next(ref for ref in receipt["resources"] if ref.startswith("Patient/"))
    assert (await province.get("bai-chay", f"/fhir/{patient}")).status_code in (403, 404)
    assert (await province.get("bai-chay", f"/ingest/qn-general/{receipt['receipt']}")).status_code == 403
    headers = {**province.bearer("bai-chay"), "Content-Type": HL7}
    refused = await province.http.post("/ingest/qn-general", content=b"MSH|^~\\&|", headers=headers)
    assert refused.status_code == 403


async def test_no_anonymous_path_takes_a_message(pair, message):
    province, _ = pair
    answer = await province.http.post("/ingest/qn-general", content=message("hl7v2/admission-a01"))
    assert answer.status_code == 401


async def test_an_empty_message_and_an_unknown_hospital_are_refused_by_name(pair):
    province, _ = pair
    assert (await province.ingest("qn-general", HL7, b"  \r\n")).status_code == 400
    headers = {**province.bearer("admin"), "Content-Type": HL7}
    unknown = await province.http.post("/ingest/nowhere", content=b"MSH|", headers=headers)
    assert unknown.status_code == 404
    assert "bai-chay" in unknown.json()["issue"][0]["diagnostics"]


async def test_a_later_message_completes_a_patient_and_never_blanks_it(pair, message):
    province, _ = pair
    first = (await province.ingest("qn-general", HL7, message("hl7v2/admission-a01"))).json()
    patient = next(ref for ref in first["resources"] if ref.startswith("Patient/"))
    before = (await province.get("qn-general", f"/fhir/{patient}")).json()
    await province.ingest("qn-general", HL7, message("hl7v2/laboratory-oru"))
    after = (await province.get("qn-general", f"/fhir/{patient}")).json()
    assert set(before) <= set(after)
    assert {i["value"] for i in before["identifier"]} <= {i["value"] for i in after["identifier"]}


async def test_every_resource_names_the_message_it_came_from(pair, message):
    province, _ = pair
    receipt = (await province.ingest("qn-general", HL7, message("hl7v2/laboratory-oru"))).json()
    for reference in receipt["resources"]:
        resource = (await province.get("qn-general", f"/fhir/{reference}")).json()
        if resource["resourceType"] != "Provenance":
            assert resource["meta"]["source"].endswith(f"qn-general/{receipt['receipt']}")
    provenance = await province.search("qn-general", f"Provenance?target={receipt['resources'][0]}")
    assert provenance[0]["entity"][0]["what"]["identifier"]["value"] == f"qn-general/{receipt['receipt']}"


async def test_decimals_keep_their_text_from_message_to_answer(pair):
    province, _ = pair
    text = (
        "MSH|^~\\&|HIS|22T01|GW|QN|20261120080000+0700||ORU^R01^ORU_R01|DEC1|P|2.5.1\r"
        "PID|1||QN7777^^^QN^MR||THỬ^SỐ||19800101|M\rOBR|1|O1|O1|GLU^Glucose^L|||20261120070000+0700\r"
        "OBX|1|NM|GLU^Glucose^L||7.20|mmol/L|||||F\r"
    )
    await province.ingest("qn-general", HL7, text.encode())
    answer = await province.get("qn-general", "/fhir/Observation?code=GLU")
    assert '"value":7.20' in answer.text
    assert json.loads(answer.text)["total"] == 1


async def test_a_late_result_does_not_reopen_a_finished_stay(pair, message):
    province, _ = pair
    for name in ("admission-a01", "discharge-a03"):
        await province.ingest("qn-general", HL7, message(f"hl7v2/{name}"))
    (stay,) = [e for e in await province.search("qn-general", "Encounter") if e["status"] == "finished"]
    late = (
        message("hl7v2/discharge-a03")
        .decode()
        .replace("ADT^A03^ADT_A03", "ORU^R01^ORU_R01")
        .replace("QN-000004", "LATE")
    )
    await province.ingest("qn-general", HL7, late.encode())
    again = (await province.get("qn-general", f"/fhir/Encounter/{stay['id']}")).json()
    assert again["status"] == "finished"
    assert again["class"] == stay["class"]


async def test_an_admission_sent_again_keeps_its_insurance_card(pair, message):
    province, _ = pair
    text = message("hl7v2/admission-a01").decode()
    for number in ("AGAIN-1", "AGAIN-2"):
        again = text.replace("QN-000001", number)
        assert again != text
        receipt = (await province.ingest("qn-general", HL7, again.encode())).json()
        assert receipt["state"] == "stored", receipt["problems"]
    (card,) = await province.search("qn-general", "Coverage")
    assert card["class"]


HEAD = "MSH|^~\\&|HIS|22T01|GW|QN|20261120080000||{kind}|{number}|P|2.5.1\r"
PERSON = "PID|1||QN8888^^^QN^MR||THỬ^SỐ||19800101|M\r"
STAY = "PV1|1|I|NOI^1^2||||||||||||||||V8888\r"
EARLIER = {
    "a diagnosis": HEAD.format(kind="ADT^A01^ADT_A01", number="E1") + PERSON + STAY + "DG1|1||J44.1^COPD^I10\r",
    "a merged patient": HEAD.format(kind="ADT^A40^ADT_A39", number="E2") + PERSON + "MRG|QN8887^^^QN^MR\r",
}


@pytest.mark.parametrize("text", EARLIER.values(), ids=EARLIER)
async def test_a_referral_takes_along_what_earlier_messages_told(pair, text):
    province, _ = pair
    assert (await province.ingest("qn-general", HL7, text.encode())).json()["state"] == "stored"
    referral = HEAD.format(kind="REF^I12^REF_I12", number="E3") + "RF1|A|S|CAR|||GCT-1^HIS|20261121\r"
    referral += "PRD|RT^Nơi nhận|||||||||BV^^^^^^^^^01T01\r" + PERSON + STAY
    receipt = (await province.ingest("qn-general", HL7, referral.encode())).json()
    assert receipt["state"] == "stored", receipt["problems"]
    assert len(await province.search("qn-general", "Task?status=requested")) == 1


def only(body: bytes, *kinds: str) -> bytes:
    """The national XML with those inner files alone."""
    parts = re.split(rb"(<FILEHOSO>.*?</FILEHOSO>)", body, flags=re.DOTALL)
    kept = [f"<LOAIHOSO>{kind}</LOAIHOSO>".encode() for kind in kinds]
    return b"".join(p for p in parts if not p.startswith(b"<FILEHOSO>") or any(kind in p for kind in kept))


@pytest.mark.parametrize("order", [("XML1", "XML13"), ("XML13", "XML1")])
async def test_a_transfer_slip_sent_apart_from_its_episode_is_filed_under_the_same_person(pair, message, order):
    province, _ = pair
    whole = message("vn_xml/episode-3176")
    for kind in order:
        receipt = (await province.ingest("bai-chay", XML, only(whole, kind))).json()
        assert receipt["state"] == "stored", receipt["problems"]
    (stay,) = await province.search("bai-chay", "Encounter")
    (request,) = await province.search("bai-chay", "ServiceRequest?category=3457005")
    active = [p for p in await province.search("bai-chay", "Patient") if p.get("active", True)]
    assert [f"Patient/{p['id']}" for p in active] == [stay["subject"]["reference"]]
    (person,) = [p for p in await province.search("admin", "Person") if p["active"]]
    linked = {row["target"]["reference"] for row in person["link"]}
    assert {stay["subject"]["reference"], request["subject"]["reference"]} <= linked


async def test_an_account_has_a_list_of_subjects_and_is_filed_all_the_same(pair):
    """Accounts come with A41, and in Bundles of FHIR."""
    header = "MSH|^~\\&|HIS|22T01|FHIRGW|QN|20261106110000||ADT^A41|QN-9|P|2.5.1"
    rows = (header, "PID|1||QN0091^^^22T01^MR||LÊ^AN", "MRG|||TK2")
    answer = await pair[0].ingest("qn-general", "application/hl7-v2", "\r".join([*rows, ""]).encode())
    assert answer.json()["state"] == "stored"
    assert any(reference.startswith("Account/") for reference in answer.json()["resources"])
