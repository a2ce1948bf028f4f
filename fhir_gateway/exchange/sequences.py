"""Gaps in a sender's own count of its messages (MSH-13): what it sent and what never came.

https://www.hl7.eu/HL7v2x/v251/std251/ch02.html#Heading41
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

# 0 asks where to begin, -1 begins anew: neither is a number of a message.
RESTARTS = frozenset({0, -1})
LISTED = 50


@dataclass(slots=True)
class Stream:
    """One counter, read as its messages came. A number out of order fills its gap; a lower one begins anew."""

    name: str
    numbers: int = 0
    first: int | None = None
    last: int | None = None
    restarts: int = 0
    missing: list[tuple[int, int]] = field(default_factory=list)
    _next: int | None = None

    def seen_before(self, number: int) -> None:
        """The last number before the time that is looked at."""
        self._next = number + 1

    def take(self, number: int) -> None:
        if number in RESTARTS:
            self._next = None
            return
        self.numbers += 1
        self.first = number if self.first is None else self.first
        self.last = number
        if self._next is None or number == self._next:
            self._next = number + 1
        elif number > self._next:
            self.missing.append((self._next, number - 1))
            self._next = number + 1
        elif not self._fills(number) and number != self._next - 1:
            self.restarts += 1
            self._next = number + 1

    def found_elsewhere(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._fills(number)

    def _fills(self, number: int) -> bool:
        for place, (start, end) in enumerate(self.missing):
            if start <= number <= end:
                rest = [(start, number - 1), (number + 1, end)]
                self.missing[place : place + 1] = [(a, b) for a, b in rest if a <= b]
                return True
        return False

    def plain(self) -> dict[str, Any]:
        return {
            "stream": self.name,
            "numbers": self.numbers,
            "first": self.first,
            "last": self.last,
            "restarts": self.restarts,
            "missing": sum(end - start + 1 for start, end in self.missing),
            "gaps": [list(gap) for gap in self.missing[:LISTED]],
        }


def streams(before: Iterable[str], during: Iterable[str], near: Iterable[str] = ()) -> list[dict[str, Any]]:
    """The counters of a time; all three are sequences of receipts (``HIS|22T01#17``) as they came.

    ``near`` came shortly before or after: a clock that was set over midnight put them into another day.
    """
    last = {name: numbers[-1] for name, numbers in map(_read, before) if numbers}
    found: dict[str, Stream] = {}
    for name, numbers in map(_read, during):
        if name not in found:
            found[name] = Stream(name)
            if name in last and last[name] not in RESTARTS:
                found[name].seen_before(last[name])
        for number in numbers:
            found[name].take(number)
    for name, numbers in map(_read, near):
        if name in found:
            found[name].found_elsewhere(numbers)
    return [found[name].plain() for name in sorted(found)]


def _read(sequence: str) -> tuple[str, list[int]]:
    name, _, numbers = sequence.rpartition("#")
    return name, [int(number) for number in numbers.split(",")]
