"""What two records have to share to be one person, and what never suffices."""

import pytest

from fhir_gateway.identity.compare import CITIZEN, INSURANCE, Systems, compare, same_name, strong

SYSTEMS = Systems(frozenset({"cccd"}), frozenset({"bhyt"}))


def patient(name="NGUYỄN VĂN HOÀ", birth="1961-03-14", sex="male", **more):
    return {"resourceType": "Patient", "name": [{"text": name}], "birthDate": birth, "gender": sex, **more}


def test_a_citizen_number_with_agreeing_facts_is_certain():
    verdict = compare(patient(), patient(), [CITIZEN])
    assert (verdict.assurance, verdict.certain) == ("level4", True)
    assert verdict.evidence.text == "citizen number equal; birth date equal; sex equal; name equal"


@pytest.mark.parametrize("other", ["NGUYỄN VĂN HÒA", "Nguyễn Văn Hoà", "NGUYEN VAN HOA", "NGUYỄN  VĂN HOÀ"])
def test_tone_mark_placement_case_and_diacritics_are_no_difference_of_name(other):
    assert compare(patient(), patient(other), [CITIZEN]).assurance == "level4"
    assert same_name(patient(), patient(other))


def test_a_citizen_number_with_another_birth_date_is_weaker_and_says_so():
    verdict = compare(patient(), patient(birth="1961-04-14"), [CITIZEN])
    assert verdict.assurance == "level3"
    assert "birth date differs" in verdict.evidence.text


def test_a_citizen_number_that_contradicts_birth_date_and_sex_links_nobody():
    assert not compare(patient(), patient(birth="1990-01-02", sex="female"), [CITIZEN]).certain


def test_a_borrowed_insurance_card_links_nobody():
    assert not compare(patient(), patient("TRẦN THỊ THỬ", "1994-07-02", "female"), [INSURANCE]).certain


def test_an_insurance_number_with_agreeing_facts_is_enough():
    assert compare(patient(), patient(), [INSURANCE]).assurance == "level3"


def test_name_birth_date_and_sex_are_probable_and_never_certain():
    verdict = compare(patient(), patient(), [])
    assert (verdict.assurance, verdict.certain) == ("level2", False)


def test_the_first_of_january_stands_for_an_unknown_day():
    assert compare(patient(birth="1961-01-01"), patient(birth="1961-03-14"), [CITIZEN]).assurance == "level4"


def test_a_year_alone_agrees_with_a_day_of_that_year():
    assert compare(patient(birth="1961"), patient(birth="1961-03-14"), [CITIZEN]).assurance == "level4"


def test_a_newborn_under_its_mothers_name_has_no_name_of_its_own():
    newborn = patient("TRẦN THỊ THỬ", "2026-11-18", "female")
    newborn["name"][0]["use"] = "temp"
    assert not same_name(newborn, patient("TRẦN THỊ THỬ", "1994-07-02", "female"))
    assert compare(newborn, newborn, []).assurance == ""


def test_citizen_numbers_come_first_and_each_once():
    numbers = [{"system": "bhyt", "value": "2"}, {"system": "cccd", "value": "1"}, {"system": "cccd", "value": "1"}]
    found = strong(patient(identifier=[*numbers, {"system": "mrn", "value": "3"}]), SYSTEMS)
    assert found == [("cccd", "1"), ("bhyt", "2")]


def test_evidence_never_holds_a_value():
    text = compare(patient(), patient("KHÁC", "1990-01-02", "female"), [CITIZEN]).evidence.text
    assert not any(secret in text for secret in ("NGUYỄN", "KHÁC", "1961", "1990"))
