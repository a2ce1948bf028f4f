"""Records to one transaction Bundle: which groups make a stay, and what each states whole."""

from adapters.contract import Hospital, Resource, Unit, Untranslatable
from adapters.draft import Draft
from adapters.reading import Reading
from adapters.vn_record.map_document import document, referrals
from adapters.vn_record.map_orders import drugs, images, laboratory, procedures, services
from adapters.vn_record.map_patient import patient
from adapters.vn_record.map_visit import blood_group, visit, vital_signs
from adapters.vn_record.rows import Row
from adapters.vn_record.stay import Stay

GROUPS = (
    "ThongTinBenhNhan", "ThongTinVaoVien", "ThongTinDieuTri", "YLenhThuocVatTu", "PhieuChiDinh", "HoSoCapCuu",
    "KetQuaChanDoanHinhAnh", "KetQuaXetNghiem", "GiayChuyenVien", "PhieuThuThuat", "PhieuPhauThuat", "HoSoBenhAn",
)  # fmt: skip


def translate_records(hospital: Hospital, records: list[Row], reading: Reading) -> Resource:
    """One Bundle for all records. Raises Untranslatable when none has a key."""
    draft = Draft(hospital.name)
    keyed = [record for record in records if _key(record)]
    if not keyed:
        raise Untranslatable("no sovaovien: nothing says which stay this is", records[0].place)
    for record in records:
        if record in keyed:
            _record(hospital, draft, record, reading)
        else:
            reading.note(record.place, "no sovaovien; the record is listed as unmapped")
    return draft.bundle()


def _key(record: Row) -> str:
    return next((key for group in GROUPS for row in record.rows(group) if (key := row.text("sovaovien"))), "")


def _record(hospital: Hospital, draft: Draft, record: Row, reading: Reading) -> None:
    key = _key(record)
    person = record.row("ThongTinBenhNhan")
    stay = Stay(hospital, draft, record, key, person.text("mabenhnhan") or f"episode:{key}")
    arrival, care = record.row("ThongTinVaoVien"), record.row("ThongTinDieuTri")
    stay.part = "ThongTinBenhNhan"
    patient(stay, person)
    blood_group(stay, person)
    stay.part = "ThongTinDieuTri"
    visit(stay, person, arrival, care)
    for number, row in enumerate((arrival, *care.rows("danhsachsinhhieu")), 1):
        vital_signs(stay, row, number)
    for write in (drugs, services, images, laboratory, procedures, referrals):
        write(stay)
    for group in GROUPS:
        for row in record.rows(group):
            row.take("sovaovien", f"{stay.target('Encounter', key)}#identifier[0].value")
    document(stay)
    reading.units += [Unit(f"sovaovien|{key}", group, tuple(stay.made.get(group, ()))) for group in GROUPS]
