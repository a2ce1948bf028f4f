"""What only other records, or a search before the search, can tell: chains, lists, value sets, hierarchies, words.

https://hl7.org/fhir/R4/search.html#chaining

A search that asks these is settled before it runs: each becomes a bounded set of ids or keys, which an index answers.
"""

from __future__ import annotations

from dataclasses import dataclass

from fhir_gateway.search.criteria import Criterion


@dataclass(frozen=True, slots=True)
class Chain:
    """What the reference ``key`` points at is of one of the types of ``ways`` and meets its question.

    ``named``: the request itself chose the type.
    """

    key: str
    ways: tuple[tuple[str, Question], ...]
    named: bool = False


@dataclass(frozen=True, slots=True)
class Reverse:
    """Some record of ``source`` that meets ``question`` refers by ``key`` to this record, which is a ``type``."""

    type: str
    source: str
    key: str
    question: Question


@dataclass(frozen=True, slots=True)
class Listed:
    """The record is an entry of one of the Lists (ids)."""

    type: str
    lists: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Coded:
    """The token ``key`` or ``also`` has a code in ``relation`` (in, below, above) to one of ``wanted``."""

    key: str
    relation: str
    wanted: tuple[str, ...]
    absent: bool = False
    part: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    """The reference ``key`` points at something ``relation`` (below, above) one of ``wanted`` (``Type/id``).

    ``steps`` names, per type, the reference from a part to its whole; what is wanted is itself included.
    """

    key: str
    relation: str
    wanted: tuple[str, ...]
    steps: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Words:
    """All words of one of ``phrases`` are in the narrative, or with ``everywhere`` anywhere in the record."""

    phrases: tuple[str, ...]
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class Either:
    """The record meets all questions of one of ``ways``."""

    ways: tuple[tuple[Question, ...], ...]


@dataclass(frozen=True, slots=True)
class Neither:
    """The record does not meet all of ``questions``."""

    questions: tuple[Question, ...]


Pending = Chain | Reverse | Listed | Coded | Placed | Words | Either | Neither
Question = Criterion | Pending

PENDING = (Chain, Reverse, Listed, Coded, Placed, Words, Either, Neither)
