"""The pitfalls of Vietnamese records, one test each: names, births, numbers, codes, values, secrets, referrals."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from adapters import vn_xml
from adapters.contract import Coding, Fate, Message, Untranslatable

SECRET = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
REFERRAL = {"MA_LK": "LK1", "MA_CSKCB": "22T02", "GIAY_CHUYEN_TUYEN": "15", "DAU_HIEU_LS": "ran nổ", "MA_LYDO_CT": "2"}


@pytest.fixture
def patient(one, write, visit):
    return lambda **fields: one(write({"XML1": [{**visit, **fields}]}), "Patient")


@pytest.fixture
def result(one, write, visit):
    def pick(value, unit=""):
        row = {
            "MA_LK": "LK1",
            "STT": "1",
            "TEN_CHI_SO": "X",
            "GIA_TRI": value,
            "DON_VI_DO": unit,
            "NGAY_KQ": "202611200900",
        }
        return one(write({"XML1": [visit], "XML4": [row]}), "Observation")

    return pick


def systems(resource):
    return {number["value"]: number["system"].removeprefix("urn:test:") for number in resource["identifier"]}


def labels(resource):
    marks = resource.get("meta", {}).get("security", [])
    return {mark["code"] for mark in marks if mark["system"] == SECRET}


# names and births


def test_a_name_is_kept_as_typed_and_split_at_the_first_word(patient):
    (name,) = patient(HO_TEN="NGUYỄN VĂN HÒA")["name"]
    assert (name["text"], name["family"], name["given"]) == ("NGUYỄN VĂN HÒA", "NGUYỄN", ["VĂN", "HÒA"])


def test_tone_placement_is_not_changed(patient):
    assert patient(HO_TEN="Hoà")["name"][0]["text"] != patient(HO_TEN="Hòa")["name"][0]["text"]


def test_a_name_of_one_word_has_no_given_name(patient):
    assert "given" not in patient(HO_TEN="HÀ")["name"][0]


@pytest.mark.parametrize(
    ("written", "read"),
    [("197000000000", "1970"), ("197005000000", "1970-05"), ("197005170000", "1970-05-17"), ("19700517", "1970-05-17")],
)
def test_a_birth_date_is_as_precise_as_the_source(patient, written, read):
    found = patient(NGAY_SINH=written)
    assert found["birthDate"] == read
    assert "_birthDate" not in found


def test_a_known_hour_of_birth_is_a_birth_time(patient):
    (extension,) = patient(NGAY_SINH="202611101642")["_birthDate"]["extension"]
    assert extension["valueDateTime"] == "2026-11-10T16:42:00+07:00"


def test_an_impossible_birth_date_is_told_and_left_unmapped(fate, translate, write, visit):
    body = write({"XML1": [{**visit, "NGAY_SINH": "197013450000"}]})

    assert fate(body, "/XML1/NGAY_SINH").fate is Fate.UNMAPPED
    assert any(notice.where.endswith("/NGAY_SINH") for notice in translate(body).notices)


def test_an_adult_has_an_official_name(patient):
    assert patient()["name"][0]["use"] == "official"


def test_a_newborn_with_its_mothers_name_has_a_temporary_name(one, write, visit):
    baby = {**visit, "NGAY_SINH": "202611190300"}
    letter = {"MA_LK": "LK1", "HO_TEN_ME": visit["HO_TEN"], "MA_THE_TAM": "TE1220000000303"}
    found = one(write({"XML1": [baby], "XML7": [letter]}), "Patient")

    assert found["name"][0]["use"] == "temp"
    assert systems(found)["TE1220000000303"] == "bhyt-temporary"


def test_a_newborns_name_is_temporary_while_no_parent_is_named(patient):
    assert patient(NGAY_SINH="202611190300")["name"][0]["use"] == "temp"


def test_a_newborn_with_a_name_of_its_own_keeps_it(one, write, visit):
    letter = {"MA_LK": "LK1", "HO_TEN_ME": "HOÀNG THỊ MẪU", "HO_TEN_CHA": "VŨ VĂN MẪU"}
    body = write({"XML1": [{**visit, "NGAY_SINH": "202611190300"}], "XML7": [letter]})

    assert one(body, "Patient")["name"][0]["use"] == "usual"


def test_a_child_of_five_with_a_te1_card_is_no_newborn(patient):
    found = patient(NGAY_SINH="202105170000", MA_THE_BHYT="TE1220000000777")
    assert found["name"][0]["use"] == "official"
    assert systems(found)["TE1220000000777"] == "bhyt"


def test_the_mother_is_a_related_person_and_never_linked_as_one(one, translate, write, visit):
    baby = {**visit, "NGAY_SINH": "202611190300"}
    body = write({"XML1": [baby], "XML7": [{"MA_LK": "LK1", "HO_TEN_ME": visit["HO_TEN"], "MA_ME": "2299990303"}]})
    mother = one(body, "RelatedPerson")

    assert mother["relationship"][0]["coding"][0]["code"] == "MTH"
    assert systems(mother) == {"2299990303": "bhxh"}
    assert "'link'" not in str(translate(body).bundle)


def test_ten_zeros_are_no_insurance_number(one, write, visit):
    body = write({"XML1": [visit], "XML7": [{"MA_LK": "LK1", "HO_TEN_ME": "A B", "MA_ME": "0000000000"}]})
    assert "identifier" not in one(body, "RelatedPerson")


def test_a_birth_certificate_makes_the_child_and_not_the_mother_a_patient(translate, write, of_type):
    row = {"MA_LK": "LK1", "MA_THE_TAM": "TE1220000000303", "HO_TEN_NND": "ĐẶNG THỊ MẪU", "CAN_NANG_CON": "3150"}
    translation = translate(write({"XML9": [row]}))
    (child,) = of_type(translation, "Patient")

    assert systems(child) == {"TE1220000000303": "bhyt-temporary"}
    assert of_type(translation, "RelatedPerson")[0]["name"][0]["text"] == "ĐẶNG THỊ MẪU"
    assert of_type(translation, "Observation")[0]["valueQuantity"]["unit"] == "g"


def test_twins_are_two_patients_with_their_own_weights(translate, of_type, fixtures):
    translation = translate((fixtures / "twins" / "message.xml").read_bytes())
    children = [found for found in of_type(translation, "Patient") if found.get("multipleBirthBoolean")]
    weights = [o for o in of_type(translation, "Observation") if "Birth weight" in str(o["code"])]

    assert len(children) == 2
    assert sorted(int(weight["valueQuantity"]["value"]) for weight in weights) == [2210, 2350]
    assert len({weight["subject"]["reference"] for weight in weights}) == 2


def test_a_childs_documents_are_about_the_child_and_not_part_of_the_mothers_visit(translate, of_type, fixtures):
    translation = translate((fixtures / "twins" / "message.xml").read_bytes())
    children = {f"urn:uuid:{p['id']}" for p in of_type(translation, "Patient") if p.get("multipleBirthBoolean")}
    documents = of_type(translation, "Composition")

    assert {document["subject"]["reference"] for document in documents} == children
    assert [document for document in documents if "encounter" in document or "entry" in str(document["section"])] == []


def test_weights_of_twins_in_one_field_are_a_list(translate, write, visit, of_type):
    found = of_type(translate(write({"XML1": [{**visit, "CAN_NANG_CON": "2350;2210"}]})), "Observation")
    assert [str(weight["valueQuantity"]["value"]) for weight in found] == ["2350", "2210"]


def test_a_mothers_report_of_her_childs_weight_is_not_her_own_birth_weight(one, write, visit):
    found = one(write({"XML1": [{**visit, "CAN_NANG_CON": "3150"}]}), "Observation")
    assert "coding" not in found["code"]


# numbers


@pytest.mark.parametrize(
    ("number", "key"), [("022994009002", "cccd"), ("123456789", "cmnd"), ("B1234567", "passport"), ("X12", "passport")]
)
def test_a_citizen_number_is_classified_by_its_pattern(patient, number, key):
    assert systems(patient(SO_CCCD=number))[number] == key


def test_no_citizen_number_is_made_up(patient):
    assert list(systems(patient(SO_CCCD="")).values()) == ["mrn"]


def test_parallel_card_lists_stay_in_step(translate, write, visit, of_type):
    cards = {"MA_THE_BHYT": "GD4229999900405;DN4229999900405", "MA_DKBD": ";22T01", "GT_THE_TU": "20260101;20261101"}
    first, second = of_type(translate(write({"XML1": [{**visit, **cards}]})), "Coverage")

    assert (first["period"]["start"], second["period"]["start"]) == ("2026-01-01", "2026-11-01")
    assert "extension" not in first
    assert second["extension"][0]["valueReference"]["identifier"]["value"] == "22T01"


def test_a_list_of_doctors_is_several_practitioners(translate, write, visit, of_type):
    row = {"MA_LK": "LK1", "STT": "1", "TEN_THUOC": "X", "MA_BAC_SI": "A1;B2"}
    translation = translate(write({"XML1": [visit], "XML2": [row]}))

    assert [found["identifier"][0]["value"] for found in of_type(translation, "Practitioner")] == ["A1", "B2"]


def test_a_mobilised_doctor_keeps_the_licence(translate, write, visit, of_type):
    rows = [{"MA_LK": "LK1", "STT": str(n), "MA_BAC_SI": code} for n, code in enumerate(["G1", "G1.HD.22T01"])]
    (found,) = of_type(translate(write({"XML1": [visit], "XML2": rows})), "Practitioner")

    assert found["identifier"][0]["value"] == "G1"


def test_a_trainee_does_not_become_the_doctor_whose_licence_is_lent(translate, write, visit, of_type):
    row = {"MA_LK": "LK1", "STT": "1", "TEN_THUOC": "X", "MA_BAC_SI": "G1(NV7)"}
    (found,) = of_type(translate(write({"XML1": [visit], "XML2": [row]})), "Practitioner")

    assert found["identifier"] == [{"system": "urn:vn:byt:ma-nhan-vien", "value": "NV7"}]
    assert found["qualification"][0]["identifier"][0]["value"] == "G1"


def test_the_same_row_number_twice_makes_two_requests(translate, write, visit, of_type):
    rows = [{"MA_LK": "LK1", "STT": "1", "TEN_THUOC": name} for name in ("A", "B")]
    assert len(of_type(translate(write({"XML1": [visit], "XML2": rows})), "MedicationRequest")) == 2


def test_a_row_of_another_episode_is_never_attached(translate, write, visit, of_type):
    translation = translate(write({"XML1": [visit], "XML2": [{"MA_LK": "LK9", "STT": "1", "TEN_THUOC": "A"}]}))

    assert of_type(translation, "MedicationRequest") == []
    assert any("another episode" in notice.text for notice in translation.notices)


# codes


@pytest.mark.parametrize(("given", "who"), [("J18.9", "J18.9"), ("J189", "J18.9"), ("J18", "J18"), ("A17.0†", "A17.0")])
def test_an_icd_code_is_kept_as_given_and_dotted_for_who(one, write, visit, given, who):
    coding = one(write({"XML1": [{**visit, "MA_BENH_CHINH": given}]}), "Condition")["code"]["coding"]
    assert [found["code"] for found in coding] == [given, who]


def test_leading_zeros_of_codes_stay(one, write, visit):
    found = one(write({"XML1": [{**visit, "MA_LOAI_KCB": "03", "MA_DOITUONG_KCB": "1.10"}]}), "Encounter")
    assert [kind["coding"][0]["code"] for kind in found["type"]] == ["03", "1.10"]
    assert found["class"]["code"] == "IMP"


def test_ethnicity_18_is_san_diu_in_the_default_list_and_carries_its_system(patient):
    (folk,) = [e for e in patient(MA_DANTOC="18")["extension"] if "ethnicity" in e["url"]]
    assert folk["valueCodeableConcept"]["coding"][0] == {
        "system": "urn:test:ethnicity", "code": "18", "display": "Sán Dìu",
    }  # fmt: skip


def test_an_unknown_code_is_kept_and_told(translate, write, visit, of_type):
    translation = translate(write({"XML1": [{**visit, "KET_QUA_DTRI": "99"}]}))
    (outcome,) = of_type(translation, "Encounter")[0]["extension"]

    assert outcome["valueCodeableConcept"]["coding"][0]["code"] == "99"
    assert any("not in its national list" in notice.text for notice in translation.notices)


def test_an_over_long_field_is_kept_whole_and_told(translate, write, visit, of_type):
    translation = translate(write({"XML1": [{**visit, "HO_TEN": "A" * 300}]}))

    assert len(of_type(translation, "Patient")[0]["name"][0]["text"]) == 300
    assert [notice.text for notice in translation.notices] == ["longer than 255 characters; kept whole"]


def test_a_foreign_facility_code_is_told(translate, write, visit):
    notices = translate(write({"XML1": [{**visit, "MA_CSKCB": "01929"}]})).notices
    assert any("registered" in notice.text for notice in notices)


def test_a_death_in_hospital_is_told_on_patient_and_visit(translate, write, visit, of_type):
    translation = translate(write({"XML1": [{**visit, "KET_QUA_DTRI": "5", "MA_LOAI_RV": "1"}]}))
    disposition = of_type(translation, "Encounter")[0]["hospitalization"]["dischargeDisposition"]

    assert of_type(translation, "Patient")[0]["deceasedBoolean"] is True
    assert disposition["coding"][-1]["code"] == "exp"


@pytest.mark.parametrize(
    ("group", "made"),
    [
        ("1", "ServiceRequest"),
        ("2", "ServiceRequest"),
        ("3", "ServiceRequest"),
        ("8", "Procedure"),
        ("18", "Procedure"),
    ],
)
def test_the_cost_group_decides_what_a_service_row_becomes(one, write, visit, group, made):
    row = {"MA_LK": "LK1", "STT": "1", "MA_DICH_VU": "01.1", "TEN_DICH_VU": "X", "MA_NHOM": group}
    assert one(write({"XML1": [visit], "XML3": [row]}), made)["code"]["text"] == "X"


def test_a_supply_row_is_ignored_with_its_reason(fate, write, visit):
    row = {"MA_LK": "LK1", "STT": "1", "MA_VAT_TU": "N03", "MA_NHOM": "10", "MA_KHOA": "K01"}
    assert fate(write({"XML1": [visit], "XML3": [row]}), "CHI_TIET_DVKT[1]/MA_KHOA").reason.startswith("supply row")


def test_a_bed_row_is_a_place_of_the_visit(one, write, visit):
    row = {"MA_LK": "LK1", "STT": "1", "MA_NHOM": "15", "MA_GIUONG": "H012", "NGAY_YL": "202611200810"}
    (bed,) = one(write({"XML1": [visit], "XML3": [row]}), "Encounter")["location"]

    assert bed["location"]["identifier"]["value"] == "H012"
    assert bed["period"]["start"] == "2026-11-20T08:10:00+07:00"


# values


def test_a_decimal_keeps_its_digits(result):
    assert str(result("7.20", "mmol/L")["valueQuantity"]["value"]) == "7.20"


def test_a_decimal_comma_becomes_a_point_and_the_text_stays(result):
    found = result("5,4")["valueQuantity"]
    assert found["value"] == Decimal("5.4")
    assert found["extension"][0]["valueString"] == "5,4"


@pytest.mark.parametrize(("text", "sign", "number"), [("<0,3", "<", "0.3"), (">= 100", ">=", "100"), ("≤5", "<=", "5")])
def test_a_comparator_is_kept(result, text, sign, number):
    found = result(text)["valueQuantity"]
    assert (found["comparator"], str(found["value"])) == (sign, number)


@pytest.mark.parametrize("text", ["1,234", "1.2.3", "1-2", "1:160", "5 4", "-", "++"])
def test_a_number_that_could_mean_two_things_stays_text(result, text):
    assert result(text)["valueString"] == text


@pytest.mark.parametrize(("text", "code"), [("Âm tính", "NEG"), ("DƯƠNG TÍNH", "POS")])
def test_qualitative_words_are_coded_and_kept(result, text, code):
    found = result(text)["valueCodeableConcept"]
    assert (found["text"], found["coding"][0]["code"]) == (text, code)


@pytest.mark.parametrize("unit", ["µmol/L", "μmol/L", "umol/l"])
def test_either_micro_sign_is_the_same_unit(result, unit):
    found = result("96", unit)["valueQuantity"]
    assert (found["unit"], found["code"]) == (unit, "umol/L")


def test_an_unknown_unit_stays_words(result):
    assert result("5", "giọt")["valueQuantity"] == {"value": Decimal(5), "unit": "giọt"}


def test_a_result_that_is_pending_has_no_invented_value(one, write, visit):
    row = {"MA_LK": "LK1", "STT": "1", "TEN_CHI_SO": "Cấy máu"}
    found = one(write({"XML1": [visit], "XML4": [row]}), "Observation")

    assert found["status"] == "registered"
    assert "dataAbsentReason" in found


def test_vital_signs_are_read_from_the_nurses_convention(translate, write, visit, of_type):
    row = {
        "MA_LK": "LK1", "STT": "1", "THOI_DIEM_DBLS": "202611200830",
        "DIEN_BIEN_LS": "Tỉnh. CSST<M75_T37,5_HA120/70_NT18_HL2_SP98>",
    }  # fmt: skip
    found = of_type(translate(write({"XML1": [visit], "XML5": [row]})), "Observation")
    values = [str(o["valueQuantity"]["value"]) for o in found if "valueQuantity" in o]
    (pressure,) = [o["component"] for o in found if "component" in o]

    assert values == ["75", "37.5", "18", "98"]
    assert [str(part["valueQuantity"]["value"]) for part in pressure] == ["120", "70"]


def test_vital_signs_in_free_words_are_not_guessed(translate, write, visit, of_type):
    row = {"MA_LK": "LK1", "STT": "1", "DIEN_BIEN_LS": "M 84 l/p, HA 130/80 mmHg, T° 37,8 < 38"}
    assert of_type(translate(write({"XML1": [visit], "XML5": [row]})), "Observation") == []


def test_an_end_before_its_start_is_told_and_left_out(one, fate, write, visit):
    row = {"MA_LK": "LK1", "STT": "1", "MA_NHOM": "1", "NGAY_TH_YL": "202611200900", "NGAY_KQ": "202611200800"}
    body = write({"XML1": [visit], "XML3": [row]})

    assert "end" not in one(body, "ServiceRequest")["occurrencePeriod"]
    assert fate(body, "/NGAY_KQ").fate is Fate.UNMAPPED


# secrets


@pytest.mark.parametrize(("code", "label"), [("B24", "HIV"), ("Z21", "HIV"), ("F32.1", "PSY"), ("F11.2", "SUD")])
def test_a_secret_diagnosis_is_labelled_and_so_are_the_words_about_it(one, write, visit, code, label):
    body = write({"XML1": [{**visit, "MA_BENH_CHINH": code}]})

    assert labels(one(body, "Condition")) == {label}
    assert labels(one(body, "Encounter")) == {label}
    assert one(body, "Condition")["meta"]["security"][0]["code"] == "R"


def test_a_secret_secondary_diagnosis_labels_the_referral(one, write, visit):
    body = write({"XML1": [{**visit, "MA_BENH_KT": "B20"}], "XML13": [REFERRAL]})
    assert labels(one(body, "ServiceRequest")) == {"HIV"}
    assert labels(one(body, "Composition")) == {"HIV"}


def test_the_entitlement_1_9_reveals_hiv_and_is_labelled(one, write, visit):
    assert labels(one(write({"XML1": [{**visit, "MA_DOITUONG_KCB": "1.9"}]}), "Encounter")) == {"HIV"}


def test_the_entitlement_1_1_is_no_secret(one, write, visit):
    assert "meta" not in one(write({"XML1": [{**visit, "MA_DOITUONG_KCB": "1.1"}]}), "Encounter")


def test_a_drug_that_reveals_hiv_is_labelled(one, write, visit):
    row = {"MA_LK": "LK1", "STT": "1", "TEN_THUOC": "Tenofovir/Lamivudin/Dolutegravir"}
    assert labels(one(write({"XML1": [visit], "XML2": [row]}), "MedicationRequest")) == {"HIV"}


def test_a_test_named_after_hiv_is_labelled_whatever_its_result(translate, write, visit, of_type):
    order = {"MA_LK": "LK1", "STT": "1", "MA_DICH_VU": "24.0169", "TEN_DICH_VU": "HIV Ab test nhanh", "MA_NHOM": "1"}
    row = {"MA_LK": "LK1", "STT": "1", "MA_DICH_VU": "24.0169", "TEN_CHI_SO": "Kết quả", "GIA_TRI": "Âm tính"}
    translation = translate(write({"XML1": [visit], "XML3": [order], "XML4": [row]}))

    for made in ("ServiceRequest", "Observation", "DiagnosticReport"):
        assert labels(of_type(translation, made)[0]) == {"HIV"}


def test_a_secret_reason_of_a_service_labels_service_and_visit(one, write, visit):
    row = {"MA_LK": "LK1", "STT": "1", "TEN_DICH_VU": "Khám", "MA_NHOM": "13", "MA_BENH": "F32.1"}
    body = write({"XML1": [visit], "XML3": [row]})

    assert labels(one(body, "ServiceRequest")) == labels(one(body, "Encounter")) == {"PSY"}


def test_hiv_fields_of_the_tuberculosis_table_stand_apart_and_labelled(translate, write, visit, of_type):
    body = write({"XML1": [visit], "XML15": [{"MA_LK": "LK1", "BDDT_ARV": "20260101", "LOAI_DTRI_LAO": "2"}]})
    panels = {panel["code"]["text"]: panel for panel in of_type(translate(body), "Observation")}

    assert labels(panels["Tình trạng HIV của người bệnh lao"]) == {"HIV"}
    assert "meta" not in panels["Điều trị bệnh lao"]
    assert len(panels["Điều trị bệnh lao"]["component"]) == 1


# referrals


@pytest.fixture
def referral(one, write, visit):
    return lambda **fields: one(write({"XML1": [visit], "XML13": [{**REFERRAL, **fields}]}), "ServiceRequest")


@pytest.mark.parametrize("shape", [("MA_CSKCB_DI", "MA_CSKCB_DEN"), ("MA_NOI_DI", "MA_NOI_DEN")])
def test_both_shapes_name_the_target_and_the_facility_before_the_sender(referral, shape):
    before, after = shape
    found = referral(**{before: "22T01", after: "01T01"})

    assert [p["identifier"]["value"] for p in found["performer"]] == ["01T01"]
    assert found["supportingInfo"][1]["identifier"]["value"] == "22T01"


def test_the_sender_is_the_issuing_facility_not_the_one_before(referral):
    sender = referral(MA_CSKCB_DI="22T01")["supportingInfo"][0]["reference"]
    assert referral(MA_CSKCB_DI="22T05")["requester"]["reference"] == sender


def test_a_chain_of_facilities_before_is_a_list(referral):
    codes = [info.get("identifier", {}).get("value") for info in referral(MA_CSKCB_DI="22T01;22T05")["supportingInfo"]]
    assert codes[1:] == ["22T01", "22T05"]


def test_the_composition_belongs_to_its_request(one, write, visit):
    body = write({"XML1": [visit], "XML13": [REFERRAL]})
    detail = one(body, "Composition")["event"][0]["detail"][0]["reference"]
    assert detail == f"urn:uuid:{one(body, 'ServiceRequest')['id']}"


def test_the_older_shape_keeps_services_drugs_and_second_treatment_in_words(one, write, visit):
    older = {**REFERRAL, "PP_DIEUTRI": "a1", "PP_DIEU_TRI": "b2", "TEN_DICH_VU": "c3", "TEN_THUOC": "d4"}
    sections = one(write({"XML1": [visit], "XML13": [older]}), "Composition")["section"]
    (treatment,) = [section["text"]["div"] for section in sections if section["title"] == "Phương pháp điều trị"]

    assert all(words in treatment for words in ("a1", "b2", "c3", "d4"))


def test_markup_in_a_narrative_is_escaped(one, write, visit):
    body = write({"XML1": [visit], "XML13": [{**REFERRAL, "QT_BENHLY": "<script>x</script> & <b>đau</b>"}]})
    div = one(body, "Composition")["section"][1]["text"]["div"]
    assert "&lt;script&gt;x&lt;/script&gt; &amp;" in div


def test_a_referral_that_differs_from_xml1_is_told_and_xml1_stands(translate, write, visit, of_type, fate):
    body = write({"XML1": [visit], "XML13": [{**REFERRAL, "HO_TEN": "TRẦN THỊ KHÁC", "NGAY_SINH": visit["NGAY_SINH"]}]})
    translation = translate(body)

    assert of_type(translation, "Patient")[0]["name"][0]["text"] == visit["HO_TEN"]
    assert [n.where.rpartition("/")[2] for n in translation.notices] == ["MA_CSKCB_DEN", "HO_TEN"]
    assert fate(body, "/XML13/HO_TEN").fate is Fate.IGNORED
    assert fate(body, "/XML13/NGAY_SINH").fate is Fate.MAPPED


def test_a_notice_never_holds_the_record(translate, write, visit):
    canary = {**visit, "HO_TEN": "CANARY" * 60, "NGAY_SINH": "CANARY", "GIOI_TINH": "CANARY", "MA_CSKCB": "CANARY"}
    assert "CANARY" not in str(translate(write({"XML1": [canary], "XML13": [REFERRAL]})).notices)


def test_a_referral_alone_tells_about_patient_and_visit(translate, of_type, fixtures):
    translation = translate((fixtures / "referral-alone" / "message.xml").read_bytes())

    assert of_type(translation, "Patient")[0]["birthDate"] == "1961-03-14"
    assert of_type(translation, "Encounter")[0]["hospitalization"]["origin"]["identifier"]["value"] == "22T05"
    assert len(of_type(translation, "Condition")) == 3


def test_a_revisit_slip_is_a_proposed_appointment(one, write, visit):
    body = write({"XML1": [visit], "XML14": [{"MA_LK": "LK1", "NGAY_HEN_KL": "202612210800", "SO_GIAYHEN_KL": "7"}]})
    found = one(body, "Appointment")

    assert found["status"] == "proposed"
    assert found["requestedPeriod"] == [{"start": "2026-12-21T08:00:00+07:00"}]


def test_a_resend_meets_the_same_resources(translate, write, visit):
    first, second = (translate(write({"XML1": [{**visit, "HO_TEN": name}]})).bundle["entry"] for name in ("A B", "C D"))
    assert [entry["request"]["url"] for entry in first] == [entry["request"]["url"] for entry in second]


def test_a_hospitals_own_code_table_adds_its_coding(write, visit, hospital):
    known = replace(hospital, codes={"MA_CHI_SO": {"23.0075": Coding("http://loinc.org", "14749-6", "Glucose")}})
    body = write({"XML1": [visit], "XML4": [{"MA_LK": "LK1", "STT": "1", "MA_CHI_SO": "23.0075", "GIA_TRI": "5.4"}]})
    text = str(vn_xml.translate(Message(known, "text/xml", body.encode(), datetime.now(UTC))).bundle)

    assert "14749-6" in text


# what systems write where the decisions say something else


def test_the_end_of_a_day_written_as_24_hours_is_the_start_of_the_next(one, write, visit):
    encounter = one(write({"XML1": [{**visit, "NGAY_RA": "202611302400"}]}), "Encounter")
    assert encounter["period"]["end"] == "2026-12-01T00:00:00+07:00"


@pytest.mark.parametrize("field", ["CAN_NANG", "CAN_NANG_CON"])
def test_a_weight_of_zero_is_no_weight(translate, of_type, fate, write, visit, field):
    body = write({"XML1": [{**visit, field: "0;0.00" if field == "CAN_NANG_CON" else "0.00"}]})
    assert of_type(translate(body), "Observation") == []
    assert fate(body, f"/{field}").reason == "0: nobody was weighed"


def test_icd_codes_parted_by_commas_are_codes_of_their_own_and_that_is_told(translate, of_type, write, visit):
    translation = translate(write({"XML1": [{**visit, "MA_BENH_KT": "I10,E11.9;K29"}]}))
    codes = {resource["code"]["coding"][0]["code"] for resource in of_type(translation, "Condition")}

    assert codes == {"J18.9", "I10", "E11.9", "K29"}
    assert any("commas" in notice.text for notice in translation.notices)


def test_words_with_a_comma_are_not_taken_apart(translate, of_type, write, visit):
    translation = translate(write({"XML1": [{**visit, "MA_BENH_KT": "I10, theo dõi"}]}))
    assert "I10, theo dõi" in {r["code"]["coding"][0]["code"] for r in of_type(translation, "Condition")}


def test_parents_whose_names_two_documents_write_differently_have_both(translate, of_type, write, visit):
    letter = {"MA_LK": "LK1", "HO_TEN_ME": "TRẦN THỊ MỘT", "NGAY_CT": "20261120"}
    summary = {**letter, "HO_TEN_ME": "TRẦN THỊ HAI"}
    translation = translate(write({"XML1": [visit], "XML7": [letter], "XML8": [summary]}))
    (mother,) = of_type(translation, "RelatedPerson")

    assert [name["text"] for name in mother["name"]] == ["TRẦN THỊ MỘT", "TRẦN THỊ HAI"]
    (second,) = [a for a in translation.ledger if a.place.endswith("XML8/HO_TEN_ME")]
    assert second.targets == (f"RelatedPerson/{mother['id']}#name[1].text",)


def test_a_signer_whose_name_two_documents_write_differently_has_both(translate, of_type, write, visit):
    letter = {"MA_LK": "LK1", "MA_BS": "GP1", "TEN_BS": "LÊ A", "NGAY_CT": "20261120"}
    translation = translate(write({"XML1": [visit], "XML7": [letter], "XML10": [{**letter, "TEN_BS": "LÊ B"}]}))
    (doctor,) = of_type(translation, "Practitioner")

    assert [name["text"] for name in doctor["name"]] == ["LÊ A", "LÊ B"]


def test_anaesthesia_of_a_test_is_kept(one, write, visit):
    row = {"MA_LK": "LK1", "STT": "1", "MA_DICH_VU": "S1", "MA_NHOM": "3", "PP_VO_CAM": "1", "NGAY_YL": "202611200900"}
    request = one(write({"XML1": [visit], "XML3": [row]}), "ServiceRequest")
    assert request["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] == "1"


def test_a_bed_keeps_its_kind_and_its_ward(one, fate, write, visit):
    row = {"MA_LK": "LK1", "STT": "1", "MA_DICH_VU": "K04.1907", "MA_NHOM": "15", "MA_GIUONG": "H001", "MA_KHOA": "K04"}
    body = write({"XML1": [visit], "XML3": [row]})
    place = one(body, "Encounter")["location"][-1]

    assert place["physicalType"]["coding"][0]["code"] == "K04.1907"
    assert place["extension"][0]["valueReference"]["identifier"]["value"] == "K04"
    assert fate(body, "XML3/CHI_TIET_DVKT[1]/MA_KHOA").fate is Fate.MAPPED


def test_a_procedure_of_xml1_leads_to_the_row_that_states_it(translate, of_type, fate, write, visit):
    row = {"MA_LK": "LK1", "STT": "1", "MA_DICH_VU": "P1", "MA_NHOM": "8", "MA_PTTT_QT": "36.01"}
    body = write({"XML1": [{**visit, "MA_PTTT_QT": "36.01"}], "XML3": [row]})
    (procedure,) = of_type(translate(body), "Procedure")

    assert fate(body, "XML1/MA_PTTT_QT").targets == (f"Procedure/{procedure['id']}#code.coding.code",)


def test_a_childs_certificate_names_its_mothers_stay_by_the_code(translate, of_type, write, visit):
    birth = {"MA_LK": "LK1", "MA_THE_TAM": "TE1222200000001", "HO_TEN_NND": "TRẦN THỊ THỬ", "NGAY_CT": "20261120"}
    (document,) = of_type(translate(write({"XML1": [visit], "XML9": [birth]})), "Composition")

    assert document["event"][0]["detail"][0]["identifier"] == {"system": "urn:test:episode", "value": "LK1"}
    assert "encounter" not in document


def test_one_field_in_an_old_font_among_fields_in_unicode_is_refused(translate, write, visit):
    with pytest.raises(Untranslatable, match="TCVN3"):
        translate(write({"XML1": [{**visit, "DIA_CHI": "X· Tiªn Yªn, tØnh Qu¶ng Ninh", "LY_DO_VV": "đau ngực trái"}]}))


def test_a_foreign_name_among_fields_in_unicode_is_not(one, write, visit):
    patient = one(write({"XML1": [{**visit, "HO_TEN": "FRANÇOIS BÖHM-ÅSE ÑANDÚ", "LY_DO_VV": "đau ngực"}]}), "Patient")
    assert patient["name"][0]["text"] == "FRANÇOIS BÖHM-ÅSE ÑANDÚ"
