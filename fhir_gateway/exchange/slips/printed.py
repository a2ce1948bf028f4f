"""A slip as people hold it: the transfer slip (phiếu chuyển cơ sở khám chữa bệnh) and the re-visit slip, as PDF.

The items and their order are those of circular 01/2025/TT-BYT, appendices V and VI, as hospital systems print them.
No code to scan is printed: the gateway has no page that would answer one.
"""

import json
from collections.abc import Callable
from importlib.resources import files

import typst

from fhir_gateway.exchange.slips.facts import Case, Facts
from fhir_gateway.fhir.resource import Resource

TITLES = {"XML13": "PHIẾU CHUYỂN CƠ SỞ KHÁM BỆNH, CHỮA BỆNH", "XML14": "GIẤY HẸN KHÁM LẠI"}
GENDERS = {"1": "Nam", "2": "Nữ", "3": "Chưa xác định"}
REASONS = {
    "1": "Đủ điều kiện chuyển cơ sở khám bệnh, chữa bệnh: phù hợp quy định chuyển tuyến",
    "2": "Đủ điều kiện chuyển: không phù hợp với khả năng đáp ứng của cơ sở khám bệnh, chữa bệnh",
    "3": "Theo yêu cầu của người bệnh hoặc người đại diện hợp pháp của người bệnh",
}
ANSWERS = {
    "requested": "đã gửi, chưa được tiếp nhận",
    "received": "đã nhận",
    "accepted": "đã chấp nhận",
    "in-progress": "người bệnh đã nhập viện",
    "completed": "đã kết thúc điều trị",
    "rejected": "không chấp nhận",
    "cancelled": "đã hủy",
    "failed": "người bệnh không đến",
}
TitleOf = Callable[[str], str]
Row = tuple[str, str]


def printed(table: str, facts: Facts, case: Case, title_of: TitleOf) -> bytes:
    """The PDF of one slip. ``title_of`` gives a facility's name."""
    rows = _transfer(facts, case, title_of) if table == "XML13" else _revisit(facts, case, title_of)
    number = facts["GIAY_CHUYEN_TUYEN"] if table == "XML13" else facts["SO_GIAYHEN_KL"]
    slip = {
        "title": TITLES[table],
        "facility": title_of(facts["MA_CSKCB"]),
        "number": f"Số: {number or '..........'}",
        "to": title_of(facts["MA_CSKCB_DEN"]) if facts.get("MA_CSKCB_DEN") else "",
        "rows": [{"label": label, "text": text} for label, text in rows],
        "signers": _signers(table, facts, case),
        "footer": f"Hồ sơ trao đổi số {_case_number(case.task)}",
    }
    form = (files("fhir_gateway.exchange.slips") / "form.typ").read_bytes()
    made: bytes = typst.compile(form, format="pdf", sys_inputs={"slip": json.dumps(slip)}, ignore_system_fonts=True)
    return made


def _case_number(task: Resource) -> str:
    return next((str(row["value"]) for row in task.get("identifier", ())), task["id"])


def _transfer(facts: Facts, case: Case, title_of: TitleOf) -> list[Row]:
    before = ", ".join(title_of(code) for code in facts["MA_CSKCB_DI"].split(";") if code)
    stay = f"{title_of(facts['MA_CSKCB'])}, từ {clock(facts['NGAY_VAO'])} đến {clock(facts['NGAY_RA'])}"
    answer = ANSWERS.get(case.task["status"], case.task["status"])
    escort = ", ".join(filter(None, (facts["HOTEN_NGUOI_HT"], facts["CHUCDANH_NGUOI_HT"])))
    return [
        ("Số hồ sơ", facts["SO_HOSO"]),
        ("Vào sổ chuyển cơ sở khám bệnh, chữa bệnh số", facts["SO_CHUYENTUYEN"]),
        ("", f"{title_of(facts['MA_CSKCB'])} trân trọng giới thiệu:"),
        *_person(facts, case),
        ("Đã được khám bệnh, điều trị trước đó tại", before),
        ("Đã được khám bệnh, điều trị tại", stay),
        ("", "TÓM TẮT BỆNH ÁN"),
        ("- Dấu hiệu lâm sàng", facts["DAU_HIEU_LS"]),
        ("- Quá trình bệnh lý", facts["QT_BENHLY"]),
        ("- Kết quả xét nghiệm, cận lâm sàng", facts["TOMTAT_KQ"]),
        ("- Chẩn đoán", _diagnosis(facts)),
        ("- Phương pháp, thủ thuật, kỹ thuật, thuốc đã sử dụng", facts["PP_DIEUTRI"]),
        ("- Tình trạng người bệnh lúc chuyển", facts["TINH_TRANG_CT"]),
        ("- Lý do chuyển", REASONS.get(facts["MA_LYDO_CT"], facts["MA_LYDO_CT"])),
        ("- Hướng điều trị", facts["HUONG_DIEU_TRI"]),
        ("- Chuyển người bệnh hồi", clock(facts["NGAY_RA"])),
        ("- Phương tiện vận chuyển", facts["PHUONGTIEN_VC"]),
        ("- Người hộ tống", escort),
        ("Cơ sở tiếp nhận", f"{title_of(facts['MA_CSKCB_DEN'])}: {answer}"),
    ]


