"""The ledger while it is written: one line a field, and one fate."""

from adapters.contract import Fate
from adapters.tally import Row, Tally


def test_a_field_that_nobody_touched_is_unmapped():
    tally = Tally()
    tally.present("A", 7)
    (account,) = tally.close()

    assert (account.fate, account.offset) == (Fate.UNMAPPED, 7)


def test_a_mapping_wins_over_a_reason_to_ignore():
    tally = Tally()
    tally.ignore("A", "because")
    tally.take("A", "Patient/1#name")
    (account,) = tally.close()

    assert (account.fate, account.targets, account.reason) == (Fate.MAPPED, ("Patient/1#name",), "")


def test_a_target_is_named_once():
    tally = Tally()
    for _ in range(2):
        tally.take("A", "Patient/1#name")

    assert tally.close()[0].targets == ("Patient/1#name",)


def test_the_first_reason_stands():
    tally = Tally()
    tally.ignore("A", "first")
    tally.ignore("A", "second")

    assert tally.close()[0].reason == "first"


def test_fields_stand_in_the_order_of_the_message():
    tally = Tally()
    for place in ("B", "A", "C"):
        tally.present(place)
    tally.take("C", "x")

    assert [account.place for account in tally.close()] == ["B", "A", "C"]


def test_a_field_is_held_once_it_was_seen():
    tally = Tally()
    tally.present("A")

    assert tally.holds("A")
    assert not tally.holds("B")


def test_a_field_that_is_entered_with_a_reason_is_ignored_and_without_one_unmapped():
    tally = Tally()
    tally.enter("A", "because")
    tally.enter("B")

    assert [(line.fate, line.reason) for line in tally.close()] == [(Fate.IGNORED, "because"), (Fate.UNMAPPED, "")]


def test_a_mapping_wins_over_the_reason_a_field_is_entered_with():
    tally = Tally()
    tally.enter("A", "because").take("Patient/1#name")

    assert [(line.fate, line.reason) for line in tally.close()] == [(Fate.MAPPED, "")]


def test_fields_entered_together_have_a_line_each_by_its_name():
    tally = Tally()
    lines = tally.enter_each("/A/@", ("code", "root"), {"root": "a template"})
    lines["code"].take("Condition/1#code")

    assert [(line.place, line.fate, line.reason) for line in tally.close()] == [
        ("/A/@code", Fate.MAPPED, ""),
        ("/A/@root", Fate.IGNORED, "a template"),
    ]


def test_a_place_that_is_asked_for_later_has_the_line_it_was_entered_with():
    tally = Tally()
    first = tally.enter("A")
    tally.present("B", 7)
    last = tally.enter_each("/C/@", ("code",), {})["code"]

    assert tally.present("A") is first
    assert tally.present("/C/@code") is last
    assert (tally.holds("A"), tally.holds("D")) == (True, False)
    assert [(line.place, line.offset) for line in tally.close()] == [("A", None), ("B", 7), ("/C/@code", None)]


def test_the_fields_of_a_row_stand_where_they_were_entered_each_with_its_fate():
    tally, row = Tally(), Row("/R", {"A": "1", "B": "2", "C": "3", "D": "4"}, {"B": "billing", "C": "billing"})
    tally.enter("first")
    tally.enter_row(row, ["A", "B"])
    tally.enter("between")
    tally.enter_row(row, ["C", "D"])
    row.take("A", "Patient/1#id")
    row.take("C", "Patient/1#id")
    row.take("C", "Patient/1#id")
    row.ignore("D", "because")
    row.ignore_rest("too late")

    assert [(line.place, str(line.fate), line.targets, line.reason) for line in tally.close()] == [
        ("first", "unmapped", (), ""),
        ("/R/A", "mapped", ("Patient/1#id",), ""),
        ("/R/B", "ignored", (), "billing"),
        ("between", "unmapped", (), ""),
        ("/R/C", "mapped", ("Patient/1#id",), ""),
        ("/R/D", "ignored", (), "because"),
    ]


def test_a_field_that_its_row_does_not_hold_is_nowhere():
    tally, row = Tally(), Row("/R", {"A": "1"}, {})
    tally.enter_row(row, row.fields)
    row.ignore("B", "because")

    assert (row.take("B", "Patient/1#id"), row.text("B"), row.targets("B")) == ("", "", ())
    assert [line.place for line in tally.close()] == ["/R/A"]
