"""A search request, parsed: what is asked, in which order, how much of it. What is not understood is said so.

https://hl7.org/fhir/R4/search.html
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fhir_gateway.fhir.definitions import resource_types
from fhir_gateway.problem import BadRequest, NotSupported
from fhir_gateway.search import controls, filtering
from fhir_gateway.search.asking import question
from fhir_gateway.search.controls import Include, Inside, Sort
from fhir_gateway.search.names import Unknown
from fhir_gateway.search.pending import PENDING, Either, Listed, Neither, Question, Reverse, Words

VALUE_LIMIT = 2000
"""Characters of one value between commas."""

Pair = tuple[str, str]

_OF_RECORDS = (Words, Either, Neither, Listed, Reverse)
"""Questions that are settled into ids of records; what is contained may have the same id as one of them."""
_TEXT = re.compile(r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]*$")


@dataclass(frozen=True, slots=True)
class Query:
    """What to find. ``used`` is what was understood; a query with ``pending`` questions has to be settled first.

    ``after`` holds a record's values in ``order``: the page begins behind it, or with ``backwards`` ends before it.
    ``path`` is where the search was addressed to, if that is not the type alone. ``counted`` is the total that an
    earlier page told. ``nearest`` is the order where none was asked for. ``before`` tells what was asked to settle it.
    """

    type: str
    criteria: tuple[Question, ...] = ()
    sorts: tuple[Sort, ...] = ()
    size: int = 20
    total: str = "accurate"
    includes: tuple[Include, ...] = ()
    revincludes: tuple[Include, ...] = ()
    after: tuple[str | float, ...] = ()
    used: tuple[tuple[str, str], ...] = ()
    backwards: bool = False
    explain: bool = False
    path: str | None = None
    counted: int | None = None
    nearest: tuple[Sort, ...] = ()
    inside: Inside | None = None
    before: tuple[str, ...] = ()

    @property
    def pending(self) -> bool:
        return any(isinstance(one, PENDING) for one in self.criteria)

    @property
    def order(self) -> tuple[Sort, ...]:
        """The sorts and, to tell equal records apart, the id, in the direction of the last of them."""
        sorts = self.sorts or self.nearest
        if any(sort.field == "id" for sort in sorts):
            return sorts
        return (*sorts, Sort("id", descending=bool(sorts) and sorts[-1].descending))

    @property
    def count_only(self) -> bool:
        return self.size == 0


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of a page: where none is asked for, and at the most."""

    usual: int = 20
    most: int = 1000


SIZES = Sizes()


def parse(
    type_: str, pairs: Sequence[Pair], *, lenient: bool = False, deep: bool = False, sizes: Sizes = SIZES
) -> Query:
    """The query of decoded name and value pairs. Raises BadRequest; with ``lenient`` leaves out unknown parameters.

    Who asks ``deep`` can look for contained resources too.
    """
    if type_ not in resource_types():
        raise BadRequest(f"'{type_}' is not a resource type of R4")
    query = _query(type_, *_understood(type_, pairs, lenient), sizes)
    if query.inside is not None and not deep:
        raise NotSupported("contained resources are looked for in a search of one type alone", "_contained")
    return query


def _query(type_: str, used: Sequence[Pair], questions: Sequence[Question], sizes: Sizes) -> Query:
    asked = {name: [value for code, value in used if code == name] for name in controls.CONTROLS}
    near = controls.nearest(questions)
    size = controls.size(asked["_count"], min(sizes.usual, sizes.most), sizes.most)
    return Query(
        type_,
        tuple(questions),
        controls.sorts(asked["_sort"], type_, near),
        0 if controls.counts_only(asked["_summary"]) else size,
        controls.total(asked["_total"]),
        _includes("_include", used, type_),
        _includes("_revinclude", used, type_),
        used=tuple(pair for pair in used if pair[0] != "_cursor"),
        explain=controls.switch("_explain", asked["_explain"]),
        nearest=near,
        inside=_inside(asked, questions),
    )


def _inside(asked: Mapping[str, Sequence[str]], questions: Sequence[Question]) -> Inside | None:
    wanted = controls.contained(asked)
    if wanted and any(isinstance(one, _OF_RECORDS) for one in questions):
        text = "contained resources are searched neither by words, lists and '_has' nor by '_filter'"
        raise NotSupported(text, "_contained")
    return wanted


def _includes(name: str, used: Sequence[Pair], type_: str) -> tuple[Include, ...]:
    once = [value for code, value in used if code == name]
    again = [value for code, value in used if code in (f"{name}:iterate", f"{name}:recurse")]
    return (*controls.includes(name, once, type_), *controls.includes(name, again, type_, iterate=True))


def selects(name: str) -> bool:
    """Whether the name asks something of the records, rather than shaping the answer."""
    return name not in controls.CONTROLS and name not in controls.ELSEWHERE and name not in controls.ITERATED


def _understood(type_: str, pairs: Sequence[Pair], lenient: bool) -> tuple[list[Pair], list[Question]]:
    """What was understood, and what it asks. Lenient is to what is unknown, never to a value that makes no sense."""
    used: list[Pair] = []
    questions: list[Question] = []
    for name, value in (controls.OTHER_WORDS.get(pair, pair) for pair in pairs):
        if lenient and name == "_sort" and not (value := controls.known_sorts(value, type_)):
            continue
        try:
            if name == "_filter":
                questions += filtering.questions(type_, _checked(name, value))
            elif selects(name):
                questions.append(question(type_, name, _checked(name, value)))
        except Unknown:
            if not lenient:
                raise
            continue
        except BadRequest as problem:
            if problem.issues[0].where is not None:
                raise
            raise type(problem)(problem.text, name[:60]) from problem
        _checked(name, value)
        used.append((name, value))
    return used, questions


def _checked(name: str, value: str) -> str:
    if not value:
        raise BadRequest(f"'{name}' has no value", name[:60])
    if not _TEXT.match(value) or max(map(len, value.split(","))) > VALUE_LIMIT:
        raise BadRequest(f"'{name}' has a value that is too long or holds characters that are no text", name[:60])
    return value
