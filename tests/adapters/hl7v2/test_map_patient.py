"""PID: whose record it is, in the ways Vietnamese hospitals write it."""

from collections.abc import Callable

import pytest
from bundles import made

from adapters.contract import Fate, Resource, Translation

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]


@pytest.fixture
def patient(translate: Translate, message: Build) -> Callable[[str], Resource]:
    def read(pid: str) -> Resource:
        translation = translate(message("ADT^A28", pid))
        found = [e["resource"] for e in translation.bundle["entry"] if e["resource"]["resourceType"] == "Patient"]
        resource: Resource = found[0]
        return resource

    return read


Patient = Callable[[str], Resource]


@pytest.mark.parametrize(
    ("xpn", "family", "given"),
    [
        ("NGUYỄN^HOÀ^VĂN", "NGUYỄN", ["VĂN", "HOÀ"]),
        ("NGUYỄN^HOÀ^THỊ NGỌC", "NGUYỄN", ["THỊ", "NGỌC", "HOÀ"]),
        ("NGUYỄN^VĂN HOÀ", "NGUYỄN", ["VĂN", "HOÀ"]),
        ("NGUYỄN VĂN HOÀ", "NGUYỄN", ["VĂN", "HOÀ"]),
    ],
)
def test_a_name_is_said_family_middle_given(patient: Patient, xpn: str, family: str, given: list[str]) -> None:
    name = patient(f"PID|1||QN1^^^22T01^MR||{xpn}")["name"][0]

    assert (name["family"], name["given"]) == (family, given)
    assert name["text"] == " ".join([family, *given])


def test_a_name_of_one_word_stays_one_word(patient: Patient) -> None:
    assert patient("PID|1||QN1^^^22T01^MR||Y^^")["name"] == [{"text": "Y", "family": "Y"}]


def test_the_case_of_a_name_is_kept(patient: Patient) -> None:
    assert patient("PID|1||QN1^^^22T01^MR||nguyễn^Hoà^VĂN")["name"][0]["text"] == "nguyễn VĂN Hoà"


@pytest.mark.parametrize(
    ("cx", "sid", "kind", "use"),
    [
        ("022861009001^^^BCA^NI", "cccd", "NI", "official"),
        ("022861009001^^^CCCD", "cccd", "NI", "official"),
        ("100000001^^^^NNVNM", "cmnd", "NI", "secondary"),
        ("B1234567^^^^PPN", "passport", "PPN", "secondary"),
        ("GD4229999900001^^^BHXH^HC", "bhyt", "NIIP", "secondary"),
        ("GD4229999900001", "bhyt", "NIIP", "secondary"),
        ("2299999001^^^^SS", "bhxh", "NIIP", "secondary"),
    ],
)
def test_each_number_gets_the_system_of_its_sort(patient: Patient, cx: str, sid: str, kind: str, use: str) -> None:
    number = patient(f"PID|1||QN1^^^22T01^MR~{cx}")["identifier"][1]

    assert number["system"].endswith(f"/sid/{sid}")
    assert number["value"] == cx.split("^", maxsplit=1)[0]
    assert number["type"]["coding"][0]["code"] == kind
    assert number["use"] == use


def test_a_hospital_number_of_twelve_digits_is_no_citizen_number(patient: Patient) -> None:
    number = patient("PID|1||022861009001^^^22T01^MR")["identifier"][0]

    assert number["system"].endswith("qn-general:mrn")


def test_the_key_is_the_hospitals_own_number_wherever_it_stands(patient: Patient) -> None:
    first = patient("PID|1||QN1^^^22T01^MR~GD4229999900001^^^BHXH^HC")
    second = patient("PID|1||GD4229999900001^^^BHXH^HC~XX9^^^BVBC^MR~QN1^^^22T01^MR")

    assert first["id"] == second["id"]


def test_a_birth_date_of_a_year_alone_stays_a_year(patient: Patient) -> None:
    born = patient("PID|1||QN1^^^22T01^MR||A^B||19610000")

    assert born["birthDate"] == "1961"
    assert "_birthDate" not in born


def test_a_birth_time_of_zeros_is_unknown_and_a_real_one_is_kept(patient: Patient) -> None:
    assert "_birthDate" not in patient("PID|1||QN1^^^22T01^MR||A^B||20261104000000")
    extension = patient("PID|1||QN1^^^22T01^MR||A^B||202611040217")["_birthDate"]["extension"][0]
    assert extension["valueDateTime"] == "2026-11-04T02:17:00+07:00"


def test_an_impossible_birth_date_is_left_out_and_said(translate: Translate, message: Build) -> None:
    translation = translate(message("ADT^A28", "PID|1||QN1^^^22T01^MR||A^B||19610231"))

    assert "birthDate" not in translation.bundle["entry"][1]["resource"]
    assert "PID[1]-7" in [notice.where for notice in translation.notices]


