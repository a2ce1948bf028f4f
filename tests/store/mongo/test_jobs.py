"""Leases, groups and postponed work, against the real engine."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from fhir_gateway.problem import Conflict
from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.store.port import Commit, Job

pytestmark = pytest.mark.anyio

MakeJob = Callable[..., Job]


async def ids(store: MongoStore, owner: str = "w", limit: int = 99, seconds: float = 60) -> list[str]:
    return [job.id for job in await store.lease("out", owner, limit, seconds)]


async def owe(store: MongoStore, *jobs: Job) -> None:
    for job in jobs:
        await store.commit(Commit(jobs=(job,)))


def soon(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


async def test_a_job_comes_back_as_it_was_written(store: MongoStore, job: MakeJob) -> None:
    await owe(store, job("j1", "lane"))
    assert await store.lease("out", "w", 9, 60) == [job("j1", "lane")]
    assert await store.lease("another queue", "w", 9, 60) == []


async def test_jobs_of_one_group_are_leased_oldest_first_and_by_one_worker(store: MongoStore, job: MakeJob) -> None:
    await owe(store, *(job(f"j{number}", "lane") for number in range(6)))
    assert await ids(store, "a", 2) == ["j0", "j1"]
    assert await ids(store, "b") == []
    await store.settle("j0")
    assert await ids(store, "b") == []
    await store.settle("j1")
    assert await ids(store, "b", 3) == ["j2", "j3", "j4"]


async def test_a_group_that_is_held_does_not_hide_the_others(store: MongoStore, job: MakeJob) -> None:
    await store.commit(Commit(jobs=tuple(job(f"a{number:03d}", "lane") for number in range(120))))
    await owe(store, job("b0", "other"))
    assert await ids(store, "a", 1) == ["a000"]
    assert await ids(store, "b", 1) == ["b0"]


async def test_a_postponed_job_holds_its_group_back_and_no_other(store: MongoStore, job: MakeJob) -> None:
    await owe(store, job("a0", "lane"), job("a1", "lane"), job("b0", "other"))
    assert await ids(store) == ["a0", "a1", "b0"]
    await store.postpone("a0", soon(0.3), "the partner does not answer")
    await store.postpone("b0", soon(-1), "")
    assert await ids(store) == ["b0"]
    await asyncio.sleep(0.35)
    again = await store.lease("out", "w", 9, 60)
    assert [(one.id, one.attempts, one.trouble) for one in again] == [
        ("a0", 1, "the partner does not answer"),
        ("a1", 0, ""),
    ]


async def test_what_is_owed_behind_a_postponed_job_keeps_its_order(store: MongoStore, job: MakeJob) -> None:
    await store.commit(Commit(jobs=tuple(job(f"a{number}", "lane") for number in range(5))))
    assert await ids(store, limit=1) == ["a0"]
    await store.postpone("a0", soon(0.3), "no")
    assert await ids(store) == []
    await owe(store, job("a5", "lane"))
    await asyncio.sleep(0.35)
    seen: list[str] = []
    while leased := await ids(store, limit=2):
        seen += leased
        for one in leased:
            await store.settle(one)
    assert seen == [f"a{number}" for number in range(6)]


async def test_a_long_queue_of_a_dead_partner_hides_nobody(store: MongoStore, job: MakeJob) -> None:
    await store.commit(Commit(jobs=tuple(job(f"a{number:03d}", "dead") for number in range(80))))
    await store.commit(Commit(jobs=(job("b0", "alive"),)))
    assert await ids(store, limit=1) == ["a000"]
    await store.postpone("a000", soon(60), "no route")
    assert await ids(store, limit=1) == ["b0"]


async def test_an_expired_lease_comes_back_to_the_next_worker_once(store: MongoStore, job: MakeJob) -> None:
    await owe(store, job("j0", "lane"), job("j1", "lane"))
    assert await ids(store, "dies", seconds=0.1) == ["j0", "j1"]
    await asyncio.sleep(0.15)
    batches = await asyncio.gather(*(ids(store, f"w{number}") for number in range(4)))
    assert sorted(map(len, batches)) == [0, 0, 0, 2]


async def test_a_job_settled_by_another_worker_makes_the_commit_a_conflict(store: MongoStore, job: MakeJob) -> None:
    await owe(store, job("j0"), job("j1"))
    await store.commit(Commit(settled=("j0",)))
    with pytest.raises(Conflict):
        await store.commit(Commit(settled=("j0", "j1")))
    assert [one.id for one in await store.owed("out", 9)] == ["j1"]


async def test_a_job_that_is_not_due_waits(store: MongoStore) -> None:
    await store.commit(Commit(jobs=(Job("later", "out", "", soon(0.2)),)))
    assert await ids(store) == []
    assert [one.id for one in await store.owed("out", 9)] == ["later"]
    await asyncio.sleep(0.25)
    assert await ids(store) == ["later"]


async def test_many_workers_do_every_job_once_and_each_group_in_order(store: MongoStore, job: MakeJob) -> None:
    jobs = [job(f"{number:03d}", f"lane-{number % 7}") for number in range(120)]
    await store.commit(Commit(jobs=tuple(jobs)))
    done: list[Job] = []
    busy: set[str] = set()

    async def worker(name: str) -> None:
        while len(done) < len(jobs):
            leased = await store.lease("out", name, 8, 60)
            last = {one.group: one.id for one in leased}
            assert not busy & set(last)
            busy.update(last)
            for one in leased:
                done.append(one)
                # From the settling of its last job on, another worker may have the group.
                busy.difference_update({one.group} if last[one.group] == one.id else ())
                await store.settle(one.id)

    await asyncio.gather(*(worker(f"w{number}") for number in range(4)))
    assert sorted(one.id for one in done) == [one.id for one in jobs]
    for lane in range(7):
        order = [one.id for one in done if one.group == f"lane-{lane}"]
        assert order == sorted(order)


async def test_released_leases_are_free_and_a_postponed_job_keeps_waiting(store: MongoStore, job: MakeJob) -> None:
    await owe(store, job("j1", "one"), job("j2", "two"))
    assert await ids(store, "dead") == ["j1", "j2"]
    await store.postpone("j2", soon(60), "away")
    await store.release("out")
    assert await ids(store, "new") == ["j1"]
