"""The table of fates is whole: every element that the public field lists name has one."""

import csv
import json
import os
from pathlib import Path

import pytest

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


def test_the_hiv_table_is_secret_as_a_whole():
    assert {field.fate for field in FIELDS["XML6"].values()} == {"secret"}


def test_no_amount_of_money_is_mapped():
    mapped = [name for fields in FIELDS.values() for name, field in fields.items() if field.fate == "mapped"]
    assert [name for name in mapped if name.startswith(("T_", "THANH_TIEN", "DON_GIA"))] == []
