"""A re-send of an episode replaces it: dropped rows leave the current record, their history and all else stays."""

from base64 import b64encode

import pytest

from adapters.contract import Unit
from fhir_gateway.exchange.inbox import receipt_of
from fhir_gateway.exchange.replacement import SHELF, replaced

pytestmark = pytest.mark.anyio

XML = "application/xml"
HEAD = "<MA_LK>LK-R</MA_LK><MA_BN>BN-R</MA_BN><HO_TEN>TRẦN VĂN THỬ</HO_TEN><NGAY_SINH>198001010000</NGAY_SINH>"
VISIT = f"<TONG_HOP>{HEAD}<MA_CSKCB>22T02</MA_CSKCB><NGAY_VAO>202611200800</NGAY_VAO>%s</TONG_HOP>"


def drugs(*names: str) -> str:
    rows = "".join(
        f"<CHI_TIET_THUOC><MA_LK>LK-R</MA_LK><STT>{i}</STT><TEN_THUOC>{name}</TEN_THUOC></CHI_TIET_THUOC>"
        for i, name in enumerate(names, 1)
    )
    return f"<CHITIEU_CHITIET_THUOC><DSACH_CHI_TIET_THUOC>{rows}</DSACH_CHI_TIET_THUOC></CHITIEU_CHITIET_THUOC>"


def file(signature: str = "", **tables: str) -> bytes:
    parts = "".join(
        f"<FILEHOSO><LOAIHOSO>{name}</LOAIHOSO><NOIDUNGFILE>{b64encode(text.encode()).decode()}</NOIDUNGFILE></FILEHOSO>"
        for name, text in tables.items()
    )
    return (
        "<GIAMDINHHS><THONGTINDONVI><MACSKCB>22T02</MACSKCB></THONGTINDONVI><THONGTINHOSO><DANHSACHHOSO>"
        f"<HOSO>{parts}</HOSO></DANHSACHHOSO></THONGTINHOSO><CHUKYDONVI>{signature}</CHUKYDONVI></GIAMDINHHS>"
    ).encode()


async def names(province) -> list[str]:
    found = await province.search("bai-chay", "MedicationRequest?_count=50")
    return sorted(drug["medicationCodeableConcept"]["text"] for drug in found)


async def test_rows_that_a_resend_drops_leave_the_record_and_keep_their_history(pair):
    province, _ = pair
    first = await province.ingest("bai-chay", XML, file(XML1=VISIT % "", XML2=drugs("A", "B", "C")))
    made = {ref for ref in first.json()["resources"] if ref.startswith("MedicationRequest/")}
    again = await province.ingest("bai-chay", XML, file(XML1=VISIT % "", XML2=drugs("A", "B")))

    assert await names(province) == ["A", "B"]
    (gone,) = made - set(again.json()["resources"])
    assert gone in [notice["where"] for notice in again.json()["notices"]]
    assert (await province.get("bai-chay", f"/fhir/{gone}")).status_code == 410
    assert (await province.get("bai-chay", f"/fhir/{gone}/_history/1")).json()["medicationCodeableConcept"][
        "text"
    ] == "C"


async def test_a_row_that_comes_back_is_current_again(pair):
    province, _ = pair
    for rows in (("A", "B"), ("A",), ("A", "B2")):
        assert (await province.ingest("bai-chay", XML, file(XML1=VISIT % "", XML2=drugs(*rows)))).status_code == 200

    assert await names(province) == ["A", "B2"]


async def test_a_claim_without_a_table_it_once_had_withdraws_all_of_it(pair):
    province, _ = pair
    await province.ingest("bai-chay", XML, file(XML1=VISIT % "", XML2=drugs("A")))
    await province.ingest("bai-chay", XML, file(XML1=VISIT % "<LY_DO_VV>Ho</LY_DO_VV>"))

    assert await names(province) == []


async def test_a_document_sent_alone_withdraws_nothing_of_the_claim(pair):
    province, _ = pair
    await province.ingest("bai-chay", XML, file(XML1=VISIT % "", XML2=drugs("A")))
    slip = f"<CHI_TIEU_GIAYHEN_KHAMLAI>{HEAD}<NGAY_HEN_KL>202612010800</NGAY_HEN_KL></CHI_TIEU_GIAYHEN_KHAMLAI>"
    await province.ingest("bai-chay", XML, file(XML14=slip))

    assert await names(province) == ["A"]


