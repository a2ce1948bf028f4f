"""Looks at single records that come at the same time go to the database as one question.

https://www.mongodb.com/docs/manual/reference/operator/query/in/
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from fhir_gateway.problem import Problem, Unavailable
from fhir_gateway.security.gathering import Gathering
from fhir_gateway.store.port import Version

Ask = Callable[[Sequence[str]], Awaitable[dict[str, Version]]]
Look = tuple[str, asyncio.Future[Version | None]]


class Looks:
    """Those of one process; belongs to one event loop. A question is asked after everyone who shares it has come."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._gathering: Gathering[Look] = Gathering(self._look)

    async def current(self, reference: str) -> Version | None:
        """The newest version. Raises what the question raised."""
        found: asyncio.Future[Version | None] = asyncio.get_running_loop().create_future()
        self._gathering.join((reference, found))
        return await found

    async def _look(self, batch: list[Look]) -> None:
        outcome: dict[str, Version] | Problem = Unavailable("the database does not answer; try again")
        try:
            outcome = await self._ask([*dict.fromkeys(reference for reference, _ in batch)])
        except Problem as problem:
            outcome = problem
        finally:
            for reference, found in batch:
                _tell(found, reference, outcome)


def _tell(found: asyncio.Future[Version | None], reference: str, outcome: dict[str, Version] | Problem) -> None:
    if found.done():
        return
    if isinstance(outcome, Problem):
        found.set_exception(outcome)
    else:
        found.set_result(outcome.get(reference))
