"""Writers of one record in line: who waits, for how long, and what is left behind."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from fhir_gateway.records import line
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.line import Lines
from fhir_gateway.records.step import Step
from fhir_gateway.records.write import run
from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.store.port import Commit

pytestmark = pytest.mark.anyio

VisitOf = Callable[[str], Visit]
WRITERS = 40


class Counting(MongoStore):
    """The store itself, and how often something was brought to it."""

    tries = 0

    async def commit(self, commit: Commit) -> None:
        self.tries += 1
        await super().commit(commit)


def _patient(number: int) -> dict[str, object]:
    return {
        "resourceType": "Patient",
        "id": "p",
        "identifier": [{"system": "urn:n", "value": "1"}],
        "multipleBirthInteger": number,
    }


@pytest.fixture
async def counting(desk: Desk, embedded_url: str, store: MongoStore) -> Desk:
    store.__class__ = Counting
    return desk


@pytest.mark.parametrize("step", [Step("PUT", "Patient", "p"), Step("PUT", "Patient", condition="identifier=urn:n|1")])
async def test_many_writers_of_one_record_lose_once_each_and_not_in_every_round(
    counting: Desk, store: Counting, visit_of: VisitOf, step: Step
) -> None:
    admin = visit_of("admin")
    steps = [replace(step, resource=_patient(number)) for number in range(WRITERS)]

    results = await asyncio.gather(*(run(counting, admin, [one], "update") for one in steps))

    versions = sorted(result.version.number for (result,) in results if result.version)
    assert versions == list(range(1, WRITERS + 1))
    assert store.tries <= 3 * WRITERS
    assert len(counting.lines) == 0


async def test_a_line_is_served_in_the_order_of_arrival() -> None:
    lines, served = Lines(), []

    async def stand(number: int) -> None:
        async with lines.turn(["Patient/p"]):
            await asyncio.sleep(0)
            served.append(number)

    await asyncio.gather(*map(stand, range(20)))

    assert served == list(range(20))
    assert len(lines) == 0


async def test_two_who_want_the_same_records_in_another_order_do_not_block_each_other() -> None:
    lines, done = Lines(), []

    async def stand(*names: str) -> None:
        async with lines.turn(names):
            await asyncio.sleep(0.01)
            done.append(names)

    async with asyncio.timeout(5):
        await asyncio.gather(*(stand(*pair) for pair in [("a", "b"), ("b", "a")] * 5))

    assert len(done) == 10


async def test_nobody_waits_for_ever_behind_one_who_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "PATIENCE_SECONDS", 0.05)
    lines = Lines()

    async with asyncio.timeout(5), lines.turn(["a"]), lines.turn(["a"]):
        assert len(lines) == 1

    assert len(lines) == 0
