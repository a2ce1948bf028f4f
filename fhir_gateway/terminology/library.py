"""The library: code systems, value sets and concept maps by their canonical address, as they are stored now.

https://hl7.org/fhir/R4/references.html#canonical

What was read once is kept, and each use asks the store whether it still is the newest: two counts over an index, no
content. Terminology is no patient's record, so whoever may use it at all sees all of it.
"""

import re
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.definitions import valuesets
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.search.criteria import Moment, Updated
from fhir_gateway.search.query import Query, parse
from fhir_gateway.store.port import Records
from fhir_gateway.terminology import system as systems
from fhir_gateway.terminology.system import Concept, System

KEPT = 500
EDITIONS_LIMIT = 50

_SEPARATOR = re.compile(r"([,|$\\])")

Stamp = tuple[str, int]
"""Reference and version number: what tells one content from another."""


@dataclass(frozen=True, slots=True)
class Edition:
    """One stored definition; ``stamp`` is empty for those that come with FHIR itself."""

    resource: Resource
    stamp: Stamp = ("", 0)

    @property
    def version(self) -> str:
        return str(self.resource.get("version", ""))


@dataclass(frozen=True, slots=True)
class _Shelf:
    """What is stored under one address, and what tells that it has not changed."""

    editions: tuple[Edition, ...]
    count: int
    latest: datetime | None
    at_latest: int


class Library:
    """Everything by canonical address. One for each process; safe to share."""

    def __init__(self, store: Records) -> None:
        self._store = store
        self._shelves: OrderedDict[tuple[str, str], _Shelf] = OrderedDict()
        self._made: OrderedDict[Hashable, Any] = OrderedDict()

    async def find(self, type_: str, canonical: str, version: str | None = None) -> Edition | None:
        """The edition of that version; without one an active edition before others, the newest before older."""
        url, _, said = canonical.partition("|")
        if not url:
            return None
        wanted = version or said
        shelf = await self._shelf(type_, url)
        fitting = [edition for edition in shelf.editions if not wanted or edition.version == wanted]
        return next((e for e in fitting if e.resource.get("status") == "active"), next(iter(fitting), None))

    async def system(self, url: str, version: str | None = None) -> System | None:
        """The code system ready for use; None when nothing is known of it."""
        edition = await self.find("CodeSystem", url, version)
        if edition is None:
            return builtin_system(url.partition("|")[0]) if not version else None
        made: System = self.kept(("CodeSystem", edition.stamp), lambda: systems.read(edition.resource))
        return made

    async def maps(self, source: str | None, target: str | None, systems: Sequence[str | None]) -> list[Resource]:
        """The concept maps from and to a value set, else those that have a group of one of the systems."""
        pairs = [("source", source), ("target", target)]
        asked = [(name, _SEPARATOR.sub(r"\\\1", value)) for name, value in pairs if value]
        if not source:
            named = [_SEPARATOR.sub(r"\\\1", system) for system in systems if system]
            groups = [replace(parse("ConceptMap", [*asked, (name, ",".join(named))]), size=EDITIONS_LIMIT)
                      for name in ("source-system", "target-system") if named]  # fmt: skip
        else:
            groups = [replace(parse("ConceptMap", asked), size=EDITIONS_LIMIT)]
        found = {one.reference: one for query in groups for one in await self._store.find(query)}
        read = [decode_resource(one.body) for one in found.values()]
        return [one for one in read if one.get("status") != "retired"]

    def kept(self, key: Hashable, make: Any) -> Any:
        """What ``make`` made for the key the first time."""
        if key not in self._made:
            self.keep(key, make())
        self._made.move_to_end(key)
        return self._made[key]

    def keep(self, key: Hashable, value: Any) -> None:
        self._made[key] = value
        while len(self._made) > KEPT:
            self._made.popitem(last=False)

    def remembered(self, key: Hashable) -> Any:
        """What was kept under the key, None when nothing is."""
        return self._made.get(key)

    async def _shelf(self, type_: str, url: str) -> _Shelf:
        query = parse(type_, [("url", _SEPARATOR.sub(r"\\\1", url))])
        known = self._shelves.get((type_, url))
        if known is None or not await self._is_current(known, query):
            known = await self._read(query)
            self._shelves[type_, url] = known
            while len(self._shelves) > KEPT:
                self._shelves.popitem(last=False)
        return known

    async def _is_current(self, shelf: _Shelf, query: Query) -> bool:
        if await self._store.count(query) != shelf.count:
            return False
        return shelf.latest is None or await self._at(query, shelf.latest) == shelf.at_latest

    async def _at(self, query: Query, latest: datetime) -> int:
        later = Updated((Moment(start=latest),))
        return await self._store.count(replace(query, criteria=(*query.criteria, later)))

    async def _read(self, query: Query) -> _Shelf:
        """Counted before it is read: what is written meanwhile makes the next look different."""
        count = await self._store.count(query)
        if not count:
            return _Shelf((), 0, None, 0)
        found = await self._store.find(replace(query, size=EDITIONS_LIMIT))
        found.sort(key=lambda version: version.updated, reverse=True)
        editions = tuple(Edition(decode_resource(one.body), (one.reference, one.number)) for one in found)
        latest = found[0].updated if found else None
        same = sum(one.updated == latest for one in found)
        return _Shelf(editions, count, latest, same)


@lru_cache(maxsize=8)
def of(store: Records) -> Library:
    """The one library of a store."""
    return Library(store)


@lru_cache(maxsize=256)
def builtin_system(url: str) -> System | None:
    """What FHIR's own required value sets say of a system: all of FHIR's code systems, parts of others."""
    codes = {code: None for listed in valuesets().values() for code in listed.get(url, ())}
    if not codes:
        return None
    concepts = {code: Concept(code, code) for code in codes}
    return System(url, concepts, "4.0.1", url, complete=url.startswith("http://hl7.org/fhir/"))


def builtin_value_set(url: str) -> Resource | None:
    """One of FHIR's own value sets that a required binding names."""
    listed = valuesets().get(url)
    if listed is None:
        return None
    include = [
        {"system": system, "concept": [{"code": code, "display": code} for code in codes]}
        for system, codes in listed.items()
    ]
    facts = {"resourceType": "ValueSet", "url": url, "version": "4.0.1", "status": "active"}
    return {**facts, "compose": {"include": include}}
