"""Small commits share a transaction, and nobody notices but the clock."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.problem import Claimed, Conflict, TooLarge, Unavailable
from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.store.mongo.grouping import SMALL, Groups
from fhir_gateway.store.port import Change, Claim, Commit, Grant, Note

pytestmark = pytest.mark.anyio

WRITER = Path(__file__).with_name("die_in_group.py")
Make = Callable[..., Change]


class Shelf:
    """Where commits end up: all that was written together, in order; ``refuses`` are keys of claims that spoil it."""

    def __init__(self, refuses: frozenset[str] = frozenset(), error: type[Exception] = Conflict) -> None:
        self.written: list[Commit] = []
        self.busy: set[str] = set()
        self.refuses, self.error = refuses, error

    async def write(self, commit: Commit) -> None:
        names = {claim.key for claim in commit.claims}
        assert names.isdisjoint(self.busy), "two that touch the same are under way"
        assert len(names) == len(commit.claims), "two that touch the same are in one transaction"
        self.busy |= names
        await asyncio.sleep(0.001)
        self.busy -= names
        if names & self.refuses:
            raise self.error("refused")
        self.written.append(commit)


def claiming(*keys: str) -> Commit:
    return Commit(claims=tuple(Claim(key, "Patient/p") for key in keys))


async def _outcomes(shelf: Shelf, commits: list[Commit]) -> list[BaseException | None]:
    groups = Groups(shelf.write)
    answers = await asyncio.gather(*map(groups.commit, commits), return_exceptions=True)
    await groups.at_rest()
    return answers


async def test_what_waits_at_the_same_time_is_written_together() -> None:
    shelf = Shelf()
    assert await _outcomes(shelf, [claiming(f"k{number}") for number in range(100)]) == [None] * 100
    assert len(shelf.written) < 10
    assert sum(len(commit.claims) for commit in shelf.written) == 100


async def test_one_alone_waits_for_nobody() -> None:
    shelf = Shelf()
    assert await _outcomes(shelf, [claiming("k")]) == [None]
    assert shelf.written == [claiming("k")]


async def test_a_large_commit_stays_alone() -> None:
    shelf = Shelf()
    large = claiming(*(f"large{number}" for number in range(SMALL + 1)))
    await _outcomes(shelf, [large, *(claiming(f"k{number}") for number in range(9))])
    assert large in shelf.written


@settings(deadline=None, max_examples=60)
@given(
    wanted=st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=3, unique=True), max_size=12),
    refused=st.frozensets(st.sampled_from("abcdefgh"), max_size=3),
)
def test_each_hears_what_it_would_hear_alone(wanted: list[list[str]], refused: frozenset[str]) -> None:
    async def run() -> None:
        shelf = Shelf(refused)
        answers = await _outcomes(shelf, [claiming(*keys) for keys in wanted])
        for keys, answer in zip(wanted, answers, strict=True):
            assert isinstance(answer, Conflict) == bool(refused & set(keys))
        written = sorted(claim.key for commit in shelf.written for claim in commit.claims)
        assert written == sorted(key for keys in wanted if not refused & set(keys) for key in keys)

    asyncio.run(run())


async def test_what_touches_the_same_is_written_in_the_order_it_came() -> None:
    shelf = Shelf()
    commits = [Commit(claims=(Claim("k", f"Patient/p{number}"),)) for number in range(9)]
    await _outcomes(shelf, commits)
    assert shelf.written == commits


async def test_when_nobody_knows_what_became_of_it_nobody_tries_again() -> None:
    shelf = Shelf(frozenset({"k7"}), Unavailable)
    answers = await _outcomes(shelf, [claiming(f"k{number}") for number in range(30)])
    assert isinstance(answers[7], Unavailable)
    told = sum(answer is None for answer in answers)
    assert sum(len(commit.claims) for commit in shelf.written) == told


async def test_a_fault_of_the_program_is_told_to_all_and_ends_nothing() -> None:
    shelf = Shelf(frozenset({"k1"}), ZeroDivisionError)
    groups = Groups(shelf.write)
    answers = await asyncio.gather(*(groups.commit(claiming(f"k{n}")) for n in range(4)), return_exceptions=True)
    assert isinstance(answers[1], ZeroDivisionError)
    await groups.commit(claiming("later"))


async def test_a_caller_that_gives_up_takes_nobody_along() -> None:
    shelf = Shelf()
    groups = Groups(shelf.write)
    tasks = [asyncio.create_task(groups.commit(claiming(f"k{number}"))) for number in range(6)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    await groups.at_rest()
    assert [isinstance(answer, asyncio.CancelledError) for answer in answers] == [n == 3 for n in range(6)]
    assert sum(len(commit.claims) for commit in shelf.written) == 6


async def test_a_neighbours_conflict_fails_nobody_else(store: MongoStore, change: Make) -> None:
    await store.commit(Commit((change("taken"),), (Claim("mrn|taken", "Patient/taken"),)))
    good = [Commit((change(f"p{n}"),), (Claim(f"mrn|{n}", f"Patient/p{n}"),)) for n in range(20)]
    bad = [
        Commit((change("taken"),)),
        Commit((change("q1"),), (Claim("mrn|taken", "Patient/q1"),)),
        Commit((change("q2"),), grants=(Grant("Patient/nobody", "bach-mai"),)),
        Commit((change("q3"),), notes=(Note("shelf", "none", {}, expected={"a": 1}),)),
        Commit((change("q4"),), settled=("no-such-job",)),
        Commit((change("taken", 7),)),
        Commit((change("q5", body=b"x" * 17 * 2**20),)),
    ]
    answers = await asyncio.gather(*map(store.commit, [*good, *bad]), return_exceptions=True)
    assert answers[:20] == [None] * 20
    assert [type(answer) for answer in answers[20:]] == [Conflict, Claimed, *[Conflict] * 4, TooLarge]
    found = await store.currents(
        [f"Patient/{name}" for name in (*(f"p{n}" for n in range(20)), "q1", "q2", "q3", "q4")]
    )
    assert len(found) == 20


async def test_replacements_share_a_transaction_and_keep_their_history(store: MongoStore, change: Make) -> None:
    for number in (1, 2, 3):
        await asyncio.gather(*(store.commit(Commit((change(f"p{n}", number),))) for n in range(12)))
    for n in range(12):
        assert [one.number for one in await store.versions(f"Patient/p{n}", None, 9)] == [3, 2, 1]


async def at_rest(store: MongoStore, names: list[str]) -> set[str]:
    """What there is of the names, once it changes no more: a killed client's last commit may still be under way."""
    there: set[str] | None = None
    while there != (now := await all_of(store, names)):
        there = now
        await asyncio.sleep(0.5)
    return now


