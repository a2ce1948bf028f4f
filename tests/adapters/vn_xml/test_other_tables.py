"""Check-in, care panels, certificates of leave and assessments: what each table of one's own becomes."""

import pytest

from adapters.contract import Fate, Untranslatable

ROW = {
    "MA_LK": "LK1",
    "STT": "1",
    "MA_BN": "BN1",
    "HO_TEN": "TRẦN THỊ THỬ",
    "NGAY_SINH": "199408120000",
    "GIOI_TINH": "2",
    "MA_CSKCB": "22T02",
    "MA_LOAI_KCB": "01",
}


@pytest.mark.parametrize(
    ("times", "status"),
    [
        ({}, "planned"),
        ({"NGAY_VAO": "202611230730"}, "arrived"),
        ({"NGAY_VAO": "202611230730", "NGAY_VAO_NOI_TRU": "202611230810"}, "in-progress"),
    ],
)
def test_a_check_in_is_a_visit_that_has_begun(one, write, times, status):
    assert one(write({"XML0": [{**ROW, **times}]}), "Encounter")["status"] == status


def test_a_list_of_check_ins_is_a_patient_and_a_visit_each(translate, write, of_type):
    rows = [{**ROW, "MA_LK": f"LK{n}", "MA_BN": f"BN{n}", "STT": str(n), "TEN_DICH_VU": "Khám"} for n in (1, 2, 3)]
    translation = translate(write({"XML0": rows}))

    assert len(of_type(translation, "Patient")) == len(of_type(translation, "Encounter")) == 3
    assert {request["status"] for request in of_type(translation, "ServiceRequest")} == {"active"}
    assert [a.place for a in translation.ledger if a.fate is Fate.UNMAPPED] == []


def test_two_check_ins_of_one_visit_are_one_visit_with_what_the_fuller_says(translate, write, of_type):
    later = {"NGAY_VAO_NOI_TRU": "202611230810", "LY_DO_VNT": "Khó thở", "TEN_THUOC": "Oxy", "STT": "2"}
    arrival = {**ROW, "NGAY_VAO": "202611230730"}
    translation = translate(write({"XML0": [{**arrival, "TEN_DICH_VU": "Khám"}, {**arrival, **later}]}))
    (visit,) = of_type(translation, "Encounter")

    assert visit["status"] == "in-progress"
    assert visit["reasonCode"] == [{"text": "Khó thở"}]
    assert len(of_type(translation, "ServiceRequest")) == len(of_type(translation, "MedicationRequest")) == 1


def test_the_visit_of_a_check_in_is_that_of_its_claim(one, write, visit):
    claim = one(write({"XML1": [{**visit, "MA_LK": "LK1"}]}), "Encounter")
    assert one(write({"XML0": [ROW]}), "Encounter")["id"] == claim["id"]
    assert claim["status"] == "finished"


def test_each_revisit_day_is_an_appointment_and_the_slip_has_its_own(translate, write, visit, of_type):
    days = {**visit, "NGAY_TAI_KHAM": "20261201;20261208;;xyz"}
    assert len(of_type(translate(write({"XML1": [days]})), "Appointment")) == 2

    slip = {"MA_LK": "LK1", "SO_GIAYHEN_KL": "7", "NGAY_HEN_KL": "202612080930"}
    found = of_type(translate(write({"XML1": [days], "XML14": [slip]})), "Appointment")
    assert sorted(a["requestedPeriod"][0]["start"] for a in found) == ["2026-12-01", "2026-12-08T09:30:00+07:00"]


def test_a_code_of_the_tuberculosis_table_has_its_words_and_a_wrong_date_stays_text(one, write):
    row = {"MA_LK": "LK1", "STT": "1", "MA_BN": "B1", "PHANLOAI_LAO_VITRI": "1", "NGAYBD_DTRI_LAO": "tháng 10"}
    parts = one(write({"XML15": [row]}), "Observation")["component"]

    assert parts[0]["valueCodeableConcept"]["text"] == "Lao phổi"
    assert parts[1]["valueString"] == "tháng 10"


