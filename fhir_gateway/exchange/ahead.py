"""What is made ready while the message before it is still being committed: the next translation of a hospital.

A translation depends on its message alone, so it may be made early; only the filing keeps the order of arrival.
"""

import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from fhir_gateway.problem import Unprocessable
from fhir_gateway.store.port import Job

KEPT_SECONDS = 60.0
"""What nobody came for is old by then: the mapping may be another one."""

T = TypeVar("T")
Do = Callable[[Job], Awaitable[bool]]
Ready = Callable[[Job], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Turn:
    """How a job is done, and how the one behind it is made ready meanwhile; ``abreast`` of a group are done at once."""

    do: Do
    ready: Ready
    abreast: int = 1


async def nothing(job: Job) -> None:
    """Nothing is made ready."""


@dataclass(slots=True)
class Ahead(Generic[T]):
    """Results by the key of their message, each for whoever comes first."""

    _made: dict[str, tuple[float, T | Unprocessable]] = field(default_factory=dict)

    async def make(self, key: str, making: Awaitable[T]) -> None:
        """Keep the result, or the refusal: what fails for reasons of its own is not tried twice."""
        result: T | Unprocessable
        try:
            result = await making
        except Unprocessable as refusal:
            result = refusal
        self._forget_the_old()
        self._made[key] = time.monotonic(), result

    def take(self, key: str) -> T | None:
        """The result, once; None where there is none or it is too old. Raises the refusal."""
        self._forget_the_old()
        _, result = self._made.pop(key, (0.0, None))
        if isinstance(result, Unprocessable):
            raise result
        return result

    def _forget_the_old(self) -> None:
        oldest = time.monotonic() - KEPT_SECONDS
        self._made = {key: made for key, made in self._made.items() if made[0] > oldest}
