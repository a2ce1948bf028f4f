"""PRT after a result: the device, the place, the people with their place of work; outside a visit the care team."""

from collections.abc import Callable

from bundles import made

from adapters.contract import Translation

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]

PID = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M"
RESULT = ("OBR|1|P1|F1|SHM", "OBX|1|NM|NA||139||||||F")


def row(name: str, **fields: str) -> str:
    known = {int(number[1:]): text for number, text in fields.items()}
    return "|".join([name, *(known.get(number, "") for number in range(1, max(known) + 1))])


def test_the_device_of_a_result_has_its_numbers(translate: Translate, message: Build) -> None:
    prt = row("PRT", _2="AD", _4="EQUIP", _10="MAY1^LAB", _17="20200101", _19="L7", _20="S9", _22="XNHH^Máy huyết học")
    translation = translate(message("ORU^R01", PID, *RESULT, prt))

    [device] = made(translation, "Device")
    [result] = made(translation, "Observation")
    assert result["device"] == {"reference": f"urn:uuid:{device['id']}"}
    assert (device["lotNumber"], device["serialNumber"], device["manufactureDate"]) == ("L7", "S9", "2020-01-01")
    assert device["type"]["text"] == "Máy huyết học"


def test_where_a_result_was_observed_is_a_place(translate: Translate, message: Build) -> None:
    prt = row("PRT", _2="AD", _4="PL", _9="PXN^P2", _14="Số 1^^Hạ Long")
    [result] = made(translate(message("ORU^R01", PID, *RESULT, prt)), "Observation")

    assert [one["url"].rsplit("/", 1)[1] for one in result["extension"]] == ["event-location", "event-location"]


def test_who_works_somewhere_is_met_there(translate: Translate, message: Build) -> None:
    prt = row(
        "PRT", _2="AD", _4="PP", _5="BS1^PHẠM^AN", _8="Trạm y tế^^^^^^^^^22999", _15="0912^PRN^CP~0203^WPN^PH", _23="C"
    )
    translation = translate(message("ADT^A28", PID, prt))

    [role] = made(translation, "PractitionerRole")
    [patient] = made(translation, "Patient")
    assert patient["generalPractitioner"][0]["reference"] == f"urn:uuid:{role['id']}"
    assert role["organization"]["identifier"]["value"] == "22999"
    assert ["extension" in number for number in role["telecom"]] == [True, False]


def test_who_looks_after_a_patient_outside_a_visit_is_the_care_team(translate: Translate, message: Build) -> None:
    rows = ("ROL|1|AD|CP|BS1^PHẠM^AN|20260101", row("ROL", _2="AD", _3="CP", _14="Hội người cao tuổi"))
    [team] = made(translate(message("ADT^A31", PID, *rows)), "CareTeam")

    assert team["participant"][0]["member"]["display"] == "PHẠM AN"
    assert team["participant"][0]["period"] == {"start": "2026-01-01"}
    assert team["participant"][1]["member"]["display"] == "Hội người cao tuổi"