def test_certificates_of_leave_keep_their_numbers_and_days(translate, write, visit, of_type):
    leave = {"MA_LK": "LK1", "SO_CT": "12", "SO_NGAY": "7", "TU_NGAY": "20261123", "CHAN_DOAN_RV": "Dọa sảy thai"}
    sick = {"MA_LK": "LK1", "SO_CT": "13", "MA_BHXH": "2200000201", "HO_TEN_ME": "LÊ THỊ MẪU"}
    translation = translate(write({"XML1": [visit], "XML10": [leave], "XML11": [sick]}))
    documents = {d["identifier"]["value"]: d for d in of_type(translation, "Composition")}

    assert "7" in documents["12"]["section"][1]["text"]["div"]
    assert "2200000201" in [i["value"] for i in of_type(translation, "Patient")[0]["identifier"]]
    assert of_type(translation, "RelatedPerson")[0]["name"][0]["text"] == "LÊ THỊ MẪU"


def test_an_assessment_has_its_own_person_unless_it_is_the_patient(translate, write, visit, of_type):
    minutes = {"SO_BIEN_BAN": "5", "NGAY_HOP": "20261120", "HO_TEN": "NGƯỜI KHÁC", "SO_CCCD": "022970009999"}
    alone = translate(write({"XML12": [minutes]}, {"XML12": [{**minutes, "SO_CCCD": "022970009998"}]}))
    assert len(of_type(alone, "Patient")) == 2

    beside = translate(write({"XML1": [visit], "XML12": [minutes]}))
    assert {a.fate for a in beside.ledger if "/XML12/" in a.place} == {Fate.UNMAPPED}

    same = translate(write({"XML1": [visit], "XML12": [{**minutes, "SO_CCCD": visit["SO_CCCD"]}]}))
    assert {a.fate for a in same.ledger if "/XML12/" in a.place} == {Fate.MAPPED}
    assert of_type(same, "Patient")[0]["name"][0]["text"] == visit["HO_TEN"]


def test_an_assessment_that_names_an_episode_too_is_still_its_own(translate, write, of_type):
    minutes = {"SO_BIEN_BAN": "5", "NGAY_HOP": "20261120", "HO_TEN": "NGƯỜI KHÁC", "SO_CCCD": "022970009999"}
    translation = translate(write({"XML12": [{**minutes, "MA_LK": "LK1"}]}))

    assert of_type(translation, "Patient")[0]["name"][0]["text"] == "NGƯỜI KHÁC"


def test_an_assessment_that_names_nobody_is_refused(translate, write):
    with pytest.raises(Untranslatable):
        translate(write({"XML12": [{"KET_QUA_KHAM": "Bình thường"}]}))


def test_a_file_says_which_tables_of_the_episode_it_states_whole(translate, write, visit):
    units = {unit.part: unit for unit in translate(write({"XML1": [visit]})).units}
    assert set(units) == {"XML1", "XML2", "XML3", "XML4", "XML5"}
    assert units["XML2"].resources == ()
    assert {ref.partition("/")[0] for ref in units["XML1"].resources} == {"Condition"}

    slip = translate(write({"XML14": [{"MA_LK": "LK1", "NGAY_HEN_KL": "202612080930"}]})).units
    assert [(unit.subject, unit.part) for unit in slip] == [("MA_LK|LK1", "XML14")]


def test_the_entitlement_of_a_slip_without_a_kind_of_visit_is_the_first_type(translate, write):
    translation = translate(write({"XML14": [{"MA_LK": "LK1", "NGAY_HEN_KL": "202612080930", "MA_DOITUONG_KCB": "1"}]}))
    resources = {
        f"{e['resource']['resourceType']}/{e['resource']['id']}": e["resource"] for e in translation.bundle["entry"]
    }
    (account,) = (one for one in translation.ledger if one.place.endswith("MA_DOITUONG_KCB"))

    record, _, path = account.targets[0].partition("#")
    assert path == "type[0]"
    assert resources[record]["type"]
