"""OBX: each type of value, and what must not be guessed."""

import json
from collections.abc import Callable

import pytest

from adapters.contract import Resource, Translation, Untranslatable

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]

PID = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M"


@pytest.fixture
def observations(translate: Translate, message: Build) -> Callable[..., list[Resource]]:
    def read(*rows: str) -> list[Resource]:
        entries = translate(message("ORU^R01", PID, "OBR|1|P1|F1|SHM|||20261102", *rows)).bundle["entry"]
        return [entry["resource"] for entry in entries if entry["resource"]["resourceType"] == "Observation"]

    return read


Observations = Callable[..., list[Resource]]


def value_of(observation: Resource) -> object:
    return next(observation[name] for name in observation if name.startswith("value"))


@pytest.mark.parametrize(
    ("kind", "sent", "name", "meant"),
    [
        ("ST", "Vàng trong", "valueString", "Vàng trong"),
        ("FT", r"một\.br\hai~ba", "valueString", "một\nhai\nba"),
        ("DT", "20261102", "valueDateTime", "2026-11-02"),
        ("TM", "0830", "valueTime", "08:30:00"),
        ("SN", "^2^+", "valueString", "2+"),
        ("CE", "POS^Dương tính", "valueCodeableConcept", None),
        ("XPN", "NGUYỄN^HOÀ", "valueString", "NGUYỄN^HOÀ"),
    ],
)
def test_a_value_is_read_as_its_declared_type(
    observations: Observations, kind: str, sent: str, name: str, meant: object
) -> None:
    [made] = observations(f"OBX|1|{kind}|X^Thử||{sent}||||||F")

    assert name in made
    assert meant is None or made[name] == meant


def test_decimals_keep_their_zeros(observations: Observations) -> None:
    [made] = observations("OBX|1|NM|GLU||7.20|mmol/L|||||F")

    assert str(made["valueQuantity"]["value"]) == "7.20"


def test_a_decimal_comma_is_read_and_its_original_kept(observations: Observations) -> None:
    [made] = observations("OBX|1|NM|GLU||5,4|mmol/L|||||F")

    assert str(made["valueQuantity"]["value"]) == "5.4"
    assert made["note"] == [{"text": "OBX-5: 5,4"}]


def test_a_comparator_stands_apart_from_its_number(observations: Observations) -> None:
    [made] = observations("OBX|1|NM|TNT||<0.3|ng/mL|||||F")

    assert made["valueQuantity"]["comparator"] == "<"
    assert str(made["valueQuantity"]["value"]) == "0.3"


@pytest.mark.parametrize("sent", ["abc", "1,234", "1,234,567.8", "Âm tính", "5-8"])
def test_a_number_that_is_none_for_sure_stays_text_with_a_notice(
    translate: Translate, message: Build, sent: str
) -> None:
    rows = ("OBX|1|NM|NA||139||||||F", f"OBX|2|NM|GLU||{sent}||||||F")
    translation = translate(message("ORU^R01", PID, "OBR|1|P1|F1|SHM", *rows))

    made = [e["resource"] for e in translation.bundle["entry"] if e["resource"]["resourceType"] == "Observation"]
    assert value_of(made[1]) == sent
    assert "valueQuantity" in made[0]
    [told] = translation.notices
    assert told.where == "OBX[2]-5[1]"
    assert sent not in told.text


@pytest.mark.parametrize("sent", ["12,5,6", "7.2.1", "1,2345,678"])
def test_a_damaged_number_stops_the_message_without_repeating_it(observations: Observations, sent: str) -> None:
    with pytest.raises(Untranslatable) as refused:
        observations("OBX|1|NM|NA||139||||||F", f"OBX|2|NM|GLU||{sent}||||||F")

    assert refused.value.where == "OBX[2]-5"
    assert refused.value.reason == "OBX-5 is declared NM but is not a number"
    assert sent not in str(refused.value)


def test_several_numbers_in_one_row_become_components(observations: Observations) -> None:
    [made] = observations("OBX|1|NM|HR||60~120|/min|||||F")

    assert [str(part["valueQuantity"]["value"]) for part in made["component"]] == ["60", "120"]


def test_rows_of_text_with_one_code_are_one_text(observations: Observations) -> None:
    made = observations(
        "OBX|1|TX|NX^Nhận xét||một||||||F", "OBX|2|TX|NX^Nhận xét||hai||||||F", "OBX|3|TX|KL||ba||||||F"
    )

    assert [value_of(one) for one in made] == ["một\nhai", "ba"]


