"""Messages that came through a door of this process moments ago: their translation need not ask the store for them.

What is here is in the store already. A commit that finds the receipt changed since is refused as any other.
"""

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

KEPT_SECONDS = 60.0
MOST_MESSAGES = 256
MOST_BYTES = 16 * 2**20
LARGE = 2**20
"""What is larger is not kept here: to read it costs little of what it costs to translate it."""


@dataclass(slots=True)
class AtHand(Generic[T]):
    """The latest messages by the key of their receipt; the oldest make room."""

    _kept: OrderedDict[str, tuple[float, T, bytes]] = field(default_factory=OrderedDict)
    _bytes: int = 0

    def put(self, key: str, receipt: T, body: bytes) -> None:
        """Keep a message whose commit is durable."""
        if len(body) > LARGE:
            return
        self.forget(key)
        self._kept[key] = time.monotonic(), receipt, body
        self._bytes += len(body)
        while self._is_too_much():
            self.forget(next(iter(self._kept)))

    def look(self, key: str) -> tuple[T, bytes] | None:
        """The receipt as it was written first, and the bytes."""
        known = self._kept.get(key)
        if known is None or time.monotonic() - known[0] > KEPT_SECONDS:
            return None
        return known[1], known[2]

    def forget(self, key: str) -> None:
        """From now on the store alone knows what became of it."""
        if known := self._kept.pop(key, None):
            self._bytes -= len(known[2])

    def _is_too_much(self) -> bool:
        if not self._kept:
            return False
        moment, _, _ = next(iter(self._kept.values()))
        old = time.monotonic() - moment > KEPT_SECONDS
        return old or len(self._kept) > MOST_MESSAGES or self._bytes > MOST_BYTES
