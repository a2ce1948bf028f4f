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
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from fhir_gateway.store.typed import with_type

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
PLENTY = 512
"""Rungs that a cell is refined with at most, about."""
_OF_ONE_LEVEL = 8 / 7
"""Of eight rungs of a level and above, one stands on a higher one."""
_DIGITS = 12
_MARK = "~rung"


def rung(reference: str) -> str | None:
    """The key that this record bears for being a rung; few do."""
    number = crc32(reference.encode())
    if number % 2 ** LEVELS[-1]:
        return None
    return next((level_key(level) for level in LEVELS if number % 2**level == 0), None)


def ranged(reference: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A record's search fields as they lie, with the key of a rung if it is one; of a deletion there are none."""
    key = rung(reference)
    found = {**fields, "keys": [*fields["keys"], key]} if key and "keys" in fields else dict(fields)
    return with_type(reference.partition("/")[0], found)


def level_key(level: int) -> str:
    return f"{_MARK}{level}"


def built(type_: str, rungs: Sequence[str], level: int) -> Ladder | None:
    """The ladder that the rungs from this level up make; None where they are too few for one."""
    if len(rungs) < FEWEST:
        return None
    return Ladder(sorted(rungs), level, f"{type_}/", f"{type_}0")


class Ladder:
    """About how many records of a type lie before an id between ``floor`` and ``roof``, and before which id so many do.

    Ids known in order are its edges, each with the number of records before it; between two of them ids are thought to
    be spread evenly. A cell between two edges can be given finer rungs.
    """

    def __init__(self, rungs: Sequence[str], level: int, floor: str, roof: str) -> None:
        self.floor, self.roof = floor, roof
        self._letters = _letters_by_place(rungs)
        same, kept = _same(rungs[0], rungs[-1]), rungs[APART - 1 :: APART]
        # What is outside of the outer edges is unlike the ids that are known; the last stretch reaches it all the same.
        self._edges = [same, *kept, self._made(same, 1.0)]
        self._heights = [float(number * APART * 2**level) for number in range(len(self._edges))]
        self._levels = [level] * (len(kept) + 1)

    @property
    def size(self) -> float:
        """About how many records there are."""
        return self._heights[-1]

    def height(self, reference: str) -> float:
        """About how many records lie before this one."""
        cell = self._cell(bisect_right(self._edges, reference))
        low, high = self._heights[cell : cell + 2]
        return low + self._share(cell, reference) * (high - low)

    def at(self, height: float) -> str:
        """An id that about so many records lie before."""
        if height >= self.size:
            return self.roof
        cell = self._cell(bisect_right(self._heights, height))
        low, high = self._heights[cell : cell + 2]
        return self._between(cell, (height - low) / (high - low))

    def coarse(self, height: float, length: float) -> Cell | None:
        """The cell at this height, if finer rungs would tell better where a stretch of this length ends."""
        at = self._cell(bisect_right(self._heights, height))
        span = self._heights[at + 1] - self._heights[at]
        finer = [level for level in LEVELS if level < self._levels[at] and span / 2**level <= PLENTY]
        if not finer or length >= span:
            return None
        stop = self._edges[at + 1] if at + 2 < len(self._edges) else self.roof
        return Cell(self._edges[at] if at else self.floor, stop, finer[-1])

    def refine(self, cell: Cell, rungs: Sequence[str]) -> None:
        """Put the rungs that lie in the cell between its ends; nothing where somebody else did so meanwhile."""
        at = self._cell(bisect_right(self._edges, cell.start))
        if self._levels[at] <= cell.level:
            return
        inside = sorted(one for one in rungs if self._edges[at] < one < self._edges[at + 1])
        places = range(APART - 1, len(inside), APART)
        low, each = self._heights[at], 2**cell.level * _OF_ONE_LEVEL
        # Counted better now: what lies above moves up or down with it.
        moved = low + (len(inside) + 1) * each - self._heights[at + 1]
        above = [height + moved for height in self._heights[at + 1 :]]
        self._heights[at + 1 :] = [*(low + (place + 1) * each for place in places), *above]
        self._edges[at + 1 : at + 1] = [inside[place] for place in places]
        self._levels[at : at + 1] = [cell.level] * (len(places) + 1)

    def _cell(self, beyond: int) -> int:
        """The number of the cell before the edge ``beyond``."""
        return min(max(beyond - 1, 0), len(self._edges) - 2)

    def _span(self, cell: int) -> tuple[str, float, float]:
        """What the ids of a cell begin with, and its ends as fractions behind that."""
        low, high = self._edges[cell], self._edges[cell + 1]
        same = _same(low, high)
        return same, self._fraction(low, len(same)), self._fraction(high, len(same))

    def _share(self, cell: int, reference: str) -> float:
        begin, low, high = self._span(cell)
        if not reference.startswith(begin) or high <= low:
            return 0.0
        return min(max((self._fraction(reference, len(begin)) - low) / (high - low), 0.0), 1.0)

    def _between(self, cell: int, share: float) -> str:
        begin, low, high = self._span(cell)
        made = self._made(begin, low + share * (high - low))
        return min(max(made, self._edges[cell]), self._edges[cell + 1])

    def _fraction(self, text: str, start: int) -> float:
        """The text from ``start`` on as digits behind a point: its letters numbered among those seen at their place."""
        found, worth = 0.0, 1.0
        for place in range(start, min(len(text), start + _DIGITS)):
            letters = self._alphabet(place)
            worth /= len(letters)
            found += min(bisect_left(letters, text[place]), len(letters) - 1) * worth
        return found

    def _made(self, begin: str, fraction: float) -> str:
        found = begin
        for place in range(len(begin), len(begin) + _DIGITS):
            letters = self._alphabet(place)
            number = min(int(fraction * len(letters)), len(letters) - 1)
            fraction = fraction * len(letters) - number
            found += letters[number]
        return found

    def _alphabet(self, place: int) -> str:
        return self._letters[min(place, len(self._letters) - 1)]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a ladder that finer rungs may be put into: those of ``level`` from ``start`` up to ``stop``."""

    start: str
    stop: str
    level: int


def _letters_by_place(rungs: Sequence[str]) -> list[str]:
    """The letters that stand at each place, in order: the hyphens of a UUID are not met elsewhere in it."""
    found: list[set[str]] = [set() for _ in range(max(map(len, rungs)))]
    for one in rungs:
        for place, letter in enumerate(one):
            found[place].add(letter)
    return ["".join(sorted(letters)) for letters in found]


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
    reached: str | None = None

    def __iter__(self) -> Iterator[Stretch]:
        ladder = self.ladder
        start, end = (ladder.roof, ladder.floor) if self.falling else (ladder.floor, ladder.roof)
        edge = self.after or start
        while edge != end and self.found < self.wanted:
            far, length = self._far(edge, end)
            yield Stretch(*((far, edge) if self.falling else (edge, far)), length)
            self.looked += length
            self.reached = edge = far

    @property
    def length(self) -> float:
        """Of the next stretch."""
        return max(SHORTEST, (self.wanted - self.found) * MARGIN / self.share)

    def coarse(self) -> Cell | None:
        """A cell that should be finer before the next stretch is chosen."""
        height = self._height(self.reached or self.after)
        far = height - self.length if self.falling else height + self.length
        ends = (self.ladder.coarse(place, self.length) for place in (height, far))
        return next((cell for cell in ends if cell), None)

    def _height(self, edge: str | None) -> float:
        return self.ladder.height(edge) if edge else self.ladder.size * self.falling

    def _far(self, edge: str, end: str) -> tuple[str, float]:
        """Where the next stretch ends, and how long it is: longer than wanted where ids lie too near to each other."""
        ladder, length, begin = self.ladder, self.length, self._height(edge)
        while True:
            height = begin - length if self.falling else begin + length
            far = ladder.at(height) if 0 < height < ladder.size else end
            if (far < edge) if self.falling else (far > edge):
                return far, length
            length *= 2

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
