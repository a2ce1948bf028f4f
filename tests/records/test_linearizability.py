"""Reads, writes and conditional writes of several clients look as if they had happened one after the other.

The check is that of Wing and Gong, with the visited states remembered: an order of the operations is looked for that
keeps to what was over before what began, and in which a single register gives the same answers. Each record is a
register of its own, and histories of several registers are right exactly when each one's is (Herlihy and Wing).
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from time import perf_counter

import pytest

from fhir_gateway.fhir.codec import decode
from fhir_gateway.problem import NotFound, PreconditionFailed
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.read import read
from fhir_gateway.records.step import Step
from fhir_gateway.records.write import run, update
from fhir_gateway.store.mongo import MongoStore

pytestmark = pytest.mark.anyio

State = tuple[int, int]
NOTHING: State = (0, 0)
"""Number of the version, and the value in it."""


@dataclass(frozen=True, slots=True)
class Act:
    """What one client did from ``call`` to ``back``. ``answer`` is (version, value) as seen, None for a refusal.

    ``version`` is the one a conditional write wanted to replace.
    """

    kind: str
    call: float
    back: float
    answer: State | None
    value: int = 0
    version: int = 0


def after(state: State, act: Act) -> State | None:
    """The state behind the act, None where the register would have answered differently."""
    if act.kind == "read":
        return state if act.answer == state else None
    if act.kind == "write if" and (act.answer is None or state[0] != act.version):
        return state if act.answer is None and state[0] != act.version else None
    written = (state[0] + 1, act.value)
    return written if act.answer == written else None


def linearizable(history: list[Act]) -> bool:
    acts = sorted(history, key=lambda act: act.call)
    everything = (1 << len(acts)) - 1
    waiting, seen = [(0, NOTHING)], {(0, NOTHING)}
    while waiting:
        done, state = waiting.pop()
        if done == everything:
            return True
        left = [place for place in range(len(acts)) if not done >> place & 1]
        first_back = min(acts[place].back for place in left)
        for place in left:
            if acts[place].call <= first_back and (then := after(state, acts[place])) is not None:
                step = (done | 1 << place, then)
                if step not in seen:
                    seen.add(step)
                    waiting.append(step)
    return False


W, R = "write", "read"


@pytest.mark.parametrize(
    "history",
    [
        pytest.param([Act(W, 0, 1, (1, 7), 7), Act(R, 2, 3, NOTHING)], id="a read that missed a finished write"),
        pytest.param(
            [Act(W, 0, 9, (1, 7), 7), Act(R, 1, 2, (1, 7)), Act(R, 3, 4, NOTHING)], id="a value seen and then unseen"
        ),
        pytest.param([Act(W, 0, 1, (1, 7), 7), Act(W, 0, 1, (1, 8), 8)], id="two writes that made the same version"),
        pytest.param(
            [
                Act(W, 0, 1, (1, 7), 7),
                Act("write if", 2, 5, (2, 8), 8, 1),
                Act("write if", 2, 5, (2, 9), 9, 1),
                Act(R, 6, 7, (2, 9)),
            ],
            id="a lost update",
        ),
        pytest.param(
            [Act(W, 0, 1, (1, 7), 7), Act("write if", 2, 3, None, 8, 1)], id="a refusal of what was still current"
        ),
    ],
)
async def test_the_check_rejects(history: list[Act]) -> None:
    assert not linearizable(history)


async def test_the_check_accepts_what_overlaps_in_any_order() -> None:
    assert linearizable([Act(W, 0, 9, (2, 7), 7), Act(W, 0, 9, (1, 8), 8), Act(R, 1, 2, (1, 8)), Act(R, 3, 9, (2, 7))])
    assert linearizable(
        [Act(W, 0, 1, (1, 7), 7), Act("write if", 2, 3, (2, 8), 8, 1), Act("write if", 2, 4, None, 9, 1)]
    )


@pytest.fixture
async def elsewhere(store: MongoStore, embedded_url: str, desk: Desk) -> AsyncIterator[Desk]:
    """The desk of another process: the same database, nothing else in common."""
    other = await MongoStore.open(embedded_url, store.name)
    try:
        yield replace(desk, store=other)
    finally:
        await other.close()


class Client:
    """One client; it remembers the version it saw last, and bases its conditional writes on it."""

    def __init__(self, desk: Desk, visit: Visit, seed: int) -> None:
        self.desk, self.visit, self.chance = desk, visit, random.Random(seed)
        self.seen: dict[str, int] = {}
        self.acts: dict[str, list[Act]] = {}

    async def go(self, registers: list[str], turns: int) -> None:
        for _ in range(turns):
            name = self.chance.choice(registers)
            call = perf_counter()
            act = await self.chance.choice((self.read, self.write, self.write_if, self.write_if, self.both))(name)
            self.acts.setdefault(name, []).append(replace(act, call=call, back=perf_counter()))
            await asyncio.sleep(self.chance.random() * 0.004)

    async def read(self, name: str) -> Act:
        try:
            found = await read(self.desk, self.visit, "Patient", name)
        except NotFound:
            return Act("read", 0, 0, NOTHING)
        self.seen[name] = found.number
        return Act("read", 0, 0, (found.number, decode(found.body)["multipleBirthInteger"]))

    async def write(self, name: str) -> Act:
        return await self._write("write", name, None)

    async def write_if(self, name: str) -> Act:
        return await self._write("write if", name, self.seen.get(name, 0))

    async def both(self, name: str) -> Act:
        """A conditional write in a transaction with something else."""
        resource, value = self._next(name)
        version = self.seen.get(name, 0)
        steps = [
            Step("PUT", "Patient", name, resource=resource, if_match=version),
            Step("POST", "Basic", resource={"resourceType": "Basic", "code": {"text": "beside"}}),
        ]
        try:
            results = await run(self.desk, self.visit, steps)
        except PreconditionFailed:
            return Act("write if", 0, 0, None, value, version)
        assert results[0].version is not None
        return Act("write if", 0, 0, (results[0].version.number, value), value, version)

    async def _write(self, kind: str, name: str, version: int | None) -> Act:
        resource, value = self._next(name)
        try:
            result = await update(self.desk, self.visit, f"Patient/{name}", resource, version)
        except PreconditionFailed:
            return Act(kind, 0, 0, None, value, version or 0)
        assert result.version is not None
        self.seen[name] = result.version.number
        return Act(kind, 0, 0, (result.version.number, value), value, version or 0)

    def _next(self, name: str) -> tuple[dict[str, object], int]:
        value = self.chance.randrange(1, 10**9)
        return {"resourceType": "Patient", "id": name, "multipleBirthInteger": value}, value


@pytest.mark.parametrize("seed", range(3))
async def test_a_random_history_of_eight_clients_in_two_processes_is_linearizable(
    desk: Desk, elsewhere: Desk, visit_of: Callable[[str], Visit], seed: int
) -> None:
    registers = ["x", "y"]
    clients = [Client((desk, elsewhere)[number % 2], visit_of("admin"), 100 * seed + number) for number in range(8)]
    await asyncio.gather(*(client.go(registers, 14) for client in clients))
    for name in registers:
        history = [act for client in clients for act in client.acts.get(name, [])]
        assert {act.answer is None for act in history} == {True, False}
        assert linearizable(history), f"seed {seed}, record {name}: {sorted(history, key=lambda act: act.call)}"