async def test_what_another_message_also_made_stays(pair):
    province, _ = pair
    disease = "<MA_BENH_CHINH>J18.9</MA_BENH_CHINH>"
    await province.ingest("bai-chay", XML, file(XML1=VISIT % disease))
    slip = f"<CHI_TIEU_GIAYCHUYENTUYEN>{HEAD}{disease}<MA_CSKCB_DEN>01T99</MA_CSKCB_DEN></CHI_TIEU_GIAYCHUYENTUYEN>"
    await province.ingest("bai-chay", XML, file(XML13=slip))
    await province.ingest("bai-chay", XML, file(XML1=VISIT % "<MA_BENH_CHINH>J20.9</MA_BENH_CHINH>"))

    codes = {c["code"]["coding"][0]["code"] for c in await province.search("bai-chay", "Condition")}
    assert codes == {"J18.9", "J20.9"}


async def test_an_episode_that_nobody_else_speaks_of_loses_the_old_diagnosis(pair):
    province, _ = pair
    await province.ingest("bai-chay", XML, file(XML1=VISIT % "<MA_BENH_CHINH>J18.9</MA_BENH_CHINH>"))
    await province.ingest("bai-chay", XML, file(XML1=VISIT % "<MA_BENH_CHINH>J20.9</MA_BENH_CHINH>"))

    codes = {c["code"]["coding"][0]["code"] for c in await province.search("bai-chay", "Condition")}
    assert codes == {"J20.9"}


async def test_secret_records_are_labelled_on_arrival_and_found_by_their_label(pair, message):
    province, _ = pair
    await province.ingest("bai-chay", XML, file(XML1=VISIT % "<MA_BENH_CHINH>T74.1</MA_BENH_CHINH>"))
    found = await province.search("bai-chay", "Condition?_security=SDV")
    plain = await province.search("bai-chay", "Condition?_security=HIV")

    assert [c["code"]["coding"][0]["code"] for c in found] == ["T74.1"]
    assert plain == []


async def test_a_check_in_that_comes_late_does_not_reopen_the_visit(pair):
    province, _ = pair
    row = f"<TRANG_THAI_KCB>{HEAD}<MA_CSKCB>22T02</MA_CSKCB><NGAY_VAO>202611200800</NGAY_VAO></TRANG_THAI_KCB>"
    check_in = f"<CHI_TIEU_TRANG_THAI_KCB><DSACH_TRANG_THAI_KCB>{row}</DSACH_TRANG_THAI_KCB></CHI_TIEU_TRANG_THAI_KCB>"
    first = await province.ingest("bai-chay", XML, check_in.encode())
    assert first.status_code == 200
    (visit,) = await province.search("bai-chay", "Encounter")
    assert visit["status"] == "arrived"
    await province.ingest("bai-chay", XML, file(XML1=VISIT % "<NGAY_RA>202611200900</NGAY_RA>"))
    await province.ingest("bai-chay", XML, check_in.encode() + b"\n")

    (visit,) = await province.search("bai-chay", "Encounter")
    assert visit["status"] == "finished"


async def test_a_secret_table_beside_a_referral_keeps_the_original_file_at_home(pair):
    province, _ = pair
    table = "HO_SO_BENH_AN_CHAM_SOC_VA_DIEU_TRI_HIV_AIDS"
    care = f"<{table}><MA_LK>LK-R</MA_LK><NGAYKD_HIV>20200101</NGAYKD_HIV></{table}>"
    slip = f"<CHI_TIEU_GIAYCHUYENTUYEN>{HEAD}<MA_CSKCB_DEN>01T01</MA_CSKCB_DEN></CHI_TIEU_GIAYCHUYENTUYEN>"
    whole = await province.ingest("bai-chay", XML, file(XML1=VISIT % "", XML6=care, XML13=slip))

    assert any("not sent along" in notice["text"] for notice in whole.json()["notices"])
    assert await province.search("bai-chay", "DocumentReference") == []


