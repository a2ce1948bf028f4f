"""What a search asks of a record's search keys, in terms that no database knows.

https://hl7.org/fhir/R4/search.html

A record carries ``keys`` (strings ``parameter:value...``, indexed), ``spans`` (per parameter: the ranges of its
dates, numbers and quantities), ``tuples`` (per composite: what one element holds) and ``places``, which are not
indexed. A choice is an interval of keys, which an index answers, and, where the interval alone promises too much, an
exact check.
"""

import re
from dataclasses import dataclass
from datetime import datetime

END = "\U0010ffff"
"""Sorts behind every character a key can hold."""

UNIT = "\x1f"
"""Separates the parts of a key; no FHIR string may contain it."""


@dataclass(frozen=True, slots=True)
class Limit:
    """``edge`` (``lo`` or ``hi``) of a span compared by ``operator`` (a MongoDB word without the dollar)."""

    edge: str
    operator: str
    value: float


@dataclass(frozen=True, slots=True)
class Span:
    """One span of parameter ``key`` meets all limits of one of ``ways``, and has the named unit."""

    key: str
    ways: tuple[tuple[Limit, ...], ...]
    unit: str | None = None
    system: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """Keys from ``start`` up to but without ``stop``; exactly ``start`` (or ``also``) where ``stop`` is None.

    ``ending`` is what such a key ends with; ``pattern`` and ``span`` say what else there is to check.
    """

    start: str
    stop: str | None = None
    pattern: str | None = None
    span: Span | None = None
    also: str | None = None
    ending: str = ""

    @property
    def exact(self) -> bool:
        """Whether equality of one key says all."""
        return self.stop is None and self.pattern is None and self.span is None

    def behind(self, start: str) -> "Choice":
        """The same of keys that lie behind ``start``; spans bear the names that they had."""
        stop, also = (key and start + key for key in (self.stop, self.also))
        # Each pattern says with what the key begins.
        pattern = self.pattern and f"^{re.escape(start)}{self.pattern.removeprefix('^')}"
        return Choice(start + self.start, stop, pattern, self.span, also, self.ending)


@dataclass(frozen=True, slots=True)
class Condition:
    """One parameter as asked: any of its choices will do, or with ``absent`` none may hold.

    ``rank`` says how few records it leaves: 0 one, 9 nearly all.
    """

    choices: tuple[Choice, ...]
    rank: int = 5
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Ids:
    """The record is one of ``references`` (``Type/id``)."""

    references: tuple[str, ...]
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """One interval of ``_lastUpdated``: ``start`` (included) to ``stop`` (excluded); or ``outside`` of it."""

    start: datetime | None = None
    stop: datetime | None = None
    outside: bool = False


@dataclass(frozen=True, slots=True)
class Updated:
    """The version was written in any of ``moments``."""

    moments: tuple[Moment, ...]


@dataclass(frozen=True, slots=True)
class Compartment:
    """The record belongs to the compartment of one of the patients (ids)."""

    patients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Together:
    """All ``parts`` hold in one element among the record's ``tuples`` of ``key``; without key, in the record itself."""

    key: str
    parts: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Composite:
    """Any of ``choices`` will do. ``narrow`` are conditions that every match also meets, and an index answers."""

    choices: tuple[Together, ...]
    narrow: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Circle:
    """Around a point of the unit sphere; ``chord`` is the square of the longest straight line to it.

    ``unit`` is the UCUM code that distances are told in.
    """

    key: str
    start: str
    stop: str
    center: tuple[float, float, float]
    chord: float
    unit: str


@dataclass(frozen=True, slots=True)
class Near:
    """The record's place is in one of ``circles``."""

    circles: tuple[Circle, ...]


Criterion = Condition | Composite | Near | Ids | Updated | Compartment


def whole(key: str) -> tuple[str, str]:
    """The interval of all keys of one parameter."""
    return f"{key}:", f"{key}:{END}"


def prefixed(key: str, start: str) -> tuple[str, str]:
    """The interval of the parameter's keys that begin with ``start``."""
    return f"{key}:{start}", f"{key}:{start}{END}"
