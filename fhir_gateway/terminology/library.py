"""The library: code systems, value sets and concept maps by their canonical address, as they are stored now.

https://hl7.org/fhir/R4/references.html#canonical

What was read once is kept, and each use asks the store whether it still is the newest: two counts over an index, no
content. Terminology is no patient's record, so whoever may use it at all sees all of it.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.definitions import codesystems, lists, profiles, valuesets
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.search.criteria import Moment, Updated
from fhir_gateway.search.query import Query, parse
from fhir_gateway.store.port import Records
from fhir_gateway.terminology import system as systems
from fhir_gateway.terminology.system import Concept, System

KEPT = 300
KEPT_BYTES = 64 * 2**20
STORES = 4
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
    size: int = 0


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
        first = next(iter(fitting), None) or _builtin(type_, url, wanted)
        return next((e for e in fitting if e.resource.get("status") == "active"), first)

    async def system(self, url: str, version: str | None = None) -> System | None:
        """The code system ready for use; None when nothing is known of it."""
        edition = await self.find("CodeSystem", url, version)
        if edition is None:
            return builtin_system(url.partition("|")[0]) if not version else None
        key = ("CodeSystem", edition.stamp[0])
        kept: tuple[Stamp, System] | None = self.remembered(key)
        if kept is None or kept[0] != edition.stamp:
            kept = (edition.stamp, systems.read(edition.resource))
            self.keep(key, kept)
        return kept[1]

    async def maps(self, source: str | None, target: str | None, systems: Sequence[str | None]) -> list[Resource]:
        """The concept maps from and to a value set, else those that have a group of one of the systems."""
        wanted = [("target", target)] if target else []
        named = ",".join(_escaped(system) for system in systems if system)
        if source:
            asked = [[("source", source), *wanted]]
        else:
            asked = [[(name, named), *wanted] for name in ("source-system", "target-system") if named]
        found: dict[str, Resource] = {}
        for pairs in asked:
            for query in _spellings(pairs):
                found |= {one.reference: decode_resource(one.body) for one in await self._store.find(query)}
        return [one for one in found.values() if one.get("status") != "retired"]

    def keep(self, key: Hashable, value: Any) -> None:
        """Remember what was made under the key; what has not been asked for the longest is forgotten."""
        self._made[key] = value
        self._made.move_to_end(key)
        while len(self._made) > KEPT:
            self._made.popitem(last=False)

    def remembered(self, key: Hashable) -> Any:
        """What was kept under the key, None when nothing is."""
        return self._made.get(key)

    async def _shelf(self, type_: str, url: str) -> _Shelf:
        query = parse(type_, [("url", _escaped(url))])
        known = self._shelves.get((type_, url))
        if known is None or not await self._is_current(known, query):
            known = await self._read(query)
            self._shelves[type_, url] = known
            while len(self._shelves) > KEPT or sum(one.size for one in self._shelves.values()) > KEPT_BYTES:
                self._shelves.popitem(last=False)
        return known

    async def _is_current(self, shelf: _Shelf, query: Query) -> bool:
        if shelf.latest is None:
            return not await self._store.count(query)
        # Both times, because a writer's clock may be behind that of the one before it.
        since, later = shelf.latest, shelf.latest + timedelta(milliseconds=1)
        asked = (self._store.count(query), self._written(query, since), self._written(query, later))
        return tuple(await asyncio.gather(*asked)) == (shelf.count, shelf.at_latest, 0)

    async def _written(self, query: Query, since: datetime) -> int:
        moment = Updated((Moment(start=since),))
        return await self._store.count(replace(query, criteria=(*query.criteria, moment)))

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
        return _Shelf(editions, count, latest, same, sum(len(one.body) for one in found))


def _escaped(url: str) -> str:
    return _SEPARATOR.sub(r"\\\1", url)


def _spellings(pairs: list[tuple[str, str]]) -> list[Query]:
    """A map names its value sets as canonical or as uri, and each has parameters of its own."""
    bare = [(name, _escaped(value) if name in _TWOFOLD else value) for name, value in pairs]
    uris = [(f"{name}-uri" if name in _TWOFOLD else name, value) for name, value in bare]
    both = [bare] if uris == bare else [bare, uris]
    return [replace(parse("ConceptMap", one), size=EDITIONS_LIMIT) for one in both]


_TWOFOLD = frozenset({"source", "target"})


def of(store: Records) -> Library:
    """The one library of a store."""
    library = _LIBRARIES.get(id(store))
    if library is None:
        library = _LIBRARIES[id(store)] = Library(store)
        while len(_LIBRARIES) > STORES:
            _LIBRARIES.popitem(last=False)
    return library


# A library holds its store, so that no other can get the same id meanwhile.
_LIBRARIES: OrderedDict[int, Library] = OrderedDict()


def _builtin(type_: str, url: str, version: str) -> Edition | None:
    """R4's own profiles and extensions."""
    if type_ != "StructureDefinition" or version not in ("", "4.0.1") or url not in profiles():
        return None
    facts = {"resourceType": "StructureDefinition", "url": url, "version": "4.0.1", "derivation": "constraint"}
    return Edition({**facts, **profiles()[url]})


@lru_cache(maxsize=256)
def builtin_system(url: str) -> System | None:
    """FHIR's own code systems whole; of others what its required value sets say of them."""
    codes = dict.fromkeys(codesystems().get(url, ()))
    codes = codes or {code: None for listed in valuesets().values() for code in listed.get(url, ())}
    if not codes:
        return None
    concepts = {code: Concept(code, code) for code in codes}
    return System(url, concepts, "4.0.1", url, complete=url in codesystems())


def builtin_value_set(url: str) -> Resource | None:
    """One of FHIR's own value sets, where it can be listed."""
    listed = valuesets().get(url) or lists().get(url)
    if listed is None:
        return None
    include = [
        {"system": system, "concept": [{"code": code, "display": code} for code in codes]}
        for system, codes in listed.items()
    ]
    facts = {"resourceType": "ValueSet", "url": url, "version": "4.0.1", "status": "active"}
    return {**facts, "compose": {"include": include}}
