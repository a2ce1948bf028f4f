"""Gaps in the sender's own count."""

from fhir_gateway.exchange.sequences import streams


def gaps(*numbers, before=()):
    rows = streams([f"HIS#{n}" for n in before], [f"HIS#{n}" for n in numbers])
    return rows[0]["gaps"], rows[0]["restarts"]


def test_a_count_without_gaps_has_none():
    assert gaps(5, 6, 7) == ([], 0)


def test_what_is_left_out_is_a_gap_with_its_ends():
    assert gaps(5, 6, 9, 10, 15) == ([[7, 8], [11, 14]], 0)


def test_the_day_before_tells_where_the_day_begins():
    assert gaps(8, 9, before=(3, 4, 5)) == ([[6, 7]], 0)


def test_a_late_message_fills_its_gap():
    assert gaps(5, 9, 7) == ([[6, 6], [8, 8]], 0)


def test_a_clock_that_was_set_back_makes_no_gap():
    """The messages after the jump bear earlier times, so they are read first."""
    assert gaps(4, 5, 1, 2, 3, before=(0,)) == gaps(4, 5, 1, 2, 3)
    assert gaps(4, 5, 1, 2, 3, before=(9, 0)) == ([], 1)


def test_a_lower_number_begins_anew():
    assert gaps(998, 999, 1, 2) == ([], 1)


def test_the_numbers_that_ask_for_a_beginning_count_nothing():
    assert gaps(5, 0, 1, 2) == ([], 0)
    assert gaps(5, -1, 40) == ([], 0)


def test_the_same_number_again_is_no_gap():
    assert gaps(5, 5, 6) == ([], 0)


def test_counters_are_told_apart_and_a_batch_counts_each_message():
    rows = streams([], ["LIS#1,2,3", "HIS#7", "LIS#5", "HIS#8"])
    assert [(row["stream"], row["numbers"], row["missing"]) for row in rows] == [("HIS", 2, 0), ("LIS", 4, 1)]


def test_what_came_near_the_day_fills_its_gaps():
    rows = streams([], ["HIS#1", "HIS#2", "HIS#4"], ["HIS#3", "LIS#9"])
    assert [row["gaps"] for row in rows] == [[]]
