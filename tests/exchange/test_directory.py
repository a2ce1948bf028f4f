"""Hospitals and partners as files: a fourth hospital costs a TOML file."""

import pytest

from fhir_gateway.exchange.directory import load
from fhir_gateway.problem import NotFound, Problem

FOURTH = """
name = "cam-pha"
title = "Bệnh viện Cẩm Phả"
facility_code = "22T04"
adapters = ["hl7v2"]
[codes.observation.GLU]
system = "http://loinc.org"
code = "2345-7"
"""


def test_the_three_hospitals_and_bach_mai_are_known_from_the_start(tmp_path):
    known = load("quang-ninh", None, None, tmp_path)
    assert sorted(known.hospitals) == ["bai-chay", "qn-general", "san-nhi"]
    assert known.party_of("01T01") == "bach-mai"
    assert known.partners["bach-mai"].url == ""


def test_a_fourth_hospital_costs_one_file(tmp_path):
    (tmp_path / "cam-pha.toml").write_text(FOURTH, encoding="utf-8")
    hospital = load("quang-ninh", None, tmp_path, tmp_path / "none").hospital("cam-pha")
    assert hospital.facility_code == "22T04"
    assert hospital.systems["mrn"] == "urn:vn:quang-ninh:cam-pha:mrn"
    assert hospital.systems["cccd"].startswith("http")
    assert hospital.codes["observation"]["GLU"].code == "2345-7"


def test_an_incomplete_file_is_refused_and_names_what_it_lacks(tmp_path):
    (tmp_path / "half.toml").write_text('name = "half"\n', encoding="utf-8")
    with pytest.raises(Problem, match=r"half\.toml.*title, facility_code, adapters"):
        load("quang-ninh", None, tmp_path, tmp_path / "none")


def test_a_broken_file_is_refused_with_its_line(tmp_path):
    (tmp_path / "broken.toml").write_text("name = \n", encoding="utf-8")
    with pytest.raises(Problem, match=r"broken\.toml.*line 1"):
        load("quang-ninh", None, tmp_path, tmp_path / "none")


def test_an_unknown_hospital_is_refused_with_the_names_there_are(tmp_path):
    with pytest.raises(NotFound, match="bai-chay"):
        load("quang-ninh", None, None, tmp_path).hospital("nowhere")


def test_the_central_hospital_runs_its_own_gateway_and_its_partners_hospitals_are_not_its_own(tmp_path):
    (tmp_path / "qn.toml").write_text('name = "quang-ninh"\nfacilities = ["22T01", "22T02", "22T03"]\n')
    known = load("bach-mai", None, None, tmp_path)
    assert known.hospitals == {}
    assert known.is_local("01T01")
    assert known.party_of("22T02") == "quang-ninh"


def test_a_partner_file_completes_the_shipped_one(tmp_path):
    (tmp_path / "bach-mai.toml").write_text('name = "bach-mai"\nurl = "https://x.example/"\n')
    partner = load("quang-ninh", None, None, tmp_path).partners["bach-mai"]
    assert (partner.url, partner.facilities) == ("https://x.example", ("01T01",))