async def test_a_hospital_record_of_the_second_format_is_taken_and_replaced_group_by_group(pair, message):
    province, _ = pair
    body = message("vn_record/inpatient-json")
    receipt = (await province.ingest("bai-chay", "application/json", body)).json()
    assert receipt["state"] == "stored", receipt["problems"]
    assert (receipt["state"], receipt["adapter"], receipt["ledger"]["unmapped"]) == ("stored", "vn_record", 0)
    assert len(await province.search("bai-chay", "Task")) == 1
    shorter = body.replace(b'"tenchiso":"CRP"', b'"tenchiso":""').replace(b'"tenchiso": "CRP"', b'"tenchiso": ""')
    shorter = shorter.replace(b'"1000002"', b'""')
    again = (await province.ingest("bai-chay", "application/json", shorter)).json()

    withdrawn = [n["where"] for n in again["notices"] if "no longer states" in n["text"]]
    assert len(withdrawn) == 1
    assert (await province.get("bai-chay", f"/fhir/{withdrawn[0]}")).status_code == 410


async def test_a_document_that_replaces_its_earlier_version_takes_out_what_it_no_longer_says(pair, message):
    province, _ = pair
    body = message("cda/consultation-note").decode()
    start = body.rindex("<entry>")
    shorter = body[:start] + body[body.index("</entry>", start) + len("</entry>") :]
    shorter = shorter.replace('<versionNumber value="1"/>', '<versionNumber value="2"/>')
    for text in (body, shorter):
        receipt = await province.ingest("san-nhi", "application/cda+xml", text.encode())
        assert receipt.status_code == 200, receipt.text
    withdrawn = [n["where"] for n in receipt.json()["notices"] if "no longer states" in n["text"]]

    assert withdrawn
    assert {(await province.get("san-nhi", f"/fhir/{ref}")).status_code for ref in withdrawn} == {410}
    assert len(await province.search("san-nhi", "Composition")) == 1


async def test_a_statement_that_revises_nothing_only_adds(pair):
    province, _ = pair
    store, now = province.gateway.store, province.gateway.house.clock()
    first = await province.ingest("bai-chay", XML, file(XML1=VISIT % "", XML2=drugs("A", "B")))
    receipt = receipt_of({**first.json(), "receipt": "later", "received": "9999"})
    made = tuple(ref for ref in first.json()["resources"] if ref.startswith("MedicationRequest/"))
    subject, part = next(
        (subject.partition("/")[2], part)
        for subject, note in await store.notes(SHELF, {}, "", 10)
        for part, stated in note["parts"].items()
        if set(made) & set(stated["resources"])
    )

    adding = await replaced(store, receipt, (Unit(subject, part, (), revises=False),), {}, now)
    revising = await replaced(store, receipt, (Unit(subject, part, ()),), {}, now)

    assert adding.changes == ()
    assert set(made) <= set(adding.notes[0].content["parts"][part]["resources"])
    assert {change.version.reference for change in revising.changes} >= set(made)


@pytest.mark.parametrize(("retries", "withdraws"), [(0, True), (1, False)], ids=["in its turn", "tried again"])
async def test_a_resend_withdraws_after_the_clock_was_set_back_and_an_older_message_tried_again_does_not(
    pair, retries, withdraws
):
    province, _ = pair
    store, now = province.gateway.store, province.gateway.house.clock()
    first = await province.ingest("bai-chay", XML, file(XML1=VISIT % "", XML2=drugs("A", "B")))
    receipt = receipt_of({**first.json(), "receipt": "later", "received": "1999", "retries": retries})
    made = {ref for ref in first.json()["resources"] if ref.startswith("MedicationRequest/")}
    subject, part = next(
        (subject.partition("/")[2], part)
        for subject, note in await store.notes(SHELF, {}, "", 10)
        for part, stated in note["parts"].items()
        if made & set(stated["resources"])
    )
    resent = await replaced(store, receipt, (Unit(subject, part, ()),), {}, now)
    assert (made <= {change.version.reference for change in resent.changes}) is withdraws
