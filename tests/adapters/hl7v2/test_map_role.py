"""ROL, PRT and GT1: who takes part, and who answers for the bill."""

from collections.abc import Callable

from bundles import made

from adapters.contract import Translation

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]

PID = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M"


PV1 = "PV1|1|I|||||||||||||||||VN1"


def test_a_family_doctor_belongs_to_the_patient(translate: Translate, message: Build) -> None:
    (patient,) = made(translate(message("ADT^A28", PID, "ROL|1|AD|FHCP|BS1^PHẠM^AN")), "Patient")

    assert [doctor["display"] for doctor in patient["generalPractitioner"]] == ["PHẠM AN"]


def test_who_treats_takes_part_in_the_visit(translate: Translate, message: Build) -> None:
    (visit,) = made(translate(message("ADT^A01", PID, PV1, "PRT||AD||AT^Điều trị|BS1^PHẠM^AN")), "Encounter")

    assert visit["participant"][0]["type"][0]["text"] == "Điều trị"


def test_who_resulted_belongs_to_the_result(translate: Translate, message: Build) -> None:
    body = message("ORU^R01", PID, "OBR|1|P|F|S", "OBX|1|ST|A||x||||||F", "PRT||AD||RO|BS1^PHẠM^AN", "NTE|1||ghi chú")
    (result,) = made(translate(body), "Observation")

    assert [who["display"] for who in result["performer"]] == ["PHẠM AN"]
    assert result["note"] == [{"text": "ghi chú"}]


def test_a_guarantor_is_a_person_related_to_the_patient(translate: Translate, message: Build) -> None:
    (person,) = made(translate(message("ADT^A28", PID, "GT1|1||NGUYỄN^TÙNG^VĂN||||||M||SON^Con")), "RelatedPerson")

    assert person["relationship"][0]["coding"][0]["code"] == "GUAR"
    assert person["name"][0]["text"] == "NGUYỄN VĂN TÙNG"


def test_a_doctor_named_twice_keeps_the_title_said_once(translate: Translate, message: Build) -> None:
    pv1 = "PV1|1|I|||||BS1^PHẠM^AN^MINH^^BS.CKII||||||||||BS1^PHẠM^AN^MINH"
    entries = translate(message("ADT^A01", PID, pv1)).bundle["entry"]

    [doctor] = [e["resource"] for e in entries if e["resource"]["resourceType"] == "Practitioner"]
    assert doctor["name"][0]["prefix"] == ["BS.CKII"]


def test_the_language_of_who_answers_for_the_costs(translate: Translate, message: Build) -> None:
    row = "GT1|1||TRẦN^LAN" + "|" * 33 + "vie"
    (person,) = made(translate(message("ADT^A01", PID, row)), "RelatedPerson")

    assert "vi" in [one["code"] for one in person["communication"][0]["language"]["coding"]]