def test_a_phone_number_keeps_its_leading_zero(patient: Patient) -> None:
    phones = patient("PID|1||QN1^^^22T01^MR||A^B||||||||0912000001^PRN^CP|02033825499^WPN^PH")["telecom"]

    assert phones == [
        {"system": "phone", "value": "0912000001", "use": "mobile"},
        {"system": "phone", "value": "02033825499", "use": "work"},
    ]


def test_an_address_in_one_component_is_kept_whole(patient: Patient) -> None:
    address = patient("PID|1||QN1^^^22T01^MR||A^B||||||Tổ 5, khu 2, P. Bãi Cháy, Quảng Ninh")["address"][0]

    assert address["text"] == "Tổ 5, khu 2, P. Bãi Cháy, Quảng Ninh"


@pytest.mark.parametrize(("sent", "gender"), [("M", "male"), ("F", "female"), ("Nữ", "female"), ("U", "unknown")])
def test_the_sex_codes_of_the_hospitals_are_known(patient: Patient, sent: str, gender: str) -> None:
    assert patient(f"PID|1||QN1^^^22T01^MR||A^B|||{sent}")["gender"] == gender


def test_an_unknown_sex_code_is_not_guessed(translate: Translate, message: Build) -> None:
    translation = translate(message("ADT^A28", "PID|1||QN1^^^22T01^MR||A^B|||Q"))

    assert "gender" not in translation.bundle["entry"][1]["resource"]
    assert "PID[1]-8" in [notice.where for notice in translation.notices]


def test_a_death_is_told_by_its_time_or_by_its_flag(patient: Patient) -> None:
    start = "PID|1||QN1^^^22T01^MR||A^B" + "|" * 24

    assert patient(start + "202611050830|Y")["deceasedDateTime"] == "2026-11-05T08:30:00+07:00"
    assert patient(start + "|Y")["deceasedBoolean"] is True


def test_the_facility_a_patient_is_registered_with_is_a_logical_link(translate: Translate, message: Build) -> None:
    body = message("ADT^A28", "PID|1||QN1^^^22T01^MR||A^B", "PD1|||Trạm y tế phường^^^^^^^^^22T91")
    patient = translate(body).bundle["entry"][1]["resource"]

    assert patient["generalPractitioner"][0]["identifier"]["value"] == "22T91"


@pytest.mark.parametrize(("said", "known"), [("female", "female"), ("Male", "male"), ("OTHER", "other")])
def test_the_sex_may_be_said_in_a_word(patient: Patient, said: str, known: str) -> None:
    assert patient(f"PID|1||QN1^^^22T01^MR||A^B|||{said}")["gender"] == known


def test_a_driving_licence_says_what_it_is_who_issued_it_and_until_when(patient: Patient) -> None:
    licence = patient("PID|1||QN1^^^22T01^MR||A^B" + "|" * 15 + "B2-01^Quảng Ninh^20301231")["identifier"][1]

    assert licence["type"]["coding"][0]["code"] == "DL"
    assert (licence["value"], licence["assigner"]["display"]) == ("B2-01", "Quảng Ninh")
    assert licence["period"] == {"end": "2030-12-31"}


def test_a_use_that_nobody_knows_is_not_called_mapped(translate: Translate, message: Build) -> None:
    translation = translate(message("ADT^A28", "PID|1||QN1^^^22T01^MR||A^B" + "|" * 8 + "0203^ZZ^PH~0912^ORN^CP"))
    targets = {account.place: account.targets for account in translation.ledger}

    assert targets["PID[1]-13[1].2"] == ()
    assert [one["use"] for one in translation.bundle["entry"][1]["resource"]["telecom"]] == ["home", "mobile"]


def test_a_value_of_control_characters_alone_is_left_out_with_its_reason(translate: Translate, message: Build) -> None:
    translation = translate(message("ADT^A28", "PID|1||QN1^^^22T01^MR|\\X00\\|A^B"))
    (account,) = (one for one in translation.ledger if one.place == "PID[1]-4[1]")

    assert (account.fate, account.targets) == (Fate.IGNORED, ())
    assert account.reason


def test_every_citizenship_that_is_said_is_kept(translate: Translate, message: Build) -> None:
    pid = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M" + "|" * 18 + "VN^Việt Nam~FR^Pháp"

    [patient] = made(translate(message("ADT^A28", pid)), "Patient")

    nations = [one["extension"][0]["valueCodeableConcept"]["text"] for one in patient["extension"]]
    assert nations == ["Việt Nam", "Pháp"]