def test_text_after_an_empty_row_is_a_value_and_not_an_absence(observations: Observations) -> None:
    [made] = observations("OBX|1|TX|NX||||||||F", "OBX|2|TX|NX||hai||||||F")

    assert made["valueString"] == "hai"
    assert "dataAbsentReason" not in made


def test_equal_codes_in_one_order_stay_two_results(observations: Observations) -> None:
    made = observations("OBX|1|NM|GLU||5.1||||||F", "OBX|2|NM|GLU||6.1||||||F")

    assert len({one["id"] for one in made}) == 2


def test_a_missing_value_says_why(observations: Observations) -> None:
    [made] = observations("OBX|1|NM|K||||||||X")

    assert made["status"] == "cancelled"
    assert made["dataAbsentReason"]["coding"][0]["code"] == "not-performed"


def test_a_missing_type_is_read_as_a_number_only_with_a_unit(observations: Observations) -> None:
    number, text = observations("OBX|1||O2||28|%|||||F", "OBX|2||O3||28||||||F")

    assert str(value_of(number)["value"]) == "28"  # type: ignore[index]
    assert value_of(text) == "28"


def test_the_hospitals_own_table_adds_a_standard_code(observations: Observations) -> None:
    [made] = observations("OBX|1|NM|HB^Huyết sắc tố^L||135|g/L|||||F")

    assert [coding["code"] for coding in made["code"]["coding"]] == ["HB", "718-7"]
    assert made["code"]["coding"][0]["system"] == "urn:vn:code:qn-general:observation"
    assert made["code"]["text"] == "Huyết sắc tố"


@pytest.mark.parametrize(
    ("kind", "sent", "path"),
    [
        ("NM", "1,234", "note[0].text"),
        ("ST", "âm tính", "note[0].text"),
        ("NM", "", "note[0].text"),
        ("NM", "7.2", "valueQuantity.unit"),
        ("NM", "7.2~7.4", "component[0].valueQuantity.unit"),
        ("SN", "^1^-^3", "valueRange.low.unit"),
    ],
)
def test_a_unit_is_kept_where_the_ledger_says_also_beside_words(
    translate: Translate, message: Build, kind: str, sent: str, path: str
) -> None:
    made = translate(message("ORU^R01", PID, "OBR|1|P1|F1|SHM", f"OBX|1|{kind}|X^Thử||{sent}|đv lạ|||||F"))

    [seen] = [e["resource"] for e in made.bundle["entry"] if e["resource"]["resourceType"] == "Observation"]
    [line] = [account for account in made.ledger if account.place.startswith("OBX[1]-6")]
    assert [target.partition("#")[2] for target in line.targets] == [path]
    assert "đv lạ" in json.dumps(seen, ensure_ascii=False, default=str)
    assert path != "note[0].text" or seen["note"][0]["text"] == "OBX-6: đv lạ"


@pytest.mark.parametrize(("code", "name"), [("", "Creatinin"), ("7", "Creatinin")])
def test_an_analyser_that_names_the_test_in_the_sub_id_is_understood(
    observations: Observations, code: str, name: str
) -> None:
    [result] = observations(f"OBX|1|NM|{code}|{name}|88|umol/L|||||F")

    assert result["code"]["text"] == name
    assert [one["code"] for one in result["code"].get("coding", ())] == ([code] if code else [])


@pytest.mark.parametrize(("code", "sub"), [("7", "2.1"), ("7", "A"), ("NA", "Trái"), ("7^Natri", "Trái")])
def test_a_sub_id_is_no_name_of_a_test(observations: Observations, code: str, sub: str) -> None:
    [result] = observations(f"OBX|1|NM|{code}|{sub}|88|umol/L|||||F")

    assert result["code"].get("text", "") != sub


@pytest.mark.parametrize(
    ("sent", "unit", "code"),
    [
        ("10^9/L", "10^9/L", "10*9/L"),
        ("x10^3/uL", "x10^3/uL", "10*3/uL"),
        ("10^9/L^UCUM", "10^9/L", "10*9/L"),
        ("10^4/sợi", "10^4/sợi", None),
    ],
)
def test_a_power_of_ten_whose_sign_was_not_escaped_is_one_unit(
    observations: Observations, sent: str, unit: str, code: str | None
) -> None:
    [result] = observations(f"OBX|1|NM|WBC^Bạch cầu||7.5|{sent}|4.0-10.0||||F")

    for found in (result["valueQuantity"], result["referenceRange"][0]["low"]):
        assert (found["unit"], found.get("code")) == (unit, code)
