"""The next message of a hospital is translated while the one before is committed; the order stays."""

import asyncio

import pytest

from fhir_gateway.app import now
from fhir_gateway.exchange import ahead
from fhir_gateway.exchange.ahead import Ahead
from fhir_gateway.exchange.lanes import Lanes
from fhir_gateway.problem import Unprocessable
from fhir_gateway.store.port import Job

pytestmark = pytest.mark.anyio


def jobs(*names):
    return [Job(name, "q", "g", now()) for name in names]


async def until(holds):
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0)


async def test_the_next_job_is_made_ready_while_one_is_done_and_done_after_it():
    said, go = [], asyncio.Event()

    async def do(job):
        said.append(f"begin {job.id}")
        await go.wait()
        said.append(f"end {job.id}")
        return True

    async def ready(job):
        said.append(f"ready {job.id}")

    lanes = Lanes(do, ready)
    lanes.begin(jobs("a", "b"))
    await until(lambda: len(said) == 3)
    assert said[0] == "ready a"
    assert sorted(said[1:]) == ["begin a", "ready b"]
    go.set()
    await until(lambda: "end b" in said)
    assert said[3:] == ["end a", "begin b", "end b"]


async def test_so_many_of_a_group_as_may_be_are_done_at_once_and_begun_in_their_order():
    begun, go = [], asyncio.Event()

    async def do(job):
        begun.append(job.id)
        await go.wait()
        return True

    lanes = Lanes(do, abreast=3)
    lanes.begin(jobs("a", "b", "c", "d"))
    await until(lambda: len(begun) == 3)
    await asyncio.sleep(0.01)
    assert begun == ["a", "b", "c"]
    go.set()
    await until(lambda: len(begun) == 4)


async def test_what_is_leased_anew_while_a_halted_group_comes_to_its_end_is_not_forgotten():
    done, go = [], asyncio.Event()

    async def do(job):
        if job.id == "slow":
            await go.wait()
        done.append(job.id)
        return job.id != "bad"

    lanes = Lanes(do, abreast=2)
    lanes.begin(jobs("slow", "bad", "behind"))
    await until(lambda: "bad" in done)
    await asyncio.sleep(0.01)
    lanes.begin(jobs("again"))
    go.set()
    await until(lambda: "again" in done)
    assert done == ["bad", "slow", "again"]


async def test_what_fails_while_it_is_made_ready_is_done_all_the_same():
    done = []

    async def do(job):
        done.append(job.id)
        return True

    async def ready(job):
        raise OSError

    lanes = Lanes(do, ready)
    lanes.begin(jobs("a", "b", "c"))
    await until(lambda: len(done) == 3)
    assert done == ["a", "b", "c"]


async def test_a_result_is_taken_once():
    made = Ahead[str]()
    await made.make("m", asyncio.sleep(0, "text"))
    assert made.take("other") is None
    assert made.take("m") == "text"
    assert made.take("m") is None


async def test_a_refusal_is_raised_where_the_result_is_taken():
    async def refuse():
        raise Unprocessable("no")

    made = Ahead[str]()
    await made.make("m", refuse())
    with pytest.raises(Unprocessable, match="no"):
        made.take("m")


async def test_what_nobody_came_for_is_forgotten(monkeypatch):
    made = Ahead[str]()
    await made.make("m", asyncio.sleep(0, "text"))
    monkeypatch.setattr(ahead, "KEPT_SECONDS", -1)
    assert made.take("m") is None