async def all_of(store: MongoStore, names: list[str]) -> set[str]:
    found = await store.currents([f"Patient/{half}-{name}" for name in names for half in ("a", "b")])
    return {*found, *await store.claimed([f"mrn|{name}" for name in names])}


async def test_a_writer_killed_with_a_group_under_way_leaves_each_commit_whole_or_absent(store: MongoStore) -> None:
    url = f"mongodb://{store._client.address[0]}:{store._client.address[1]}/?directConnection=true"
    writer = await asyncio.create_subprocess_exec(
        sys.executable, str(WRITER), url, store.name, stdout=asyncio.subprocess.PIPE
    )
    assert writer.stdout is not None
    acknowledged = [await writer.stdout.readline() for _ in range(60)]
    os.kill(writer.pid, signal.SIGKILL)
    acknowledged += (await writer.stdout.read()).splitlines(keepends=True)
    await writer.wait()
    names = [line.decode().strip() for line in acknowledged if line.endswith(b"\n")]
    highest = max(int(name.rpartition("-")[2]) for name in names) + 40
    possible = [f"{client}-{number}" for client in range(8) for number in range(highest)]
    there = await at_rest(store, possible)
    for name in possible:
        parts = {part in there for part in (f"Patient/a-{name}", f"Patient/b-{name}", f"mrn|{name}")}
        assert len(parts) == 1, name
        assert name not in names or parts == {True}
