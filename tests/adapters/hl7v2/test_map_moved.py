"""A43 and A48: numbers that leave a patient, without a merge of two."""

from collections.abc import Callable

import pytest

from adapters.contract import Fate, Move, Resource, Translation
from adapters.draft import resource_id

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]
PID = "PID|1||QN0001^^^22T01^MR~EID1^^^MPI^PI|{}|NGUYỄN^HOÀ^VĂN||1961|M"


def patients(translation: Translation) -> list[Resource]:
    entries = translation.bundle["entry"]
    return [entry["resource"] for entry in entries if entry["resource"]["resourceType"] == "Patient"]


def test_a_number_moved_to_another_person_keeps_the_former_persons_number_as_old(
    translate: Translate, message: Build
) -> None:
    translation = translate(message("ADT^A43", PID.format(""), "MRG|QN0001^^^22T01^MR~EID2^^^MPI^PI"))
    (patient,) = patients(translation)

    rows = [(one["use"], one["value"]) for one in patient["identifier"]]
    assert rows == [("usual", "QN0001"), ("secondary", "EID1"), ("old", "EID2")]
    assert "link" not in patient
    assert translation.notices == ()
    assert {a.fate for a in translation.ledger if a.place.startswith("MRG[1]-1[1].1")} == {Fate.MAPPED}


def test_records_moved_from_another_number_of_the_hospital_are_no_merge(translate: Translate, message: Build) -> None:
    translation = translate(message("ADT^A43", PID.format(""), "MRG|QN0009^^^22T01^MR"))
    (patient,) = patients(translation)

    assert [one["value"] for one in patient["identifier"] if one["use"] == "old"] == ["QN0009"]
    assert "active" not in patient
    (move,) = translation.moves
    theirs = f"Patient/{resource_id('qn-general', 'Patient', 'QN0009')}"
    assert move == Move(theirs, f"Patient/{patient['id']}", "MRG[1]-1[1].1")


@pytest.mark.parametrize(
    ("event", "mrg", "under", "place"),
    [
        ("A45", "MRG|QN0009^^^22T01^MR||||VN1", [("Encounter", "VN1"), ("Encounter", "VN2")], "MRG[1]-5[1]"),
        ("A44", "MRG|QN0009^^^22T01^MR||TK1", [("Account", "TK1")], "MRG[1]-3[1]"),
    ],
)
def test_a_move_names_whom_it_leaves_and_what_goes_with_it(
    translate: Translate, message: Build, event: str, mrg: str, under: list[tuple[str, str]], place: str
) -> None:
    pv1 = "PV1|1|O|||||||||||||||||VN2"
    translation = translate(message(f"ADT^{event}", PID.format(""), *([mrg, pv1] if event == "A45" else [mrg])))
    (move,) = translation.moves
    assert move.whence == f"Patient/{resource_id('qn-general', 'Patient', 'QN0009')}"
    assert move.under == tuple(f"{kind}/{resource_id('qn-general', kind, number)}" for kind, number in under)
    assert (move.place, move.accounts) == (place, ("TK1",) if event == "A44" else ())


@pytest.mark.parametrize("event", ["A42", "A50", "A41", "A49", "A48"])
def test_what_merges_or_renumbers_moves_nothing(translate: Translate, message: Build, event: str) -> None:
    rows = ["MRG|QN0009^^^22T01^MR|PHU1|TK1||VN1", "PV1|1|O|||||||||||||||||VN2"]
    assert translate(message(f"ADT^{event}", PID.format(""), *rows)).moves == ()


def test_an_alternate_number_that_changed_is_kept_as_old(translate: Translate, message: Build) -> None:
    (patient,) = patients(translate(message("ADT^A48", PID.format("PHU2"), "MRG||PHU1")))

    rows = [(one["use"], one["value"]) for one in patient["identifier"]]
    assert rows[2:] == [("secondary", "PHU2"), ("old", "PHU1")]


def test_a_change_without_the_number_that_goes_says_so(translate: Translate, message: Build) -> None:
    translation = translate(message("ADT^A48", PID.format("PHU2"), "MRG|QN0001^^^22T01^MR"))

    assert [notice.where for notice in translation.notices] == ["MRG[1]-2"]
