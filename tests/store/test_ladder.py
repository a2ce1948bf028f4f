"""Stretches of ids: whatever the ids look like, every record lies in exactly one, and few are read for a page."""

from bisect import bisect_left
from uuid import NAMESPACE_DNS, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.store.ladder import ENOUGH, LEVELS, Climb, built, level_key, rung

IDS = st.lists(st.text("abcdef0123456789-.Z", min_size=1, max_size=12), min_size=70, max_size=120, unique=True)
DENSITIES = st.floats(0.001, 1)
UUIDS = sorted(f"Observation/{uuid5(NAMESPACE_DNS, str(number))}" for number in range(60_000))
NUMBERED = sorted(f"Observation/lab-{number}" for number in range(60_000))


def ladder_of(ids):
    marked = {one: rung(one) for one in ids}
    rungs = []
    for level in LEVELS:
        rungs += [one for one, key in marked.items() if key == level_key(level)]
        if len(rungs) >= ENOUGH:
            break
    return built("Observation", rungs, level)


def page(climb, ids):
    """The records of a page, and how many had to be looked at."""
    found, looked = [], 0
    for stretch in climb:
        stretched = ids[bisect_left(ids, stretch.start) : bisect_left(ids, stretch.stop)]
        inside = [one for one in stretched if one != climb.after]
        inside = inside[::-1] if climb.falling else inside
        looked += len(inside)
        inside = inside[: climb.wanted - climb.found]
        climb.met(inside, stretch)
        found += inside
    return found, looked


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


@pytest.mark.parametrize("ids", [UUIDS, NUMBERED], ids=["uuids", "numbered"])
@pytest.mark.parametrize("falling", [False, True])
def test_a_page_looks_at_few_records_wherever_it_begins(ids, falling):
    ladder, looked = ladder_of(ids), []
    assert ladder.size == pytest.approx(len(ids), rel=0.3)
    for start in range(1000, 59_000, 1000):
        _, some = page(Climb(ladder, 21, after=ids[start], falling=falling), ids)
        looked.append(some)
    assert sorted(looked)[len(looked) // 2] < 100
    assert max(looked) < 3000


def test_too_few_records_have_no_ladder():
    assert built("Patient", ["Patient/a"] * 15, 6) is None
