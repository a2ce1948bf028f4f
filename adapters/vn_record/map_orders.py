"""Groups of orders and results: drugs, services, images, laboratory, procedures and operations.

https://hl7.org/fhir/R4/diagnosticreport.html
"""

from collections.abc import Iterator

from adapters.contract import Resource
from adapters.vn_record.map_visit import observation
from adapters.vn_record.rows import Row
from adapters.vn_record.stay import ABSENT, ICD9_CM, Stay, decimal_of, value_of

ACTIVE = {"status": "unknown", "intent": "order"}
IMAGING = {"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "RAD"}
LABORATORY = {"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "LAB"}
SURGERY = {"system": "http://snomed.info/sct", "code": "387713003", "display": "Surgical procedure"}


def slips(stay: Stay, group: str) -> Iterator[tuple[Row, str]]:
    """The slips of a group with their keys: objects of ``danhsach``, or the group itself."""
    stay.part = group
    for whole in stay.record.rows(group):
        whole.take("sovaovien", f"{stay.target('Encounter', stay.key)}#identifier[0].value")
        found = whole.rows("danhsach") or [whole]
        for number, slip in enumerate(found, 1):
            slip.take("sovaovien", f"{stay.target('Encounter', stay.key)}#identifier[0].value")
            yield slip, f"{stay.key}|{group}|{slip.text('sophieu') or number}"


def lines(slip: Row) -> list[Row]:
    """The lines of a slip, or the slip where it has no list of its own."""
    return slip.rows("danhsach") or [slip]


def drugs(stay: Stay) -> None:
    for slip, key in slips(stay, "YLenhThuocVatTu"):
        for number, line in enumerate(lines(slip), 1):
            if line.text("tenthuocvattu", "mathuocvattu_bv", "mathuocvattu_byt"):
                _drug(stay, slip, line, f"{key}|{number}")


def _drug(stay: Stay, slip: Row, line: Row, key: str) -> None:
    target = stay.target("MedicationRequest", key)
    take = line.into(target)
    path = "medicationCodeableConcept"
    coding = [
        {"system": stay.system("ma-thuoc"), "code": take("mathuocvattu_byt", f"{path}.coding")},
        {"system": stay.system("ma-thuoc-benh-vien"), "code": take("mathuocvattu_bv", f"{path}.coding")},
    ]
    drug: Resource = {
        "coding": [row for row in coding if row["code"]],
        "text": take("tenthuocvattu", f"{path}.text"),
    }
    amount = decimal_of(line.text("soluongthuocvattu")) if line.text("soluongthuocvattu") else None
    unit = take("donvitinh", "dispenseRequest.quantity.unit") if amount is not None else ""
    if amount is not None:
        take("soluongthuocvattu", "dispenseRequest.quantity.value")
    note = take("ylenhthuocvattu_ghichu", "note[0].text")
    elements: Resource = {
        **ACTIVE,
        "identifier": _number(stay, line, target),
        "medicationCodeableConcept": drug,
        "subject": stay.patient(),
        "encounter": stay.encounter(),
        "authoredOn": stay.time(line, "ngaykedonthuoc", f"{target}#authoredOn"),
        "requester": stay.staff(slip, ("mabacsichidinh", "bacsichidinh"), f"{target}#requester"),
        "dosageInstruction": [{"text": take("cachdung", "dosageInstruction[0].text")}],
        "dispenseRequest": {"quantity": {"value": amount, "unit": unit}} if amount is not None else {},
        "note": [{"text": note}] if note else [],
    }
    stay.add("MedicationRequest", key, elements)


def _number(stay: Stay, line: Row, target: str) -> list[Resource]:
    value = line.take("machidinh", f"{target}#identifier[0].value")
    return [{"system": stay.hospital.systems["order"], "value": value}] if value else []


def services(stay: Stay) -> None:
    for slip, key in slips(stay, "PhieuChiDinh"):
        for number, line in enumerate(lines(slip), 1):
            if line.text("tenchidinh", "machidinh"):
                _service(stay, slip, line, f"{key}|{number}")


def _service(stay: Stay, slip: Row, line: Row, key: str) -> None:
    target = stay.target("ServiceRequest", key)
    take = line.into(target)
    kind = take("loaichidinh", "category[0].text")
    amount = decimal_of(line.text("soluong")) if line.text("soluong") else None
    if amount is not None:
        take("soluong", "quantityQuantity.value")
    elements: Resource = {
        **ACTIVE,
        "identifier": _number(stay, line, target),
        "category": [{"text": kind}] if kind else [],
        "code": {"text": take("tenchidinh", "code.text")},
        "quantityQuantity": {"value": amount} if amount is not None else {},
        "subject": stay.patient(),
        "encounter": stay.encounter(),
        "authoredOn": stay.time(line, "ngaychidinh", f"{target}#authoredOn"),
        "requester": stay.staff(slip, ("mabacsichidinh", "bacsichidinh"), f"{target}#requester"),
    }
    stay.add("ServiceRequest", key, elements)


def images(stay: Stay) -> None:
    for slip, key in slips(stay, "KetQuaChanDoanHinhAnh"):
        for number, line in enumerate(lines(slip), 1):
            if line.fields:
                _report(stay, (slip, line), f"{key}|{number}", IMAGING, [])


def laboratory(stay: Stay) -> None:
    for slip, key in slips(stay, "KetQuaXetNghiem"):
        results = [_result(stay, slip, line, f"{key}|{n}") for n, line in enumerate(lines(slip), 1)]
        if slip.fields:
            _report(stay, (slip, slip), key, LABORATORY, [result for result in results if result])


def _result(stay: Stay, slip: Row, line: Row, key: str) -> str:
    name = next((n for n in ("tenchiso", "tenxetnghiem", "tenchidinh") if line.text(n)), "")
    if not (name or line.text("machiso")):
        return ""
    target = stay.target("Observation", key)
    take = line.into(target)
    code = stay.coded("ma-chi-so", take("machiso", "code.coding[0].code"), take(name, "code.text"))
    given = next((n for n in ("giatri", "ketqua", "kqxn") if line.text(n)), "")
    unit = next((n for n in ("donvi", "donvido", "donvitinh") if line.text(n)), "")
    value = value_of(line.text(given), line.text(unit)) if given else {}
    take(given, next(iter(value), ""))
    if "valueQuantity" in value:
        take(unit, "valueQuantity.unit")
    limits = next((n for n in ("chisobinhthuong", "trisobinhthuong", "giatribinhthuong") if line.text(n)), "")
    elements = observation(stay, code, value, stay.time(slip, "giolaymau", f"{target}#effectiveDateTime"))
    elements["status"] = "final" if given else "registered"
    elements["referenceRange"] = [{"text": take(limits, "referenceRange[0].text")}] if limits else []
    stay.add("Observation", key, elements)
    return key


def _report(stay: Stay, rows: tuple[Row, Row], key: str, category: Resource, results: list[str]) -> None:
    slip, line = rows
    target = stay.target("DiagnosticReport", key)
    take = line.into(target)
    words = [take(name, "conclusion") for name in ("kqcls_mota", "kqcls_ketluan", "kqcls_denghi", "ketluan")]
    who = (
        ("mabacsithuchien", "bacsithuchien")
        if category is IMAGING
        else ("manguoithuchienxetnghiem", "nguoithuchienxetnghiem")
    )
    code = stay.coded("ma-chi-dinh", take("machidinh", "code.coding[0].code"), take("tenchidinh", "code.text"))
    performer = stay.staff(line, who, f"{target}#performer") or stay.staff(slip, who, f"{target}#performer")
    number = slip.take("sophieu", f"{target}#identifier[0].value")
    specimen = slip.take("masobenhpham", f"{target}#specimen[0].identifier.value")
    when = stay.time(line, "ngayketqua", f"{target}#effectiveDateTime")
    elements: Resource = {
        "identifier": [{"system": stay.hospital.systems["order"], "value": number}] if number else [],
        "status": "final" if results or any(words) else "unknown",
        "category": [{"coding": [category]}],
        "code": code or {"text": "Kết quả xét nghiệm" if category is LABORATORY else "Kết quả chẩn đoán hình ảnh"},
        "subject": stay.patient(),
        "encounter": stay.encounter(),
        "effectiveDateTime": when,
        "performer": [performer] if performer else [],
        "specimen": [{"identifier": {"value": specimen}}] if specimen else [],
        "result": [stay.link("Observation", result) for result in results],
        "conclusion": "\n".join(filter(None, words)),
    }
    stay.add("DiagnosticReport", key, elements)


def procedures(stay: Stay) -> None:
    for group in ("PhieuThuThuat", "PhieuPhauThuat"):
        for slip, key in slips(stay, group):
            if len(slip.fields) > 1 or slip.text("sophieu"):
                _procedure(stay, slip, key, surgery=group == "PhieuPhauThuat")


def _procedure(stay: Stay, slip: Row, key: str, *, surgery: bool) -> None:
    target = stay.target("Procedure", key)
    take = slip.into(target)
    name = take("dvpt", "code.text") or take("phuongphapphauthuat", "code.text") or take("tenthuthuat", "code.text")
    icd9 = take("maicd9", "code.coding[0].code")
    when = stay.time(slip, "ngaygiophauthuat", f"{target}#performedDateTime")
    notes = [
        take(field, "note")
        for field in ("phuongphapphauthuat", "trinhtuphauthuatthuthuat", "phuongphapvocam", "ghichu")
    ]
    people = [
        stay.staff(slip, (f"ma{role}", role), f"{target}#performer")
        for role in ("phauthuatvien", "bacsigaymehoisuc", "bacsigaymehoisuc_phu1")
    ]
    code = slip.text("maicd")
    slip.take("maicd", f"{target}#reasonCode[0]")
    reason = take("tenicd", "reasonCode[0].text") or take("cdsauphauthuat", "reasonCode[0].text")
    number = take("sophieu", "identifier[0].value")
    named: Resource = {"coding": [{"system": ICD9_CM, "code": icd9}] if icd9 else [], "text": name}
    elements: Resource = {
        "identifier": [{"system": stay.hospital.systems["order"], "value": number}] if number else [],
        "status": "completed" if when else "unknown",
        "category": {"coding": [SURGERY]} if surgery else {"text": "Thủ thuật"},
        "code": named if name or icd9 else ABSENT,
        "subject": stay.patient(),
        "encounter": stay.encounter(),
        "performedDateTime": when,
        "performer": [{"actor": person} for person in people if person],
        "reasonCode": [stay.icd10(code, reason) if code else {"text": reason}] if code or reason else [],
        "note": [{"text": note} for note in dict.fromkeys(notes) if note and note != name],
    }
    stay.add("Procedure", key, elements)
