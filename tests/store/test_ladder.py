"""Stretches of ids: whatever the ids look like, every record lies in exactly one, and few are read for a page."""

from bisect import bisect_left
from collections import defaultdict
from uuid import NAMESPACE_DNS, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.store.ladder import ENOUGH, LEVELS, Climb, built, level_key, rung

IDS = st.lists(st.text("abcdef0123456789-.Z", min_size=1, max_size=12), min_size=70, max_size=120, unique=True)
UUIDS = sorted(f"Observation/{uuid5(NAMESPACE_DNS, str(number))}" for number in range(60_000))
NUMBERED = sorted(f"Observation/lab-{number}" for number in range(60_000))
MANY = sorted(f"Observation/{number * 2_654_435_761 % 2**32:08x}-{number % 10}" for number in range(600_000))


class Rungs:
    """Those of a type, as its collection gives them."""

    def __init__(self, ids):
        self.levels = defaultdict(list)
        for one in ids:
            if key := rung(one):
                self.levels[key].append(one)

    def ladder(self):
        rungs = []
        for level in LEVELS:
            rungs += self.levels[level_key(level)]
            if len(rungs) >= ENOUGH:
                break
        return built("Observation", rungs, level)

    def refine(self, climb):
        while cell := climb.coarse():
            inside = [one for one in self.levels[level_key(cell.level)] if cell.start <= one < cell.stop]
            climb.ladder.refine(cell, inside)


def page(climb, ids, rungs=None):
    """The records of a page, and how many had to be looked at."""
    found, looked, stretches = [], 0, iter(climb)
    while True:
        if rungs:
            rungs.refine(climb)
        if (stretch := next(stretches, None)) is None:
            return found, looked
        stretched = ids[bisect_left(ids, stretch.start) : bisect_left(ids, stretch.stop)]
        inside = [one for one in stretched if one != climb.after]
        inside = inside[::-1] if climb.falling else inside
        looked += len(inside)
        inside = inside[: climb.wanted - climb.found]
        climb.met(inside, stretch)
        found += inside


@settings(deadline=None, max_examples=60)
@given(
    ids=IDS, falling=st.booleans(), wanted=st.integers(1, 200), density=st.floats(0.001, 1), start=st.integers(0, 69)
)
def test_stretches_hold_every_record_once_and_in_order(ids, falling, wanted, density, start):
    known = [f"Observation/{one}" for one in ids]
    ladder = built("Observation", known[:64], 1)
    after = known[start] if start else None
    expected = sorted(known, reverse=falling)
    if after:
        expected = [one for one in expected if (one < after if falling else one > after)]
    found, _ = page(Climb(ladder, wanted, density, after=after, falling=falling), sorted(known))
    assert found == expected[:wanted]


@pytest.mark.parametrize("ids", [UUIDS, NUMBERED, MANY], ids=["uuids", "numbered", "many"])
@pytest.mark.parametrize("falling", [False, True])
def test_a_page_looks_at_few_records_wherever_it_begins_and_however_many_there_are(ids, falling):
    rungs, looked = Rungs(ids), []
    ladder = rungs.ladder()
    assert ladder.size == pytest.approx(len(ids), rel=0.3)
    for start in range(0, len(ids), len(ids) // 60):
        after = ids[-start - 1 if falling else start] if start else None
        found, some = page(Climb(ladder, 21, after=after, falling=falling), ids, rungs)
        assert len(found) == 21
        looked.append(some)
    assert sorted(looked)[len(looked) // 2] < 100
    assert max(looked) < 700


def test_a_cell_is_refined_once():
    rungs = Rungs(MANY)
    ladder = rungs.ladder()
    cell = Climb(ladder, 21).coarse()
    inside = [one for one in rungs.levels[level_key(cell.level)] if one < cell.stop]
    ladder.refine(cell, inside)
    size = ladder.size
    ladder.refine(cell, inside)
    assert ladder.size == size
    assert ladder.height(cell.stop) == pytest.approx(bisect_left(MANY, cell.stop), rel=0.5)


def test_too_few_records_have_no_ladder():
    assert built("Patient", ["Patient/a"] * 15, 6) is None
