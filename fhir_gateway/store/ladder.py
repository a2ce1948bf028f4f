"""Where the records of a type lie in the order of their ids: a page reads a short stretch of them, not every match.

https://www.mongodb.com/docs/manual/core/indexes/index-types/index-compound/

The embedded engine reads all that an index gives before it stops, so a page of a million matches is asked for by
stretches of ids. Some records, chosen by a hash of their id, bear one more key, a rung: one of 64, one of 512 and so
on. The rungs of a type are an unbiased sample of its ids, whoever made them up. They only say how long a stretch should
be: what is found never depends on them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

LEVELS = (15, 12, 9, 6)
"""On a level ``n`` stands one of 2**n records, and on those above it."""
ENOUGH = 128
"""Rungs that make a ladder; with fewer the next level is taken too."""
FEWEST = 16
"""With fewer rungs on all levels there is so little of the type that one stretch holds it."""
APART = 4
"""Chance puts rungs at uneven distances; of so many one is kept, which evens them out."""
SHORTEST, MARGIN = 24.0, 1.2
"""Of a stretch: the fewest records, and how much more than is expected to do."""
_MARK = "~rung"


def rung(reference: str) -> str | None:
    """The key that this record bears for being a rung; few do."""
    number = crc32(reference.encode())
    return next((level_key(level) for level in LEVELS if number % 2**level == 0), None)


def ranged(reference: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A record's search fields, with the key of a rung if it is one; of a deletion there are none."""
    key = rung(reference)
    return {**fields, "keys": [*fields["keys"], key]} if key and "keys" in fields else dict(fields)


def level_key(level: int) -> str:
    return f"{_MARK}{level}"


def built(type_: str, rungs: Sequence[str], level: int) -> Ladder | None:
    """The ladder that the rungs from this level up make; None where they are too few for one."""
    if len(rungs) < FEWEST:
        return None
    return Ladder(sorted(rungs)[APART - 1 :: APART], APART * 2**level, f"{type_}/", f"{type_}0")


@dataclass(frozen=True, slots=True)
class Ladder:
    """The rungs of one type in order, ``step`` records apart, between ``floor`` and ``roof``."""

    rungs: Sequence[str]
    step: int
    floor: str
    roof: str
    _alphabet: str = field(init=False)
    _edges: list[str] = field(init=False)

    def __post_init__(self) -> None:
        same = _same(self.rungs[0], self.rungs[-1])
        letters = sorted({letter for one in self.rungs for letter in one[len(same) :]} or {"0"})
        object.__setattr__(self, "_alphabet", "".join(letters))
        # What is outside of these edges is unlike the ids that are known; the last stretch reaches it all the same.
        object.__setattr__(self, "_edges", [same, *self.rungs, same + letters[-1] * 9])

    @property
    def size(self) -> int:
        """About how many records there are."""
        return (len(self.rungs) + 1) * self.step

    def height(self, reference: str) -> float:
        """About how many records lie before this one."""
        cell = min(max(bisect_right(self._edges, reference) - 1, 0), len(self._edges) - 2)
        return (cell + self._share(cell, reference)) * self.step

    def at(self, height: float) -> str:
        """An id that about so many records lie before."""
        cell, share = divmod(height / self.step, 1)
        if cell >= len(self._edges) - 1:
            return self.roof
        return self._between(int(cell), share)

    def _span(self, cell: int) -> tuple[str, float, float]:
        """What the ids of a cell begin with, and its ends as fractions behind that."""
        low, high = self._edges[cell], self._edges[cell + 1]
        same = _same(low, high)
        return same, self._fraction(low[len(same) :]), self._fraction(high[len(same) :])

    def _share(self, cell: int, reference: str) -> float:
        begin, low, high = self._span(cell)
        if not reference.startswith(begin) or high <= low:
            return 0.0
        return min(max((self._fraction(reference[len(begin) :]) - low) / (high - low), 0.0), 1.0)

    def _between(self, cell: int, share: float) -> str:
        begin, low, high = self._span(cell)
        made = begin + self._letters(low + share * (high - low))
        return min(max(made, self._edges[cell]), self._edges[cell + 1])

    def _fraction(self, text: str) -> float:
        """The text as digits behind a point, its letters numbered in order."""
        base, found, worth = len(self._alphabet), 0.0, 1.0
        for letter in text[:12]:
            worth /= base
            found += min(bisect_left(self._alphabet, letter), base - 1) * worth
        return found

    def _letters(self, fraction: float) -> str:
        base, found = len(self._alphabet), ""
        for _ in range(9):
            number, fraction = divmod(fraction * base, 1)
            found += self._alphabet[min(int(number), base - 1)]
        return found


@dataclass(frozen=True, slots=True)
class Stretch:
    """Ids from ``start`` (included) up to but without ``stop``: about ``records`` of the type."""

    start: str
    stop: str
    records: float


def _same(one: str, other: str) -> str:
    """What both begin with."""
    differs = (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return one[: next(differs, min(len(one), len(other)))]


@dataclass(slots=True)
class Climb:
    """The stretches of a type from a place on, each as long as those before it let expect.

    ``wanted`` matches end it. ``density`` is the share of the records that is thought to match, ``trust`` the matches
    that this was learned from; ``met`` is told of each stretch which records did.
    """

    ladder: Ladder
    wanted: int
    density: float = 1.0
    trust: float = 1.0
    after: str | None = None
    falling: bool = False
    looked: float = 0.0
    found: int = 0

    def __iter__(self) -> Iterator[Stretch]:
        ladder = self.ladder
        start, end = (ladder.roof, ladder.floor) if self.falling else (ladder.floor, ladder.roof)
        edge = self.after or start
        height = ladder.height(edge) if self.after else ladder.size * self.falling
        while edge != end and self.found < self.wanted:
            length = max(SHORTEST, (self.wanted - self.found) * MARGIN / self.share)
            height += -length if self.falling else length
            far = ladder.at(height) if 0 < height < ladder.size else end
            if (far < edge) if self.falling else (far > edge):
                yield Stretch(*((far, edge) if self.falling else (edge, far)), length)
                self.looked += length
                edge = far

    def met(self, references: Sequence[str], stretch: Stretch) -> None:
        """A stretch was cut short where what was wanted is full: then it was looked at up to the last one only."""
        self.found += len(references)
        if self.found >= self.wanted and references:
            begin = stretch.stop if self.falling else stretch.start
            passed = abs(self.ladder.height(references[-1]) - self.ladder.height(begin))
            self.looked -= max(stretch.records - passed, 0.0)

    @property
    def share(self) -> float:
        """The share of the records that match, as far as is known by now."""
        return (self.found + self.trust) / max(self.looked + self.trust / self.density, 1.0)
