"""The record in words: a Composition with a section a group, and the referral of GiayChuyenVien.

What a group says beyond the resources made of it stands in its section, under the name people know it by.
https://hl7.org/fhir/R4/composition.html
"""

from collections.abc import Iterator
from html import escape

from adapters.contract import Resource
from adapters.vn_record.fields import LABELS, LEFT_OUT
from adapters.vn_record.map_orders import slips
from adapters.vn_record.rows import Row
from adapters.vn_record.stay import LOINC, SNOMED, Stay
from adapters.vn_record.times import time_of

XHTML = "http://www.w3.org/1999/xhtml"
CATEGORY = {"coding": [{"system": SNOMED, "code": "3457005", "display": "Patient referral"}]}
SECTIONS = (
    ("ThongTinBenhNhan", "Thông tin người bệnh", ""),
    ("ThongTinVaoVien", "Thông tin vào viện", "46241-6"),
    ("ThongTinDieuTri", "Thông tin điều trị", "8648-8"),
    ("YLenhThuocVatTu", "Y lệnh thuốc, vật tư", "10160-0"),
    ("PhieuChiDinh", "Phiếu chỉ định", ""),
    ("KetQuaChanDoanHinhAnh", "Kết quả chẩn đoán hình ảnh", "18726-0"),
    ("KetQuaXetNghiem", "Kết quả xét nghiệm", "30954-2"),
    ("HoSoCapCuu", "Hồ sơ cấp cứu", ""),
    ("PhieuThuThuat", "Phiếu thủ thuật", ""),
    ("PhieuPhauThuat", "Phiếu phẫu thuật", ""),
)
#: The public sources do not show the names of this group: those that its meaning suggests are read.
TARGET_CODES = ("manoichuyenden", "noichuyenden_ma", "macskcb_den", "ma_cskcb_den", "macosoden")
TARGET_NAMES = ("noichuyenden", "tennoichuyenden", "chuyenden")
REASONS = ("lydochuyenvien", "lydochuyen", "lydo")
WHEN = ("ngaychuyenvien", "ngaygiochuyenvien", "thoigianchuyenvien")


def document(stay: Stay) -> None:
    """The whole record as one Composition, after everything else was made."""
    key = f"{stay.key}|HoSoBenhAn"
    stay.part = "HoSoBenhAn"
    target = stay.target("Composition", key)
    author = stay.record.row("ThongTinVaoVien").take("chuky_hoten", f"{target}#author[0].display")
    written: list[Resource] = []
    for group, title, loinc in SECTIONS:
        paragraphs = _paragraphs(stay, group, f"{target}#section[{len(written)}].text")
        if paragraphs:
            written.append(_section(title, loinc, paragraphs))
    if written:
        stay.add("Composition", key, _composition(stay, author, written))


def _composition(stay: Stay, author: str, written: list[Resource]) -> Resource:
    care, person = stay.record.row("ThongTinDieuTri"), stay.record.row("ThongTinBenhNhan")
    when = time_of(care.text("ngayravien"), stay.hospital.offset)
    when = when or time_of(person.text("thoigianvaovien"), stay.hospital.offset)
    absent = {
        "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
    }
    return {
        "status": "final",
        "type": {"coding": [{"system": LOINC, "code": "34133-9"}], "text": "Hồ sơ bệnh án"},
        "subject": stay.patient(),
        "encounter": stay.encounter(),
        **({"date": when} if when else {"_date": absent}),
        "author": [{"display": author}] if author else [stay.facility()],
        "title": "Hồ sơ bệnh án",
        "custodian": stay.facility(),
        "section": written,
    }


def _section(title: str, loinc: str, paragraphs: list[str], entries: list[Resource] | None = None) -> Resource:
    coding = [{"system": LOINC, "code": loinc}] if loinc else []
    div = f'<div xmlns="{XHTML}">{"".join(paragraphs)}</div>'
    return {
        "title": title,
        "code": {"coding": coding, "text": title},
        "text": {"status": "additional", "div": div},
        "entry": entries or [],
    }


def _paragraphs(stay: Stay, group: str, target: str) -> list[str]:
    found = []
    for row in _below(stay.record.rows(group)):
        for name, text in row.fields.items():
            label = LABELS.get(name)
            if label and name not in LEFT_OUT and not row.reading.tally.taken(row.places[name]):
                row.take(name, target)
                found.append(_paragraph(label, text))
    return found


def _below(rows: list[Row]) -> Iterator[Row]:
    for row in rows:
        yield row
        for inner in row.inner.values():
            yield from _below(inner)


def _paragraph(label: str, text: str) -> str:
    words = escape(text, quote=False).replace("\r\n", "\n").replace("\n", "<br/>")
    return f"<p><b>{escape(label)}:</b> {words}</p>"


def referrals(stay: Stay) -> None:
    """Each slip of GiayChuyenVien: a ServiceRequest to the other facility and the Composition it travels in."""
    for slip, key in slips(stay, "GiayChuyenVien"):
        if len(slip.fields) > bool(slip.text("sovaovien")):
            _referral(stay, slip, key)


def _referral(stay: Stay, slip: Row, key: str) -> None:
    target = stay.target("ServiceRequest", key)
    code, name = (_first(slip, names, f"{target}#performer[0]") for names in (TARGET_CODES, TARGET_NAMES))
    if not (code or name):
        slip.note("sophieu", "no target facility in the referral")
    reason = _first(slip, REASONS, f"{target}#reasonCode[0].text")
    when = next((w for n in WHEN if (w := stay.time(slip, n, f"{target}#authoredOn"))), "")
    doctor = stay.staff(slip, ("mabacsi", "bacsi"), f"{target}#requester")
    number = slip.take("sophieu", f"{target}#identifier[0].value")
    document = f"{stay.hospital.systems['document']}:giay-chuyen-vien"
    diagnosed = [stay.link("Condition", condition) for condition in stay.conditions]
    elements: Resource = {
        "identifier": [{"system": document, "value": number}] if number else [],
        "status": "active",
        "intent": "order",
        "category": [CATEGORY],
        "code": {"text": "Chuyển cơ sở khám bệnh, chữa bệnh"},
        "subject": stay.patient(),
        "encounter": stay.encounter(),
        "authoredOn": when,
        "requester": doctor or stay.facility(),
        "performer": [stay.facility(code, name)] if code or name else [],
        "reasonCode": [{"text": reason}] if reason else [],
        "reasonReference": diagnosed,
    }
    stay.add("ServiceRequest", key, elements)
    _note(stay, slip, key, diagnosed)


def _first(row: Row, names: tuple[str, ...], target: str) -> str:
    return next((row.take(name, target) for name in names if row.text(name)), "")


def _note(stay: Stay, slip: Row, key: str, cited: list[Resource]) -> None:
    target = stay.target("Composition", key)
    paragraphs = []
    for name, text in slip.fields.items():
        if name in LABELS and not slip.reading.tally.taken(slip.places[name]):
            slip.take(name, f"{target}#section[0].text")
            paragraphs.append(_paragraph(LABELS[name], text))
    request = stay.link("ServiceRequest", key)
    told = paragraphs or ["<p>Chuyển cơ sở khám bệnh, chữa bệnh</p>"]
    note = _composition(stay, "", [_section("Giấy chuyển viện", "", told, [request, *cited])])
    title = {"type": {"coding": [{"system": LOINC, "code": "57133-1"}], "text": "Giấy chuyển viện"}}
    stay.add("Composition", key, {**note, **title, "title": "Giấy chuyển viện", "event": [{"detail": [request]}]})
