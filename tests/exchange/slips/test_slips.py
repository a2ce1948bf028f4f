"""A case given back as XML13, XML14 and the printed forms: what went in comes out, and the accents survive."""

from base64 import b64decode
from io import BytesIO

import pytest
from lxml import etree
from pypdf import PdfReader

from adapters import vn_xml
from adapters.contract import Message
from fhir_gateway.exchange.slips.facts import moment, plain
from fhir_gateway.exchange.slips.printed import clock
from fhir_gateway.exchange.slips.xml import written

pytestmark = pytest.mark.anyio

XML = "application/xml"
REPEATED = ("DU_PHONG",)


def table(body: bytes, name: str) -> dict[str, str]:
    """The filled elements of one table of a file."""
    for file in etree.fromstring(body).iter("FILEHOSO"):
        if file.findtext("LOAIHOSO") == name:
            content = file.findtext("NOIDUNGFILE")
            inner = etree.fromstring(b64decode(content))
            return {leaf.tag: leaf.text.strip() for leaf in inner if (leaf.text or "").strip()}
    raise AssertionError(name)


async def case_of(province, hospital: str, body: bytes) -> str:
    receipt = await province.ingest(hospital, XML, body)
    assert receipt.status_code == 200, receipt.text
    (task,) = await province.search(hospital, "Task")
    return task["id"]


@pytest.mark.parametrize("name", ["vn_xml/episode-3176", "vn_xml/referral-alone"])
async def test_a_referral_that_came_as_xml13_goes_back_as_the_same_xml13(pair, message, name):
    province, _ = pair
    sent = message(name)
    task = await case_of(province, "bai-chay", sent)
    answer = await province.get("bai-chay", f"/exchange/cases/{task}/xml13")

    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith(XML)
    there, back = table(sent, "XML13"), table(answer.content, "XML13")
    assert {n: v for n, v in back.items() if n not in REPEATED} == {n: v for n, v in there.items() if n not in REPEATED}


async def test_the_older_shape_goes_back_in_the_present_one(pair, message):
    province, _ = pair
    sent = message("vn_xml/referral-4750")
    task = await case_of(province, "bai-chay", sent)
    back = table((await province.get("bai-chay", f"/exchange/cases/{task}/xml13")).content, "XML13")
    there = table(sent, "XML13")

    assert back["MA_CSKCB_DEN"] == there["MA_NOI_DEN"]
    assert there["PP_DIEUTRI"] in back["PP_DIEUTRI"]
    for name in ("HO_TEN", "NGAY_SINH", "MA_BENH_CHINH", "DAU_HIEU_LS", "QT_BENHLY", "MA_LYDO_CT", "MA_BAC_SI"):
        assert back[name] == there[name], name


async def test_our_own_adapter_reads_the_file_to_the_same_facts(pair, message):
    province, _ = pair
    sent = message("vn_xml/referral-alone")
    task = await case_of(province, "bai-chay", sent)
    back = (await province.get("bai-chay", f"/exchange/cases/{task}/xml13")).content
    hospital = province.gateway.directory.hospital("bai-chay")
    bundles = [
        vn_xml.translate(Message(hospital, XML, body, province.gateway.house.clock())).bundle for body in (sent, back)
    ]
    resources = [{e["resource"]["id"]: e["resource"] for e in bundle["entry"]} for bundle in bundles]

    assert resources[0].keys() == resources[1].keys()
    for identity, resource in resources[0].items():
        assert resources[1][identity] == resource


async def test_a_revisit_slip_goes_back_as_the_same_xml14(pair, message):
    province, _ = pair
    sent = message("vn_xml/episode-3176")
    task = await case_of(province, "bai-chay", sent)
    there, back = (
        table(sent, "XML14"),
        table((await province.get("bai-chay", f"/exchange/cases/{task}/xml14")).content, "XML14"),
    )

    assert {n: v for n, v in back.items() if n not in REPEATED} == {n: v for n, v in there.items() if n not in REPEATED}


@pytest.mark.parametrize(("form", "title"), [("xml13.pdf", "PHIẾU CHUYỂN CƠ SỞ"), ("xml14.pdf", "GIẤY HẸN KHÁM LẠI")])
async def test_the_printed_form_holds_every_accent(pair, message, form, title):
    province, _ = pair
    sent = message("vn_xml/episode-3176")
    task = await case_of(province, "bai-chay", sent)
    answer = await province.get("bai-chay", f"/exchange/cases/{task}/{form}")
    text = " ".join(" ".join(page.extract_text() for page in PdfReader(BytesIO(answer.content)).pages).split())
    slip = table(sent, form.removesuffix(".pdf").upper())

    assert answer.headers["content-type"] == "application/pdf"
    assert "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM" in text
    assert title in text
    for name in ("HO_TEN", "DIA_CHI", "CHAN_DOAN_RV"):
        assert " ".join(slip[name].split()) in text, name


async def test_the_answer_of_the_other_hospital_is_on_both_sides_and_its_appointment_is_the_revisit_slip(pair, message):
    province, central = pair
    task = await case_of(province, "bai-chay", message("vn_xml/episode-3176"))
    for _ in range(100):
        if await central.search("bach-mai", "Task"):
            break
        await province.gateway.house.store.notes("outbox", {}, "", 1)
    there = f"/exchange/cases/{task}"
    assert (await central.post("bach-mai", f"{there}/receive", {})).status_code == 200
    visit = {"appointment": {"start": "2026-11-22T08:00:00+07:00", "end": "2026-11-22T09:00:00+07:00"}}
    assert (await central.post("bach-mai", f"{there}/accept", visit)).status_code == 200
    slip = table((await central.get("bach-mai", f"{there}/xml14")).content, "XML14")
    pdf = (await central.get("bach-mai", f"{there}/xml13.pdf")).content

    assert (slip["NGAY_HEN_KL"], slip["MA_CSKCB"]) == ("202611220800", "01T01")
    assert "đã chấp nhận" in " ".join(PdfReader(BytesIO(pdf)).pages[0].extract_text().split())


async def test_an_unknown_form_and_a_case_of_others_are_not_found(pair, message):
    province, _ = pair
    task = await case_of(province, "bai-chay", message("vn_xml/referral-alone"))
    unknown = await province.get("bai-chay", f"/exchange/cases/{task}/xml99")

    assert unknown.status_code == 404
    assert "xml13.pdf" in unknown.json()["issue"][0]["diagnostics"]
    assert (await province.get("san-nhi", f"/exchange/cases/{task}/xml13")).status_code == 404
    assert (await province.get("bai-chay", f"/exchange/cases/{task}/xml14")).status_code == 404


def test_what_is_not_known_of_a_time_is_zeros():
    assert moment("1970") == "197000000000"
    assert moment("2026-11-21T14:00:00+07:00") == "202611211400"
    assert clock("197000000000") == "1970"
    assert clock("195903010000", birth=True) == "01/03/1959"
    assert clock("202611211400") == "14 giờ 00, ngày 21/11/2026"


def test_a_narrative_is_read_as_its_lines():
    assert plain('<div xmlns="x"><p>a &lt; b<br/>c</p><p><b>Thuốc:</b> d</p></div>') == "a < b\nc\nThuốc: d"


def test_characters_that_xml_forbids_do_not_reach_a_file(pair):
    body = written("XML13", {"HO_TEN": "A\x00<B>&"}, "22T02", pair[0].gateway.house.clock())
    assert table(body, "XML13")["HO_TEN"] == "A<B>&"
