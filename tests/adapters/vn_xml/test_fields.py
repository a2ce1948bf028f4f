"""The table of fates is whole: every element that the public field lists name has one."""

import csv
import json
import os
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters import vn_xml
from adapters.contract import Fate, Message
from adapters.vn_xml.fields import FIELDS, LEFT_OUT, ROOTS

CORPUS = Path(os.environ.get("FHIR_GATEWAY_CORPUS") or Path(__file__).parents[4] / "shared" / "corpus") / "vietnam"
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpus beside the repository")


@needs_corpus
def test_every_element_of_decision_4750_has_a_fate():
    with (CORPUS / "fields-qd4750.csv").open(encoding="utf-8", newline="") as lines:
        missing = [row for row in csv.DictReader(lines) if row["element"] not in FIELDS.get(row["table"], {})]

    assert missing == []


@needs_corpus
def test_every_element_and_root_seen_in_either_decision_has_a_fate():
    tables = json.loads((CORPUS / "structure.json").read_text(encoding="utf-8"))["tables"]
    for name, table in tables.items():
        for source in ("appendix_qd4750", "seen_in_code_qd130_4750", "seen_in_code_qd3176"):
            assert set(table[source] or ()) <= set(FIELDS[name]), name
        assert {table["root"] or table["record"], table["record"]} <= ROOTS


def test_what_is_left_out_has_a_written_reason_and_nothing_else_has():
    for table, fields in FIELDS.items():
        for name, field in fields.items():
            assert bool(field.reason) == (field.fate in LEFT_OUT), f"{table}.{name}"


@needs_corpus
def test_every_row_of_the_official_table_is_mapped_or_left_out_for_a_reason(translate, write, capsys):
    """Walks the table: a file with every element of every table filled, and what became of each."""
    with (CORPUS / "fields-qd4750.csv").open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["element"]]
    fates = Counter()
    for table in sorted({row["table"] for row in rows}):
        own = {row["element"]: filling(row["element"], row["max_length"]) for row in rows if row["table"] == table}
        own |= {"MA_NHOM": "18"} if table == "XML3" else {}  # a procedure has an anaesthesia
        visit = full_visit(rows) | ({"NGAY_SINH": "202611190700"} if table == "XML7" else {})  # a newborn has a card
        beside = {} if table in ("XML1", "XML12") else {"XML1": [visit]}
        ledger = translate(write({**beside, table: [own]})).ledger
        found = {a.place.rpartition("/")[2]: a for a in ledger if f"/{table}" in a.place and a.place.count(table)}
        for name in own:
            fates[found[name].fate] += 1
            assert found[name].fate is not Fate.UNMAPPED, f"{table}.{name}"
            assert found[name].fate is Fate.MAPPED or found[name].reason, f"{table}.{name}"
    with capsys.disabled():
        print(f"\nnational XML: {dict(fates)} of {len(rows)} rows")
    assert fates.total() == len(rows)


def full_visit(rows) -> dict[str, str]:
    return {row["element"]: filling(row["element"], row["max_length"]) for row in rows if row["table"] == "XML1"}


def filling(element: str, longest: str) -> str:
    """A value that the element may hold: what its name says it is."""
    if element in VALUES:
        return VALUES[element]
    if element.startswith(("NGAY", "THOI", "TU_NGAY", "DEN_NGAY", "BDDT", "GT_THE", "NGOAITRU")):
        return "202611200815"[: 12 if longest == "12" else 8]
    return "1"


VALUES = {
    "MA_LK": "LK1",
    "MA_BN": "BN1",
    "MA_YTE": "BN1",
    "HO_TEN": "TRẦN VĂN THỬ",
    "NGAY_SINH": "198001010000",
    "SO_CCCD": "022980009001",
    "MA_THE_BHYT": "DN4220000000001",
    "MA_THE_TAM": "TE1220000000001",
    "MA_BHXH": "2200000001",
    "NGAY_RA": "202611211000",
    "NGAY_SINH_CON": "202611200900",
    "NGAY_SINHCON": "20261120",
    "NGAYSINH_NND": "19900101",
    "MA_NHOM": "1",
    "MA_BENH_CHINH": "J18.9",
    "NGAY_HEN_KL": "202612011000",
    "MA_KHOA": "K01",
}


def test_the_hiv_table_is_mapped_and_labelled(translate, write, of_type):
    hiv = {"MA_LK": "LK1", "NGAYKD_HIV": "20200101", "KQ_XNTL_VR": "1"}
    (panel,) = of_type(translate(write({"XML6": [hiv]})), "Observation")

    assert {mark["code"] for mark in panel["meta"]["security"]} == {"R", "HIV"}
    assert [part["code"]["text"] for part in panel["component"]] == [
        "Ngày khẳng định nhiễm HIV",
        "Kết quả tải lượng vi rút",
    ]


def test_a_hospital_may_leave_its_hiv_tables_out(hospital, write):
    body = write({"XML6": [{"MA_LK": "LK1", "NGAYKD_HIV": "20200101"}]}).encode()
    strict = replace(hospital, quirks={"secret_tables": "left-out"})
    translation = vn_xml.translate(Message(strict, "application/xml", body, datetime.now(UTC)))

    assert "20200101" not in str(translation.bundle)
    assert "2020-01-01" not in str(translation.bundle)
    (account,) = [account for account in translation.ledger if account.place.endswith("/NGAYKD_HIV")]
    assert account.reason.startswith("secret category")


def test_no_amount_of_money_is_mapped():
    mapped = [name for fields in FIELDS.values() for name, field in fields.items() if field.fate == "mapped"]
    assert [name for name in mapped if name.startswith(("T_", "THANH_TIEN", "DON_GIA"))] == []
