"""RXA: a shot given, refused or taken back."""

from collections.abc import Callable

import pytest
from bundles import made

from adapters.contract import Translation

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]

PID = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M"


@pytest.mark.parametrize(
    ("completion", "action", "status"),
    [
        ("CP", "A", "completed"),
        ("PA", "A", "completed"),
        ("RE", "A", "not-done"),
        ("NA", "", "not-done"),
        ("CP", "D", "entered-in-error"),
    ],
)
def test_status_of_a_shot(translate: Translate, message: Build, completion: str, action: str, status: str) -> None:
    body = message("VXU^V04", PID, f"RXA|0|1|20261106||DPT|||||||||||||||{completion}|{action}")

    assert made(translate(body), "Immunization")[0]["status"] == status


def test_an_amount_that_nobody_noted_is_left_out_and_said(translate: Translate, message: Build) -> None:
    translation = translate(message("VXU^V04", PID, "RXA|0|1|20261106||DPT|999"))

    assert "doseQuantity" not in made(translation, "Immunization")[0]
    assert [notice.where for notice in translation.notices] == ["RXA[1]-6"]


def test_what_was_seen_after_a_shot_is_part_of_it(translate: Translate, message: Build) -> None:
    translation = translate(message("VXU^V04", PID, "RXA|0|1|20261106||DPT", "OBX|1|ST|PU||sốt||||||F"))
    (shot,) = made(translation, "Immunization")

    assert made(translation, "Observation")[0]["partOf"] == [{"reference": f"urn:uuid:{shot['id']}"}]


def test_two_vaccines_of_one_visit_are_two_shots(translate: Translate, message: Build) -> None:
    body = message("VXU^V04", PID, "RXA|0|1|20261106||DPT", "RXR|IM", "RXA|0|2|20261106||OPV", "RXR|PO")
    first, second = made(translate(body), "Immunization")

    assert first["id"] != second["id"]
    assert [shot["route"]["coding"][0]["code"] for shot in (first, second)] == ["IM", "PO"]


def test_a_refusal_without_a_completion_status_is_no_shot_that_was_given(translate: Translate, message: Build) -> None:
    translation = translate(message("VXU^V04", PID, "RXA|0|1|20261106||DPT|||||||||||||00^Từ chối^L"))

    assert made(translation, "Immunization")[0]["status"] == "not-done"
    assert "RXA[1]-20" in [notice.where for notice in translation.notices]


def test_a_part_of_a_dose_is_subpotent(translate: Translate, message: Build) -> None:
    (shot,) = made(translate(message("VXU^V04", PID, "RXA|0|1|20261106||DPT" + "|" * 15 + "PA")), "Immunization")

    assert (shot["status"], shot["isSubpotent"]) == ("completed", True)


def test_who_may_have_it_and_who_pays_stand_in_the_shot_too(translate: Translate, message: Build) -> None:
    rows = [f"OBX|{n}|CWE|{code}^x^LN|{n}|V0{n}^Chương trình^L||||||F" for n, code in ((1, "64994-7"), (2, "30963-3"))]
    translation = translate(message("VXU^V04", PID, "RXA|0|1|20261106||DPT", *rows))
    (shot,) = made(translation, "Immunization")

    assert shot["programEligibility"][0]["coding"][0]["code"] == "V01"
    assert shot["fundingSource"]["coding"][0]["code"] == "V02"
    assert len(made(translation, "Observation")) == 2
