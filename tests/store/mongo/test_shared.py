"""Searches that come at once are one question to the database, and each gets its own answer."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fhir_gateway.problem import Problem, Unavailable
from fhir_gateway.search.criteria import Choice, Condition
from fhir_gateway.search.query import Query
from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.store.mongo.shared import CROWD, MOST, Shared
from fhir_gateway.store.port import Change, Commit
from fhir_gateway.store.together import entrance

pytestmark = pytest.mark.anyio

Make = Callable[..., Change]


class Watched:
    """Tells what it was asked; ``down`` is what it raises instead, ``slow`` what it takes its time for."""

    def __init__(self, home: Any) -> None:
        self.home = home
        self.asked: list[list[dict[str, Any]]] = []
        self.down: Exception | None = None
        self.slow = "identifier:slow"
        self.opened = asyncio.Event()
        self.reached = asyncio.Event()

    def aggregate(self, pipeline: list[dict[str, Any]]) -> Any:
        self.asked.append(pipeline)
        self.reached.set()
        if self.down:
            raise self.down
        return (
            Slow(self.home.aggregate(pipeline), self.opened)
            if self.slow in str(pipeline)
            else self.home.aggregate(pipeline)
        )


class Slow:
    """An answer that comes when it is let go."""

    def __init__(self, cursor: Any, opened: asyncio.Event) -> None:
        self.cursor, self.opened = cursor, opened

    async def to_list(self, length: int | None) -> Any:
        await self.opened.wait()
        return await self.cursor.to_list(length)


def by(key: str, size: int = 20) -> Query:
    return Query("Patient", (Condition((Choice(key),), 1),), size=size)


async def written(store: MongoStore, change: Make, many: int, key: Callable[[int], str]) -> None:
    await store.commit(Commit(tuple(change(f"p{n:03}", keys=(key(n),)) for n in range(many))))


async def names(shared: Shared, query: Query, reader: str | None = None) -> list[str] | None:
    found = await shared.matches(entrance(query, reader))
    return None if found is None else sorted(document["id"] for document in found)


async def test_searches_at_once_are_one_question(store: MongoStore, change: Make) -> None:
    await written(store, change, 8, lambda n: f"identifier:{n}")
    home = Watched(store._database.resources)
    shared = Shared(home)  # type: ignore[arg-type]
    found = await asyncio.gather(*(names(shared, by(f"identifier:{n}")) for n in (*range(8), 3, 99)))
    assert found == [*([f"p{n:03}"] for n in range(8)), ["p003"], []]
    assert len(home.asked) == 1


async def test_more_than_one_question_holds_are_several(store: MongoStore, change: Make) -> None:
    await written(store, change, 2 * MOST + 1, lambda n: f"identifier:{n}")
    home = Watched(store._database.resources)
    shared = Shared(home)  # type: ignore[arg-type]
    found = await asyncio.gather(*(names(shared, by(f"identifier:{n}")) for n in range(2 * MOST + 1)))
    assert found == [[f"p{n:03}"] for n in range(2 * MOST + 1)]
    assert len(home.asked) == 3


async def test_each_reader_finds_what_it_may_see(store: MongoStore, change: Make) -> None:
    await store.commit(Commit((change("a", keys=("identifier:1",), readers=("qn",)),)))
    shared = Shared(store._database.resources)
    readers = ("qn", "bc", None)
    found = await asyncio.gather(*(names(shared, by("identifier:1"), reader) for reader in readers))
    assert found == [["a"], [], ["a"]]


async def test_a_crowded_key_is_asked_alone_from_then_on(store: MongoStore, change: Make) -> None:
    await written(store, change, CROWD + 1, lambda n: "identifier:same" if n else "identifier:lone")
    await store.commit(Commit((change("x", keys=("identifier:same",)),)))
    home = Watched(store._database.resources)
    shared = Shared(home)  # type: ignore[arg-type]
    assert await names(shared, by("identifier:same")) is None
    assert len(home.asked) == 1
    assert await names(shared, by("identifier:same")) is None
    assert len(home.asked) == 1
    assert await names(shared, by("identifier:lone")) == ["p000"]


async def test_a_page_of_a_crowded_key_is_whole(store: MongoStore, change: Make) -> None:
    await written(store, change, 2 * CROWD, lambda n: "identifier:same")
    asked = [by("identifier:same", 30), by("identifier:same", 300), by("identifier:other")]
    found = await asyncio.gather(*(store.find(one) for one in asked))
    assert [len(one) for one in found] == [30, 2 * CROWD, 0]
    assert [one.id for one in found[0]] == [f"p{n:03}" for n in range(30)]
    assert await store.count(by("identifier:same")) == 2 * CROWD


async def test_a_database_that_does_not_answer_is_everyones_trouble(store: MongoStore) -> None:
    home = Watched(store._database.resources)
    home.down = Unavailable("no")
    shared = Shared(home)  # type: ignore[arg-type]
    found = await asyncio.gather(*(names(shared, by(f"identifier:{n}")) for n in range(3)), return_exceptions=True)
    assert [type(one) for one in found] == [Unavailable] * 3
    home.down = Problem("refused")
    with pytest.raises(Problem, match="refused"):
        await names(shared, by("identifier:1"))
    home.down = None
    assert await names(shared, by("identifier:1")) == []


async def test_who_gives_up_leaves_the_others_their_answer(store: MongoStore, change: Make) -> None:
    await written(store, change, 2, lambda n: f"identifier:{n}")
    shared = Shared(store._database.resources)
    leaving, staying = (asyncio.create_task(names(shared, by(f"identifier:{n}"))) for n in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == ["p001"]


async def test_a_slow_question_holds_up_nobody_who_comes_later(store: MongoStore, change: Make) -> None:
    await written(store, change, 2, lambda n: "identifier:slow" if n else "identifier:quick")
    home = Watched(store._database.resources)
    shared = Shared(home)  # type: ignore[arg-type]
    slow = asyncio.create_task(names(shared, by("identifier:slow")))
    await home.reached.wait()
    assert await names(shared, by("identifier:quick")) == ["p000"]
    assert not slow.done()
    home.opened.set()
    assert await slow == ["p001"]
