"""MRG of visits and accounts: the number that goes is tied to the one that stays, nothing is erased."""

from collections.abc import Callable

import pytest
from bundles import made

from adapters.contract import Fate, Translation

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]

PID = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M||||||||||{}"
PV1 = "PV1|1|I|||||||||||||||||{}"


@pytest.mark.parametrize("event", ["ADT^A42", "ADT^A50", "ADT^A45"])
def test_a_visit_that_goes_is_a_part_of_the_one_that_stays(translate: Translate, message: Build, event: str) -> None:
    translation = translate(message(event, PID.format(""), "MRG|||||VN2", PV1.format("VN1")))
    stays, goes = made(translation, "Encounter")

    assert [(one["use"], one["value"]) for one in stays["identifier"]] == [("official", "VN1"), ("old", "VN2")]
    assert [(one["use"], one["value"]) for one in goes["identifier"]] == [("old", "VN2")]
    assert goes["partOf"] == {"reference": f"urn:uuid:{stays['id']}"}
    assert goes["status"] == "unknown"
    assert {a.place: a.fate for a in translation.ledger}["MRG[1]-5[1]"] is Fate.MAPPED


def test_a_visit_moved_under_its_own_number_gets_the_patient(translate: Translate, message: Build) -> None:
    rows = ("MRG|QN0009||||VN2", PV1.format("VN2"), "MRG|QN0009||||VN3", PV1.format("VN4"))
    translation = translate(message("ADT^A45", PID.format(""), *rows))
    first, second, gone = made(translation, "Encounter")

    assert "partOf" not in first
    assert [one["value"] for one in second["identifier"]] == ["VN4", "VN3"]
    assert gone["partOf"]["reference"] == f"urn:uuid:{second['id']}"
    (patient,) = made(translation, "Patient")
    assert {visit["subject"]["reference"] for visit in (first, second, gone)} == {f"urn:uuid:{patient['id']}"}


@pytest.mark.parametrize("event", ["ADT^A35", "ADT^A41", "ADT^A49"])
def test_an_account_that_goes_is_closed(translate: Translate, message: Build, event: str) -> None:
    stays, goes = made(translate(message(event, PID.format("TK1"), "MRG|||TK2")), "Account")

    assert (stays["identifier"][0]["value"], stays["status"]) == ("TK1", "unknown")
    assert (goes["identifier"][0]["value"], goes["status"]) == ("TK2", "inactive")
    assert goes["partOf"] == {"reference": f"urn:uuid:{stays['id']}"}


def test_an_account_moved_to_another_patient_stays_open(translate: Translate, message: Build) -> None:
    (account,) = made(translate(message("ADT^A44", PID.format("TK2"), "MRG|QN0009||TK2")), "Account")

    assert account["status"] == "unknown"
    assert "partOf" not in account


def test_the_alternate_number_that_a_visit_had_is_kept_as_old(translate: Translate, message: Build) -> None:
    row = PV1.format("VN1") + "|" * 31 + "PHU2"
    (visit,) = made(translate(message("ADT^A51", PID.format(""), "MRG||||||PHU1", row)), "Encounter")

    assert [(one.get("use"), one["value"]) for one in visit["identifier"]][1:] == [(None, "PHU2"), ("old", "PHU1")]


@pytest.mark.parametrize(("event", "place"), [("ADT^A42", "MRG[1]-5"), ("ADT^A41", "MRG[1]-3")])
def test_a_missing_number_ties_nothing_and_is_said(
    translate: Translate, message: Build, event: str, place: str
) -> None:
    translation = translate(message(event, PID.format(""), "MRG|QN0009", PV1.format("VN1")))

    assert place in [notice.where for notice in translation.notices]
    assert made(translation, "Account") == []
    assert len(made(translation, "Encounter")) == 1


def test_patients_merged_with_an_account_of_theirs_are_both_tied(translate: Translate, message: Build) -> None:
    translation = translate(message("ADT^A36", PID.format("TK1"), "MRG|QN0009^^^22T01^MR||TK2"))

    assert [patient["active"] for patient in made(translation, "Patient")] == [True, False]
    assert [account["status"] for account in made(translation, "Account")] == ["unknown", "inactive"]
