"""A40: two numbers of one patient."""

from collections.abc import Callable

import pytest

from adapters.contract import LINK_ENDED, Translation

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]

PID = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M"


@pytest.mark.parametrize("event", ["ADT^A40", "ADT^A34", "ADT^A30", "ADT^A47"])
def test_the_number_that_goes_is_closed_and_both_are_linked(translate: Translate, message: Build, event: str) -> None:
    entries = translate(message(event, PID, "MRG|QN0003^^^22T01^MR")).bundle["entry"]
    survivor, prior = (entry for entry in entries if entry["resource"]["resourceType"] == "Patient")

    assert prior["resource"]["active"] is False
    assert prior["resource"]["identifier"][0]["value"] == "QN0003"
    assert prior["resource"]["link"] == [{"other": {"reference": survivor["fullUrl"]}, "type": "replaced-by"}]
    assert survivor["resource"]["link"] == [{"other": {"reference": prior["fullUrl"]}, "type": "replaces"}]
    assert survivor["resource"]["active"] is True


def test_a_number_is_never_merged_into_itself(translate: Translate, message: Build) -> None:
    translation = translate(message("ADT^A40", PID, "MRG|QN0001^^^22T01^MR"))

    patients = [e["resource"] for e in translation.bundle["entry"] if e["resource"]["resourceType"] == "Patient"]
    assert len(patients) == 1
    assert "link" not in patients[0]
    assert [notice.where for notice in translation.notices] == ["MRG[1]-1"]


def test_an_mrg_in_another_event_merges_nobody(translate: Translate, message: Build) -> None:
    translation = translate(message("ADT^A06", PID, "MRG|QN0003^^^22T01^MR"))

    types = [entry["resource"]["resourceType"] for entry in translation.bundle["entry"]]
    assert types.count("Patient") == 1


def test_linked_numbers_point_to_each_other_and_undone_to_none(translate: Translate, message: Build) -> None:
    other = PID.replace("QN0001", "QN0055")
    linked, undone = (
        [entry["resource"] for entry in translate(message(event, PID, other)).bundle["entry"][1:]]
        for event in ("ADT^A24", "ADT^A37")
    )

    assert [patient["link"][0]["type"] for patient in linked] == ["seealso", "seealso"]
    assert [(patient["active"], "link" in patient) for patient in undone] == [(True, False), (True, False)]
    ended = [patient["extension"][-1] for patient in undone]
    assert [row["url"] for row in ended] == [LINK_ENDED, LINK_ENDED]
    assert [row["valueReference"]["reference"][9:] for row in ended] == [undone[1]["id"], undone[0]["id"]]


def test_every_number_of_the_hospital_that_goes_is_closed(translate: Translate, message: Build) -> None:
    mrg = "MRG|QN0003^^^22T01^MR~QN0004^^^22T01^MR~022861009001^^^BCA^NI"
    entries = translate(message("ADT^A40", PID, mrg, "MRG|QN0005^^^22T01^MR")).bundle["entry"]

    patients = [entry["resource"] for entry in entries if entry["resource"]["resourceType"] == "Patient"]
    assert [patient["active"] for patient in patients] == [True, False, False, False]
    assert [row["type"] for row in patients[0]["link"]] == ["replaces"] * 3
