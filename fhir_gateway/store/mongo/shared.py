"""Searches that come at the same time and begin with an id or a selective key go to the database as one question.

https://www.mongodb.com/docs/manual/reference/operator/query/in/

A question costs the embedded engine more than the few records it finds: eight identifiers asked for together cost
what two cost alone. A key that many records have is asked for alone.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from fhir_gateway.problem import Problem, Unavailable
from fhir_gateway.security.gathering import Gathering
from fhir_gateway.store.mongo.connection import Collection, Document, answering
from fhir_gateway.store.together import Entrance, together

MOST = 20
"""Keys of one question: the engine compares each record that it meets with all of them."""
CROWD, REMEMBERED = 40, 10_000
"""A key that more records have is not asked for again in company; and how many such keys are known."""
PATIENCE_SECONDS = 0.05
"""Who comes later does not wait longer for a slow question to be answered."""

_Found = list[Document] | None


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    entrance: Entrance
    found: asyncio.Future[_Found]


class Shared:
    """Those of one process; belongs to one event loop."""

    def __init__(self, home: Collection) -> None:
        self._home = home
        self._gathering: Gathering[_Asked] = Gathering(self._ask)
        self._crowded: OrderedDict[str, None] = OrderedDict()
        self._slow: set[asyncio.Task[None]] = set()

    async def matches(self, way: Entrance | None) -> list[Document] | None:
        """All documents that a search finds, in no order; None where it has to be asked alone."""
        if way is None or any(value in self._crowded for value in way.values):
            return None
        found: asyncio.Future[_Found] = asyncio.get_running_loop().create_future()
        self._gathering.join(_Asked(way, found))
        return await found

    async def _ask(self, company: list[_Asked]) -> None:
        alike: dict[str, list[_Asked]] = {}
        for one in company:
            alike.setdefault(one.entrance.field, []).append(one)
        answers = [asyncio.create_task(self._answer(part)) for group in alike.values() for part in _parts(group)]
        done, slow = await asyncio.wait(answers, timeout=PATIENCE_SECONDS)
        for answer in done:
            answer.result()
        self._slow |= slow
        for answer in slow:
            answer.add_done_callback(self._slow.discard)

    async def _answer(self, group: Sequence[_Asked]) -> None:
        outcome: list[_Found] | Problem = Unavailable("the database does not answer; try again")
        try:
            async with answering():
                outcome = await self._found(group)
        except Problem as problem:
            outcome = problem
        finally:
            for at, one in enumerate(group):
                _tell(one.found, outcome if isinstance(outcome, Problem) else outcome[at])

    async def _found(self, group: Sequence[_Asked]) -> list[_Found]:
        """What each finds, in their order."""
        field = group[0].entrance.field
        values = tuple(dict.fromkeys(value for one in group for value in one.entrance.values))
        # If there are more, at least one of the keys is crowded, and is known for it from then on.
        most = CROWD * len(values)
        documents = await self._home.aggregate(together(field, values, most + 1)).to_list(None)
        behind = _behind(field, values, documents)
        self._remember(behind)
        if len(documents) > most:
            return [None] * len(group)
        return [one.entrance.let_in(_once(behind[value] for value in one.entrance.values)) for one in group]

    def _remember(self, behind: dict[str, list[Document]]) -> None:
        for value, documents in behind.items():
            if len(documents) > CROWD:
                self._crowded[value] = None
        while len(self._crowded) > REMEMBERED:
            self._crowded.popitem(last=False)


def _parts(group: Sequence[_Asked]) -> Iterator[list[_Asked]]:
    """As many at once as have few values together."""
    part: list[_Asked] = []
    values = 0
    for one in group:
        values += len(one.entrance.values)
        if part and values > MOST:
            yield part
            part, values = [], len(one.entrance.values)
        part.append(one)
    yield part


def _behind(field: str, values: Iterable[str], documents: Iterable[Document]) -> dict[str, list[Document]]:
    """The documents by the value that led to them."""
    found: dict[str, list[Document]] = {value: [] for value in values}
    for document in documents:
        for value in found.keys() & set([document["_id"]] if field == "_id" else document[field]):
            found[value].append(document)
    return found


def _once(groups: Iterable[Iterable[Document]]) -> Iterable[Document]:
    return {document["_id"]: document for group in groups for document in group}.values()


def _tell(found: asyncio.Future[_Found], outcome: _Found | Problem) -> None:
    if found.done():
        return
    if isinstance(outcome, Problem):
        found.set_exception(outcome)
    else:
        found.set_result(outcome)
