"""The hospital record of 2025: both forms, every fixture, the ledger, and its pitfalls."""

import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import vn_record
from adapters.contract import Fate, Hospital, Message, Untranslatable
from adapters.vn_record.fields import LABELS
from adapters.vn_record.times import date_of, time_of
from fhir_gateway.fhir.validation import validate

ROOT = Path(__file__).parents[3] / "fixtures" / "vn_record"
CASES = sorted(path.parent.name for path in ROOT.glob("*/message.*"))
ENCODER = msgspec.json.Encoder(decimal_format="number")
RECORD = {"ThongTinBenhNhan": {"sovaovien": "S1", "mabenhnhan": "B1", "hoten": "TRẦN VĂN THỬ"}}


@pytest.fixture(scope="session")
def hospital() -> Hospital:
    folder = ROOT.parents[1] / "adapters" / "hospitals"
    defaults, own = (tomllib.loads((folder / f"{name}.toml").read_text()) for name in ("defaults", "bai-chay"))
    systems = {**defaults["systems"], **own["systems"]}
    return Hospital(own["name"], own["title"], own["facility_code"], ("vn_record",), systems=systems)


@pytest.fixture(scope="session")
def translate(hospital):
    def run(content):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return vn_record.translate(Message(hospital, "application/json", body, datetime.now(UTC)))

    return run


@pytest.fixture(scope="session")
def made(translate):
    def pick(content, kind):
        entries = translate(content).bundle["entry"]
        return [entry["resource"] for entry in entries if entry["resource"]["resourceType"] == kind]

    return pick


@pytest.mark.parametrize("case", CASES)
def test_a_case_gives_the_bundle_that_stands_beside_it(case, translate):
    body = next((ROOT / case).glob("message.*")).read_bytes()
    try:
        told = translate(body).bundle
    except Untranslatable as refusal:
        told = {"untranslatable": {"reason": refusal.reason, "where": refusal.where}}
    assert (ROOT / case / "bundle.json").read_bytes().strip() == msgspec.json.format(ENCODER.encode(told), indent=1)


def test_both_forms_of_one_stay_give_the_same_bundle_and_the_same_places(translate):
    as_json, as_xml = (
        translate(next((ROOT / f"inpatient-{form}").glob("message.*")).read_bytes()) for form in ("json", "xml")
    )
    assert as_json.bundle == as_xml.bundle
    assert sorted(a.place for a in as_json.ledger) == sorted(a.place for a in as_xml.ledger)


def test_no_field_of_the_stay_is_left_unmapped_and_every_resource_is_valid(translate):
    found = translate((ROOT / "inpatient-json" / "message.json").read_bytes())
    assert [a.place for a in found.ledger if a.fate is Fate.UNMAPPED] == []
    assert validate(found.bundle) == ()


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("20/11/2026 08:15:00.000", "2026-11-20T08:15:00+07:00"),
        ("20/11/2026 08:15:00.250", "2026-11-20T08:15:00.250+07:00"),
        ("5/1/2026 7:05", "2026-01-05T07:05:00+07:00"),
        ("20/11/2026", "2026-11-20"),
        ("11/2026", "2026-11"),
        ("1970", "1970"),
        ("31/02/2026", ""),
        ("20261120", ""),
    ],
)
def test_times_are_read_as_precisely_as_they_are_given(text, time):
    assert time_of(text, "+07:00") == time
    assert date_of(text) == time[:10]


def test_citizen_number_and_passport_stand_apart(made):
    person = {**RECORD["ThongTinBenhNhan"], "cccd_so": "022980009007", "hochieu_so": "B1234567"}
    (patient,) = made({"HoSoBenhAn": {"ThongTinBenhNhan": person}}, "Patient")
    assert [(i["system"].rpartition("/")[2], i["value"]) for i in patient["identifier"][1:]] == [
        ("cccd", "022980009007"),
        ("passport", "B1234567"),
    ]


def test_a_number_with_leading_zeros_and_a_price_without_text_stay_as_written(translate):
    found = translate(b'{"ThongTinBenhNhan": {"sovaovien": 7, "soba": "007"}, "PhieuChiDinh": {"tongcong": 65400.50}}')
    fates = {a.place.rpartition("/")[2]: a for a in found.ledger}
    assert fates["tongcong"].reason.startswith("billing")
    assert "007" in str(found.bundle)


def test_several_records_in_one_file_are_several_stays(made):
    other = {"ThongTinBenhNhan": {"sovaovien": "S2", "mabenhnhan": "B2"}}
    assert len(made([{"HoSoBenhAn": RECORD}, {"HoSoBenhAn": other}], "Encounter")) == 2


def test_an_unknown_field_is_listed_and_never_shown(translate):
    found = translate({"HoSoBenhAn": {**RECORD, "HoSoCapCuu": {"truongmoi": "bí mật"}}})
    assert [a.place for a in found.ledger if a.fate is Fate.UNMAPPED] == ["/HoSoBenhAn/HoSoCapCuu/truongmoi"]
    assert "bí mật" not in str(found.bundle)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b'{"HoSoBenhAn": {"ThongTinBenhNhan": ', "line 1"),
        (b"<HoSoBenhAn><ThongTinBenhNhan>", "line 1"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><HoSoBenhAn><ThongTinBenhNhan>&b;</ThongTinBenhNhan></HoSoBenhAn>', "DOCTYPE"),
        (b"\xff\xfe\x00", "byte"),
        (b"[" * 5000 + b"]" * 5000, "/"),
        (b'{"a": 1}', "/"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(translate, body, where):
    with pytest.raises(Untranslatable) as refusal:
        translate(body)
    assert where in refusal.value.where


TEXTS = st.sampled_from(["", "1", "5,4", "<0,3", "20/11/2026", "99/99/9999", "J18.9", "Ho\nsốt", "<b>&", "a;b", "0"])
GROUPS = ("ThongTinVaoVien", "ThongTinDieuTri", "YLenhThuocVatTu", "PhieuChiDinh", "KetQuaXetNghiem")
GROUPS += ("GiayChuyenVien", "PhieuPhauThuat", "KetQuaChanDoanHinhAnh", "HoSoCapCuu")
NAMES = sorted({*LABELS, "maicd", "tenicd", "maicd_khac", "machiso", "tenchiso", "giatri", "donvi", "sophieu", "dvpt"})
NAMES += ["mach", "cannang", "huyetap_tamthu", "tenthuocvattu", "soluongthuocvattu", "tenchidinh", "ngaygiophauthuat"]
OBJECTS = st.dictionaries(st.sampled_from(NAMES), TEXTS, max_size=8)
SLIPS = st.builds(lambda own, rows: {**own, "danhsach": rows}, OBJECTS, st.lists(OBJECTS, max_size=2))
WHOLE = st.builds(lambda own, rows: {**own, "danhsach": rows}, OBJECTS, st.lists(SLIPS, max_size=2))


@settings(deadline=None, max_examples=40)
@given(groups=st.dictionaries(st.sampled_from(GROUPS), WHOLE, max_size=4))
def test_any_mixture_adds_up_in_the_ledger_and_is_valid(groups, translate):
    record = {**RECORD, **groups}
    found = translate({"HoSoBenhAn": record})
    assert len(found.ledger) == filled(record)
    assert validate(found.bundle) == ()
    made = {entry["request"]["url"] for entry in found.bundle["entry"]}
    assert {t.partition("#")[0] for a in found.ledger for t in a.targets} <= made


def filled(value) -> int:
    if isinstance(value, dict):
        return sum(map(filled, value.values()))
    return sum(map(filled, value)) if isinstance(value, list) else bool(str(value).strip())
