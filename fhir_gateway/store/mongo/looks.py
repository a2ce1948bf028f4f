"""Looks at single records that come at the same time go to the database as one question.

https://www.mongodb.com/docs/manual/reference/operator/query/in/
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from fhir_gateway.problem import Problem, Unavailable
from fhir_gateway.security.gathering import Gathering
from fhir_gateway.store.port import Version

Ask = Callable[[Sequence[str]], Awaitable[dict[str, Version]]]
Look = tuple[Sequence[str], asyncio.Future[dict[str, Version]]]


class Looks:
    """Those of one process; belongs to one event loop. A question is asked after everyone who shares it has come."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._gathering: Gathering[Look] = Gathering(self._look)

    async def current(self, reference: str) -> Version | None:
        """The newest version. Raises what the question raised."""
        return (await self.currents([reference])).get(reference)

    async def currents(self, references: Sequence[str]) -> dict[str, Version]:
        """The newest versions of those that exist."""
        found: asyncio.Future[dict[str, Version]] = asyncio.get_running_loop().create_future()
        self._gathering.join((references, found))
        return await found

    async def _look(self, batch: list[Look]) -> None:
        outcome: dict[str, Version] | Problem = Unavailable("the database does not answer; try again")
        try:
            outcome = await self._ask([*dict.fromkeys(name for references, _ in batch for name in references)])
        except Problem as problem:
            outcome = problem
        finally:
            for references, found in batch:
                _tell(found, references, outcome)


def _tell(
    found: asyncio.Future[dict[str, Version]], references: Sequence[str], outcome: dict[str, Version] | Problem
) -> None:
    if found.done():
        return
    if isinstance(outcome, Problem):
        found.set_exception(outcome)
    else:
        found.set_result({name: outcome[name] for name in references if name in outcome})