def _revisit(facts: Facts, case: Case, title_of: TitleOf) -> list[Row]:
    stay = f"từ {clock(facts['NGAY_VAO'])} đến {clock(facts['NGAY_RA'])}"
    return [
        *_person(facts, case),
        ("Đã được khám bệnh, điều trị", stay),
        ("Chẩn đoán", _diagnosis(facts)),
        ("Hẹn khám lại hồi", clock(facts["NGAY_HEN_KL"])),
        ("Tại", title_of(facts["MA_CSKCB"])),
        ("", "Giấy hẹn khám lại có giá trị sử dụng 01 (một) lần."),
    ]


def _person(facts: Facts, case: Case) -> list[Row]:
    words = {name: _words(case, name) for name in ("ethnicity", "nationality", "occupation")}
    return [
        ("- Họ và tên người bệnh", facts["HO_TEN"]),
        ("- Ngày sinh", clock(facts["NGAY_SINH"], birth=True)),
        ("- Giới tính", GENDERS.get(facts["GIOI_TINH"], "")),
        ("- Địa chỉ", facts["DIA_CHI"]),
        ("- Dân tộc", words["ethnicity"] or facts.get("MA_DANTOC", "")),
        ("- Quốc tịch", words["nationality"] or {"000": "Việt Nam"}.get(facts.get("MA_QUOCTICH", ""), "")),
        ("- Nghề nghiệp", words["occupation"]),
        ("- Số thẻ bảo hiểm y tế", facts["MA_THE_BHYT"]),
        ("- Giá trị sử dụng đến", "; ".join(clock(day) for day in facts["GT_THE_DEN"].split(";") if day)),
    ]


def _words(case: Case, kind: str) -> str:
    """What an extension of the patient says in words; empty where it holds a code alone."""
    for extension in case.patient.get("extension", ()):
        if str(extension.get("url", "")).endswith(kind):
            concepts = [extension.get("valueCodeableConcept", {})]
            concepts += [part.get("valueCodeableConcept", {}) for part in extension.get("extension", ())]
            return next((str(concept["text"]) for concept in concepts if concept.get("text")), "")
    return ""


def _diagnosis(facts: Facts) -> str:
    codes = ", ".join(filter(None, (facts["MA_BENH_CHINH"], *facts["MA_BENH_KT"].split(";"))))
    return f"{facts['CHAN_DOAN_RV']} ({codes})" if codes else facts["CHAN_DOAN_RV"]


def clock(digits: str, *, birth: bool = False) -> str:
    """yyyyMMddHHmm for people; zeros are what is not known, and 00:00 is no hour of birth."""
    year, month, day, time = digits[:4], digits[4:6], digits[6:8], digits[8:12]
    if not year:
        return ".........."
    if month in ("", "00") or day in ("", "00"):
        return year
    date = f"{day}/{month}/{year}"
    return f"{time[:2]} giờ {time[2:]}, ngày {date}" if time and not (birth and time == "0000") else date


def _signers(table: str, facts: Facts, case: Case) -> list[dict[str, str]]:
    when = facts["NGAY_RA"] if table == "XML13" else facts["NGAY_CT"]
    dated = f"Ngày {when[6:8]} tháng {when[4:6]} năm {when[:4]}" if len(when) >= 8 else ""
    return [
        {"title": "Bác sĩ khám, điều trị", "name": _names(case, facts["MA_BAC_SI"]), "when": ""},
        {"title": "Đại diện cơ sở khám bệnh, chữa bệnh", "name": _names(case, facts["MA_TTDV"]), "when": dated},
    ]


def _names(case: Case, codes: str) -> str:
    """Names where the records have them, licence numbers otherwise."""
    known = {
        str(number.get("value")): str(name.get("text", ""))
        for person in case.held.values()
        if person["resourceType"] == "Practitioner"
        for number in person.get("identifier", ())
        for name in person.get("name", ())
    }
    return ", ".join(known.get(code) or code for code in codes.split(";") if code)
