"""Settling what only other records can tell: a chain, a list or a value set becomes the ids or keys it stands for.

https://hl7.org/fhir/R4/search.html#chaining

The innermost question first, each one a search of its own with the caller's own rights: what the caller may not see
leads nowhere. A set that grows too large is refused, unless the rest of the search leaves few enough to ask them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.problem import NotSupported, TooCostly
from fhir_gateway.records.desk import Author, Desk
from fhir_gateway.records.indexed import has_words
from fhir_gateway.records.inside import holds
from fhir_gateway.records.journal import Visit
from fhir_gateway.search import containing, vocabulary
from fhir_gateway.search.criteria import UNIT, Choice, Composite, Condition, Criterion, Ids
from fhir_gateway.search.include import ADDRESS, has_address, named
from fhir_gateway.search.kinds import token
from fhir_gateway.search.pending import (
    PENDING,
    Chain,
    Coded,
    Either,
    Listed,
    Neither,
    Placed,
    Question,
    Reverse,
    Words,
)
from fhir_gateway.search.query import Query
from fhir_gateway.search.words import says
from fhir_gateway.security.access import may, readers
from fhir_gateway.security.sight import Reader
from fhir_gateway.store.ranking import rank

INTERACTION = "search-type"
ROWS = 10
"""Times as many records may refer as may be referred to."""
FEW_KEYS = 10
"""So few single keys are asked for together with the links; more would be questions of their own."""
FEW = 100
"""So few records are asked for by name who refers to them, before all that may refer are looked at."""


async def settle(desk: Desk, visit: Visit, query: Query) -> Query:
    """The query with no question pending. Raises Forbidden for a type the caller may not search, and TooCostly."""
    if not query.pending:
        return query
    inside = query.inside is not None
    settler = _Settler(desk, visit, deep=inside, wanted_inside=inside)
    criteria = await settler.all(query.type, query.criteria)
    return replace(query, criteria=criteria, before=tuple(settler.before))


def links(key: str, references: Iterable[str]) -> tuple[Choice, ...]:
    """The search keys of references to these records (``Type/id``)."""
    split = (reference.split("/", 1) for reference in references)
    return tuple(Choice(f"{key}:{id_}{UNIT}{type_}") for type_, id_ in split)


class _TooMany(TooCostly):
    """The set that a question stands for is too large to be asked for."""


@dataclass(frozen=True, slots=True)
class _Settler:
    """``before`` collects what was asked. ``deep``: the records asked about may lie inside others themselves.

    ``wanted_inside``: what is looked for may be contained, and has no id that tells it from other records.
    """

    desk: Desk
    visit: Visit
    before: list[str] = field(default_factory=list)
    deep: bool = False
    wanted_inside: bool = False

    async def all(self, type_: str, questions: Sequence[Question]) -> tuple[Criterion, ...]:
        """The easy ones first: they may be few enough to help with the others."""
        settled = [one for one in questions if not isinstance(one, PENDING)]
        for one in sorted((one for one in questions if isinstance(one, PENDING)), key=_difficulty):
            settled.append(await self.one(type_, one, settled))
        return tuple(settled)

    async def one(self, type_: str, question: Question, others: Sequence[Criterion]) -> Criterion:
        settle = _SETTLE.get(type(question))
        return await settle(self, type_, question, others) if settle else cast(Criterion, question)

    async def chain(self, type_: str, chain: Chain, others: Sequence[Criterion]) -> Criterion:
        found: list[str] = []
        addresses: list[str] = []
        inside: list[tuple[str, Criterion]] = []
        allowed = readers(self.visit.caller, INTERACTION, (target for target, _ in chain.ways))
        ways = [(target, asked) for target, asked in chain.ways if chain.named or target in allowed]
        if not ways:
            self._reader(chain.ways[0][0])
        for target, asked in ways:
            inner = await replace(self, deep=True, wanted_inside=False).one(target, asked, ())
            inside.append((target, inner))
            try:
                found += await self._references(target, [inner])
            except _TooMany:
                found += await self._among(type_, chain.key, others, (target, inner))
            if has_address(target):
                addresses += _addresses(await self._targets(target, ADDRESS, [inner]))
        linked = (*links(chain.key, self._few(found)), *named(chain.key, self._few(addresses)).choices)
        conditions = [(target, inner) for target, inner in inside if isinstance(inner, (Condition, Composite))]
        return await self._contained(type_, chain.key, conditions, Condition(linked, 2), others)

    async def _contained(
        self,
        type_: str,
        key: str,
        ways: Sequence[tuple[str, Condition | Composite]],
        linked: Condition,
        others: Sequence[Criterion],
    ) -> Criterion:
        """What is linked, or contained and meets the same; ``key`` is that of the reference."""
        plain = [(to, one) for to, one in ways if isinstance(one, Condition) and not one.absent]
        found = [one for to, inner in plain for one in containing.within(inner, containing.prefix(key, to))]
        rest = [one for one in ways if one not in plain]
        if rest and self.wanted_inside:
            text = "contained resources are not searched by a chain that ends in a negation or in a composite parameter"
            raise NotSupported(text, "_contained")
        whole = replace(linked, choices=(*linked.choices, *found))
        few = len(found) <= FEW_KEYS and all(one.exact for one in found)
        # Further down a chain it is the record at its beginning that contains all of them.
        if not rest and (self.deep or few):
            return whole
        marks = Condition(tuple(containing.held(key, to) for to, _ in ways), 3)
        if not await self.desk.store.references(Query(type_, (marks,), size=1), self._reader(type_)):
            return linked
        if not rest:
            return whole
        met = await self._references(type_, [*others, whole])
        for one in rest:
            met += await self._holding(type_, key, one, others)
        return Ids(tuple(self._few(list(dict.fromkeys(met)))))

    async def _holding(
        self, type_: str, key: str, asked: tuple[str, Condition | Composite], others: Sequence[Criterion]
    ) -> list[str]:
        """The records that contain what does not meet a condition, or what has several values in one element."""
        to, inner = asked
        start = containing.prefix(key, to)
        if isinstance(inner, Condition):
            none = replace(inner, choices=tuple(containing.within(inner, start)))
            return await self._references(type_, [*others, Condition((containing.held(key, to),), 3), none])
        narrow = [replace(one, choices=tuple(containing.within(one, start))) for one in inner.narrow]
        query = Query(type_, (*others, *narrow), size=self.desk.chain_limit + 1)
        found = self._few(await self.desk.store.find(query, self._reader(type_)), f"{type_} records")
        return [version.reference for version in found if holds(version, key, to, inner)]

    async def _among(
        self, type_: str, key: str, others: Sequence[Criterion], asked: tuple[str, Criterion]
    ) -> list[str]:
        """Of too many targets those that the few records of the rest of the search refer to."""
        rows = await self._targets(type_, key, others)
        target, inner = asked
        referred = [one for one in dict.fromkeys(_references(rows)) if one.startswith(f"{target}/")]
        return await self._references(target, [Ids(tuple(self._few(referred))), inner])

    async def reverse(self, type_: str, reverse: Reverse, others: Sequence[Criterion]) -> Criterion:
        inner = await self.one(reverse.source, reverse.question, ())
        few = await self._some(type_, inner, others)
        try:
            rows = await self._targets(reverse.source, reverse.key, [inner, *_pointing(reverse.key, few)])
        except _TooMany:
            few = await self._references(type_, others)
            rows = await self._targets(reverse.source, reverse.key, [inner, *_pointing(reverse.key, few)])
        wanted = [one for one in dict.fromkeys(_references(rows)) if one.startswith(f"{type_}/")]
        if has_address(type_):
            addresses = self._few(list(dict.fromkeys(_addresses(rows))))
            wanted += await self._references(type_, [named(ADDRESS, addresses)])
        return Ids(tuple(self._few(wanted)))

    async def _some(self, type_: str, inner: Criterion, others: Sequence[Criterion]) -> list[str] | None:
        """What the rest of the search leaves, where it selects better and leaves few; what has addresses is named by
        more than its id."""
        if not others or has_address(type_) or min(map(rank, others)) >= rank(inner):
            return None
        query = Query(type_, tuple(others), size=FEW + 1)
        found = await self.desk.store.references(query, self._reader(type_))
        return found if len(found) <= FEW else None

    async def listed(self, type_: str, listed: Listed, others: Sequence[Criterion]) -> Criterion:
        if any(name.startswith("$") for name in listed.lists):
            raise NotSupported("'_list' takes the ids of stored Lists; there are no functional lists", "_list")
        reader = self._reader("List")
        found = await self.desk.store.currents([f"List/{name}" for name in listed.lists])
        seen = [one for one in found.values() if not one.deleted and Author(reader).sees(one)]
        entries = (entry for one in seen for entry in decode_resource(one.body).get("entry", ()))
        items = (entry["item"].get("reference", "") for entry in entries if not entry.get("deleted"))
        wanted = dict.fromkeys("/".join(item.split("/")[:2]) for item in items if item.startswith(f"{type_}/"))
        return Ids(tuple(self._few(list(wanted))))

    async def coded(self, type_: str, coded: Coded, others: Sequence[Criterion]) -> Criterion:
        terms = self.desk.terminology
        if terms is None:
            raise NotSupported(f"':{coded.relation}' needs terminology, which this gateway does not serve", coded.key)
        codes = [code for wanted in coded.wanted for code in await terms.codes(coded.relation, wanted)]
        keys, few = (coded.key, *coded.also), self._few(codes, "codes")
        choices = tuple(token.coded(key, system, code) for key in keys for system, code in few)
        return Condition(choices, 4, coded.absent)

    async def placed(self, type_: str, placed: Placed, others: Sequence[Criterion]) -> Criterion:
        steps = dict(placed.steps)
        found = dict.fromkeys(placed.wanted)
        waiting = list(found)
        while waiting:
            near = [one for target in steps for one in await self._neighbours(placed, target, steps[target], waiting)]
            waiting = [one for one in dict.fromkeys(near) if one not in found]
            found |= dict.fromkeys(waiting)
            self._few(list(found))
        return Condition(links(placed.key, found), 2)

    async def _neighbours(self, placed: Placed, target: str, key: str, waiting: list[str]) -> list[str]:
        own = [one for one in waiting if one.startswith(f"{target}/")]
        if not own:
            return []
        if placed.relation == "below":
            return await self._references(target, [Condition(links(key, own), 2)])
        return _references(await self._targets(target, key, [Ids(tuple(own))]))

    async def either(self, type_: str, either: Either, others: Sequence[Criterion]) -> Criterion:
        found: list[str] = []
        for way in either.ways:
            found += await self._references(type_, [*others, *await self.all(type_, way)])
        return Ids(tuple(self._few(list(dict.fromkeys(found)))))

    async def neither(self, type_: str, neither: Neither, others: Sequence[Criterion]) -> Criterion:
        met = await self._references(type_, [*others, *await self.all(type_, neither.questions)])
        return Ids(tuple(met), absent=True)

    async def words(self, type_: str, words: Words, others: Sequence[Criterion]) -> Criterion:
        asked = vocabulary.asked(words.phrases) if vocabulary.is_declared(type_) and not words.everywhere else None
        if asked is not None and await has_words(self.desk.store):
            return asked
        limit = self.desk.chain_limit
        query = Query(type_, tuple(others), size=limit + 1)
        found = await self.desk.store.find(query, self._reader(type_))
        if len(found) > limit:
            text = f"words are looked for in at most {limit} records; narrow the search by another parameter"
            raise TooCostly(text, "_content" if words.everywhere else "_text")
        self.before.append(f"{len(found)} {type_} records read for their words")
        return Ids(tuple(one.reference for one in found if says(decode_resource(one.body), words)))

    def _reader(self, type_: str) -> Reader:
        return may(self.visit.caller, INTERACTION, type_).reader

    async def _references(self, type_: str, criteria: Sequence[Criterion]) -> list[str]:
        query = Query(type_, tuple(criteria), size=self.desk.chain_limit + 1)
        found = self._few(await self.desk.store.references(query, self._reader(type_)), f"{type_} records")
        self.before.append(f"{len(found)} {type_} records found")
        return found

    async def _targets(self, type_: str, key: str, criteria: Sequence[Criterion]) -> dict[str, list[str]]:
        limit = self.desk.chain_limit * ROWS
        query = Query(type_, tuple(criteria), size=limit + 1)
        rows = await self.desk.store.targets(query, key, self._reader(type_))
        self._few(list(rows), f"{type_} records", ROWS)
        self.before.append(f"{len(rows)} {type_} records found for their references")
        return rows

    def _few(self, found: list[Any], what: str = "other records", times: int = 1) -> list[Any]:
        limit = self.desk.chain_limit * times
        if len(found) > limit:
            text = f"the search leads through more than {limit} {what}; ask more narrowly, or in two steps"
            raise _TooMany(text)
        return found


def _pointing(key: str, few: Sequence[str] | None) -> list[Criterion]:
    return [] if few is None else [Condition(links(key, few), 2)]


def _addresses(rows: dict[str, list[str]]) -> list[str]:
    """The addresses among the keys of rows, without versions."""
    keys = (key.partition(":")[2] for keys in rows.values() for key in keys)
    return [address for address, _, _ in (key.partition(UNIT) for key in keys) if ":" in address]


_ORDER = (Listed, Coded, Placed, Chain, Reverse, Either, Neither, Words)


def _difficulty(question: Question) -> int:
    return next(at for at, kind in enumerate(_ORDER) if type(question) is kind)


def _references(rows: dict[str, list[str]]) -> list[str]:
    """``Type/id`` of what reference keys point at."""
    split = (key.partition(":")[2].partition(UNIT) for keys in rows.values() for key in keys)
    return [f"{type_}/{id_}" for id_, _, type_ in split if type_]


_Settle = Callable[[_Settler, str, Any, Sequence[Criterion]], Awaitable[Criterion]]

_SETTLE: dict[type, _Settle] = {
    Chain: _Settler.chain,
    Reverse: _Settler.reverse,
    Listed: _Settler.listed,
    Coded: _Settler.coded,
    Placed: _Settler.placed,
    Either: _Settler.either,
    Neither: _Settler.neither,
    Words: _Settler.words,
}
