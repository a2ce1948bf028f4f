"""Pharmacy rows: what was asked for, handed over and given."""

from collections.abc import Callable

import pytest
from bundles import made

from adapters.contract import Translation

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]

PID = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M"


ORC = "ORC|NW|TH1^HIS|DT1^DUOC"


@pytest.mark.parametrize(
    ("control", "status", "expected"),
    [
        ("NW", "", "active"),
        ("CA", "", "cancelled"),
        ("HD", "", "on-hold"),
        ("NW", "CM", "completed"),
        ("ZZ", "", "unknown"),
    ],
)
def test_status_of_a_prescription(
    translate: Translate, message: Build, control: str, status: str, expected: str
) -> None:
    (asked,) = made(
        translate(message("RDE^O11", PID, f"ORC|{control}|TH1|||{status}", "RXE||AML5")), "MedicationRequest"
    )

    assert asked["status"] == expected


def test_what_the_pharmacy_made_of_a_request_names_it(translate: Translate, message: Build) -> None:
    asked, encoded = made(translate(message("RDE^O11", PID, ORC, "RXO|AML5", "RXE||AML5")), "MedicationRequest")

    assert (asked["intent"], encoded["intent"]) == ("original-order", "filler-order")
    assert encoded["basedOn"] == [{"reference": f"urn:uuid:{asked['id']}"}]


def test_a_row_alone_is_the_order(translate: Translate, message: Build) -> None:
    (asked,) = made(translate(message("OMP^O09", PID, ORC, "RXO|AML5")), "MedicationRequest")

    assert asked["intent"] == "order"
    assert asked["medicationCodeableConcept"]["coding"][0]["code"] == "AML5"


def test_the_parts_of_a_mixture_are_ingredients(translate: Translate, message: Build) -> None:
    body = message("RDE^O11", PID, ORC, "RXE||DT", "RXC|B|GLU^Glucose|500|ml", "RXC|A|KCL^Kali|10|ml")
    translation = translate(body)
    (mixture,) = made(translation, "Medication")

    assert [part["isActive"] for part in mixture["ingredient"]] == [False, True]
    assert str(mixture["ingredient"][1]["strength"]["numerator"]["value"]) == "10"
    assert made(translation, "MedicationRequest")[0]["medicationReference"]["reference"] == f"urn:uuid:{mixture['id']}"


def test_a_dose_with_a_limit_is_a_range_and_keeps_its_decimals(translate: Translate, message: Build) -> None:
    (asked,) = made(translate(message("OMP^O09", PID, ORC, "RXO|AML5|0.50|1.0|mg")), "MedicationRequest")

    dose = asked["dosageInstruction"][0]["doseAndRate"][0]["doseRange"]
    assert [str(dose[side]["value"]) for side in ("low", "high")] == ["0.50", "1.0"]


def test_what_was_handed_over_names_the_prescription(translate: Translate, message: Build) -> None:
    (given,) = made(translate(message("RDS^O13", PID, ORC, "RXD|1|AML5|20261106|30|viên||DT1")), "MedicationDispense")

    assert given["authorizingPrescription"][0]["identifier"]["value"] == "DT1"
    assert given["whenHandedOver"] == "2026-11-06"


def test_what_was_given_has_its_moment_or_its_period(translate: Translate, message: Build) -> None:
    rows = ["RXA|0|1|20261106080000|20261106083000|PARA||||||||||||||||CP", "RXA|0|1|20261106090000||PARA"]
    first, second = made(translate(message("RAS^O17", PID, ORC, *rows)), "MedicationAdministration")

    assert first["effectivePeriod"]["end"] == "2026-11-06T08:30:00+07:00"
    assert second["effectiveDateTime"] == "2026-11-06T09:00:00+07:00"


@pytest.mark.parametrize("control", ["DC", "OD", "DR"])
def test_a_drug_that_is_discontinued_is_stopped_not_cancelled(
    translate: Translate, message: Build, control: str
) -> None:
    body = message("RDE^O11", PID, f"ORC|{control}|TH1", "RXE||PARA|500||mg")

    assert made(translate(body), "MedicationRequest")[0]["status"] == "stopped"


def test_a_rhythm_in_the_order_counts_where_the_row_of_the_drug_has_none(translate: Translate, message: Build) -> None:
    rows = ("ORC|NW|TH1|||||1^BID^D4^^^S", "RXE|^^^20261106080000|PARA|500||mg")
    (request,) = made(translate(message("RDE^O11", PID, *rows)), "MedicationRequest")

    repeat = request["dosageInstruction"][0]["timing"]["repeat"]
    assert (repeat["frequency"], repeat["boundsDuration"]["value"], repeat["boundsDuration"]["code"]) == (2, 4, "d")
    assert request["priority"] == "stat"


def test_each_tq1_is_an_instruction_of_its_own(translate: Translate, message: Build) -> None:
    rows = ("ORC|NW|TH1", "RXE||PARA|500||mg", "TQ1|1|1|QAM", "TQ1|2|2|QHS", "RXR|PO")
    translation = translate(message("RDE^O11", PID, *rows))
    (request,) = made(translation, "MedicationRequest")

    first, second = request["dosageInstruction"]
    assert [one["timing"]["code"]["text"] for one in (first, second)] == ["QAM", "QHS"]
    assert [one["sequence"] for one in (first, second)] == [1, 2]
    assert [one["doseAndRate"][0]["doseQuantity"]["value"] for one in (first, second)] == [500, 500]


@pytest.mark.parametrize(
    ("event", "row"), [("OMP^O09", "RXO|G5^Glucose 5%|500||mL"), ("RDE^O11", "RXE||G5^Glucose 5%|500||mL")]
)
def test_how_fast_an_infusion_runs_stands_beside_how_much_is_given(
    translate: Callable[[bytes], Translation], message: Callable[..., bytes], event: str, row: str
) -> None:
    before = 21 if row.startswith("RXO") else 23
    speed = row + "|" * (before - row.count("|")) + "100|mL/h"
    made = translate(message(event, "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ||1961|M", "ORC|NW|P1|F1", speed))
    (request,) = [e["resource"] for e in made.bundle["entry"] if e["resource"]["resourceType"] == "MedicationRequest"]
    (given,) = request["dosageInstruction"][0]["doseAndRate"]

    assert (str(given["doseQuantity"]["value"]), str(given["rateQuantity"]["value"])) == ("500", "100")
    assert given["rateQuantity"]["unit"] == "mL/h"


def test_an_instruction_with_a_code_keeps_it_and_words_stay_words(translate: Translate, message: Build) -> None:
    row = "RXE||AML5^Amlodipin 5 mg|1||VIEN||01^Sau ăn^L~^Uống nhiều nước"
    (request,) = made(
        translate(message("RDE^O11", PID, "ORC|NW|P1", row, "RXR|PO||||R1^Nuốt cả viên^L")), "MedicationRequest"
    )
    (dose,) = request["dosageInstruction"]

    assert dose["text"] == "Uống nhiều nước"
    assert [one["coding"][0]["code"] for one in dose["additionalInstruction"]] == ["01", "R1"]
