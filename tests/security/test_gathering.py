"""Companies that form while another is on its way."""

import asyncio

import pytest

from fhir_gateway.security import gathering
from fhir_gateway.security.gathering import Gathering

pytestmark = pytest.mark.anyio


class Road:
    """Remembers each company; a journey takes ``seconds``."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.companies: list[list[int]] = []
        self.gathering: Gathering[int] = Gathering(self.go)

    async def go(self, company: list[int]) -> None:
        self.companies.append(company)
        await asyncio.sleep(self.seconds)

    async def until(self, many: int) -> None:
        async with asyncio.timeout(5):
            while sum(map(len, self.companies)) < many:  # noqa: ASYNC110 - a road tells nobody
                await asyncio.sleep(0.001)


async def test_who_comes_in_one_turn_goes_together() -> None:
    road = Road()
    for number in range(5):
        road.gathering.join(number)
    await road.until(5)
    assert road.companies == [[0, 1, 2, 3, 4]]


async def test_who_comes_meanwhile_goes_next() -> None:
    road = Road(0.02)
    road.gathering.join(0)
    await road.until(1)
    road.gathering.join(1, 2)
    road.gathering.join(3)
    await road.until(4)
    assert road.companies == [[0], [1, 2, 3]]


async def test_a_much_smaller_company_waits_a_moment_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "PATIENCE_SECONDS", 0.5)
    road = Road(0.005)
    road.gathering.join(*range(8))
    await road.until(8)
    road.gathering.join(8)
    await asyncio.sleep(0.02)
    road.gathering.join(*range(9, 12))
    await road.until(12)
    assert road.companies == [[*range(8)], [8, 9, 10, 11]]


async def test_nobody_comes_and_the_one_goes_alone() -> None:
    road = Road()
    road.gathering.join(*range(8))
    await road.until(8)
    road.gathering.join(8)
    await road.until(9)
    road.gathering.join(9)
    started = asyncio.get_running_loop().time()
    await road.until(10)
    assert road.companies[1:] == [[8], [9]]
    assert asyncio.get_running_loop().time() - started < 1


async def test_a_journey_that_fails_stops_nobody_after_it() -> None:
    told: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context["exception"]))

    async def go(company: list[int]) -> None:
        went.append(company)
        if company == [0]:
            raise ZeroDivisionError

    went: list[list[int]] = []
    these: Gathering[int] = Gathering(go)
    these.join(0)
    await asyncio.sleep(0.01)
    these.join(1)
    await asyncio.sleep(0.01)
    loop.set_exception_handler(None)
    assert went == [[0], [1]]
    assert [type(error) for error in told] == [ZeroDivisionError]
