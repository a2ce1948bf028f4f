"""PRB and IAM: problems and allergies that have a number of their own."""

from collections.abc import Callable

import pytest
from bundles import made

from adapters.contract import Fate, Translation

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]

PID = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M"


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


def test_a_problem_says_how_sure_it_is_and_how_it_goes_on(translate: Translate, message: Build) -> None:
    row = "PRB|AD|2026|J18.9^Viêm phổi^I10|V1|||||{}||||provisional^Chờ xác định^L|{}"
    open_, gone, contrary = ("", "recurrence"), ("20260315", "remission"), ("20260315", "active")
    for (ended, said), expected in ((open_, "recurrence"), (gone, "remission"), (contrary, "resolved")):
        translation = translate(message("PPR^PC1", PID, row.format(ended, said)))
        (problem,) = made(translation, "Condition")
        assert problem["verificationStatus"]["coding"][0]["code"] == "provisional"
        assert problem["clinicalStatus"]["coding"][0]["code"] == expected
        assert ("PRB[1]-14" in [notice.where for notice in translation.notices]) == (expected == "resolved")


def test_a_code_of_another_list_in_those_fields_stays_unmapped(translate: Translate, message: Build) -> None:
    translation = translate(message("PPR^PC1", PID, "PRB|AD|2026|J18.9^Viêm phổi^I10|V1" + "|" * 9 + "X1|X2"))

    assert {"PRB[1]-13[1]", "PRB[1]-14[1]"} <= {a.place for a in translation.ledger if a.fate is Fate.UNMAPPED}


def test_the_known_code_of_a_substance_stands_after_the_first(translate: Translate, message: Build) -> None:
    row = "IAM|1|DA|PEN^Penicillin^L|||A|D1" + "|" * 20 + "7980^penicillin^RXN"
    translation = translate(message("ADT^A60", PID, row))
    (allergy,) = made(translation, "AllergyIntolerance")

    assert [one["code"] for one in allergy["code"]["coding"]] == ["PEN", "7980"]
    targets = {a.place: a.targets for a in translation.ledger}["IAM[1]-27[1].1"]
    assert targets == (f"AllergyIntolerance/{allergy['id']}#code.coding[1].code",)
