"""Looks at records that come at once are one question to the database."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from fhir_gateway.problem import Unavailable
from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.store.mongo.looks import Looks
from fhir_gateway.store.port import Change, Commit, Version

pytestmark = pytest.mark.anyio


class Shelf:
    """Answers what it has; ``down`` is what it raises instead."""

    def __init__(self, *there: Version) -> None:
        self.there = {version.reference: version for version in there}
        self.questions: list[list[str]] = []
        self.down: Exception | None = None

    async def ask(self, references: Sequence[str]) -> dict[str, Version]:
        self.questions.append(list(references))
        await asyncio.sleep(0)
        if self.down:
            raise self.down
        return {name: self.there[name] for name in references if name in self.there}


async def test_looks_at_once_are_one_question_and_each_name_is_asked_for_once(version: Callable[..., Version]) -> None:
    shelf = Shelf(version("a"), version("b"))
    looks = Looks(shelf.ask)
    names = ["Patient/a", "Patient/b", "Patient/a", "Patient/none"]

    found = await asyncio.gather(*map(looks.current, names))

    assert [one and one.id for one in found] == ["a", "b", "a", None]
    assert shelf.questions == [["Patient/a", "Patient/b", "Patient/none"]]


async def test_everybody_hears_that_the_database_is_away_and_the_next_look_may_succeed(
    version: Callable[..., Version],
) -> None:
    shelf = Shelf(version("a"))
    shelf.down = Unavailable("away")
    looks = Looks(shelf.ask)
    answers = await asyncio.gather(*(looks.current("Patient/a") for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Unavailable] * 3

    shelf.down = None
    assert (await looks.current("Patient/a")) == version("a")


async def test_who_gives_up_takes_nobody_along(version: Callable[..., Version]) -> None:
    looks = Looks(Shelf(version("a")).ask)
    tasks = [asyncio.create_task(looks.current("Patient/a")) for _ in range(2)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    assert (await tasks[1]) == version("a")
    assert tasks[0].cancelled()


async def test_a_look_sees_what_was_written_before_it(store: MongoStore, change: Callable[..., Change]) -> None:
    async def written_and_seen(number: int) -> bool:
        await store.commit(Commit((change(f"p{number}"),)))
        return (await store.current(f"Patient/p{number}")) is not None

    assert all(await asyncio.gather(*map(written_and_seen, range(40))))
