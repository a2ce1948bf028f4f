"""Code tables as CSV beside the hospital's file."""

from pathlib import Path

import pytest

from adapters.contract import Coding
from fhir_gateway.app import directory
from fhir_gateway.exchange.code_tables import code_tables
from fhir_gateway.problem import Problem
from fhir_gateway.settings import Settings


def test_a_table_is_read_and_the_file_itself_outranks_it(tmp_path):
    (tmp_path / "t.csv").write_text(
        "local,system,code,display\n1,urn:x,male,Nam\n2,urn:x,female,\n", encoding="utf-8-sig"
    )
    own = {"2": {"system": "urn:y", "code": "f"}}
    found = code_tables({"code_files": {"sex": "t.csv"}, "codes": {"sex": own}}, tmp_path, "h.toml")
    assert found == {"sex": {"1": Coding("urn:x", "male", "Nam"), "2": Coding("urn:y", "f")}}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("local,system,code\n1,,male\n", r"h.toml \[code_files\] sex: t.csv line 2 has no system"),
        ("code\nmale\n", "line 2 has no local, system"),
        (None, "t.csv cannot be read"),
    ],
)
def test_a_faulty_table_is_told_with_key_file_and_line(tmp_path, text, reason):
    if text:
        (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    with pytest.raises(Problem, match=reason):
        code_tables({"code_files": {"sex": "t.csv"}}, tmp_path, "h.toml")


def test_the_example_hospital_has_its_tables_and_codes():
    folder = Path(__file__).parents[2] / "fixtures" / "tabular" / "hospitals"
    hospital = directory(Settings(hospitals=folder)).hospital("ba-che")
    assert hospital.codes["gioi_tinh"]["2"].code == "female"
    assert "laboratory" in hospital.tables
