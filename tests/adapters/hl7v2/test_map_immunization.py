"""RXA: a shot given, refused or taken back."""

from collections.abc import Callable

import pytest

from adapters.contract import Resource, Translation

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]

PID = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M"


def made(translation: Translation, resource_type: str) -> list[Resource]:
    entries = translation.bundle["entry"]
    return [entry["resource"] for entry in entries if entry["resource"]["resourceType"] == resource_type]


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
