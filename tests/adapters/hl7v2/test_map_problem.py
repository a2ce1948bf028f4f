"""PRB and IAM: problems and allergies that have a number of their own."""

from collections.abc import Callable

import pytest

from adapters.contract import Resource, Translation

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]

PID = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M"


def made(translation: Translation, resource_type: str) -> list[Resource]:
    entries = translation.bundle["entry"]
    return [entry["resource"] for entry in entries if entry["resource"]["resourceType"] == resource_type]


def test_a_problem_that_ended_is_resolved(translate: Translate, message: Build) -> None:
    body = message("PPR^PC1", PID, "PRB|AD|2026|J18.9^Viêm phổi^I10|V1|||||20240315")
    (problem,) = made(translate(body), "Condition")

    assert problem["clinicalStatus"]["coding"][0]["code"] == "resolved"
    assert problem["abatementDateTime"] == "2024-03-15"


def test_a_deleted_problem_was_entered_in_error(translate: Translate, message: Build) -> None:
    (problem,) = made(translate(message("PPR^PC3", PID, "PRB|DE|2026|J18.9^Viêm phổi^I10|V1")), "Condition")

    assert problem["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    assert "clinicalStatus" not in problem


@pytest.mark.parametrize(
    ("action", "sure", "verified"), [("A", "C", "confirmed"), ("A", "S", "unconfirmed"), ("D", "C", "entered-in-error")]
)
def test_how_sure_an_allergy_is(translate: Translate, message: Build, action: str, sure: str, verified: str) -> None:
    body = message("ADT^A60", PID, f"IAM|1|DA|PEN|||{action}|D1||||||||||{sure}")
    (allergy,) = made(translate(body), "AllergyIntolerance")

    assert allergy["verificationStatus"]["coding"][0]["code"] == verified
    assert ("clinicalStatus" in allergy) is (action == "A")
