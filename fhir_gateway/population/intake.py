"""Parcels of resources become commits: checked, linked, compared with what is there, written with their AuditEvent.

https://hl7.org/fhir/R4/http.html#update

Ids are kept, so what is imported twice is found unchanged the second time. A resource without an id gets one made of
its content.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from fhir_gateway.fhir.codec import encode
from fhir_gateway.fhir.reference import parse, rewrite
from fhir_gateway.fhir.resource import Resource, stamp
from fhir_gateway.fhir.subset import must_be_whole
from fhir_gateway.fhir.validation import validate
from fhir_gateway.population.source import Entry, Parcel, Refusal, called
from fhir_gateway.population.source import reference as named
from fhir_gateway.problem import BadRequest, Forbidden, Invalid, Issue, PreconditionFailed, Problem
from fhir_gateway.records.condition import known_matches, matches, normal, pairs
from fhir_gateway.records.desk import Author, Desk
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.revision import keys, must_be_searchable, revised, revision
from fhir_gateway.records.step import Step
from fhir_gateway.records.turns import in_turns
from fhir_gateway.records.unalterable import must_be_alterable
from fhir_gateway.security.access import may
from fhir_gateway.security.sight import Reader
from fhir_gateway.store.port import Change, Claim, Version

IMPORT = "$import"
KNOWN_CONDITIONS = 20_000
URN = ("urn:uuid:", "urn:oid:")


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the entries; they add up to what was read."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0

    @property
    def read(self) -> int:
        return self.created + self.updated + self.unchanged + self.refused

    def plus(self, other: "Counts") -> "Counts":
        return Counts(
            self.created + other.created,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.refused + other.refused,
        )


@dataclass(frozen=True, slots=True)
class Item:
    """An entry that may be stored: the reference it gets, the claim that its condition makes.

    ``met`` says that the condition found the resource already; ``keys`` is what it will be found by, where it is likely
    to be stored.
    """

    entry: Entry
    resource: Resource
    reference: str
    claim: Claim | None = None
    met: bool = False
    keys: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """A parcel ready to be compared with what is stored; ``whole``: all or nothing."""

    items: tuple[Item, ...]
    refusals: tuple[Refusal, ...]
    whole: bool = False

    @property
    def references(self) -> frozenset[str]:
        return frozenset(item.reference for item in self.items)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a load makes of the store, at this moment."""

    changes: tuple[Change, ...]
    claims: tuple[Claim, ...]
    counts: Counts
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class Ground:
    """What is stored of that which conditional entries are about: references, owners of conditions, what meets them."""

    there: frozenset[str] = frozenset()
    owners: Mapping[str, str] = field(default_factory=dict)
    met: Mapping[tuple[str, str], list[str]] = field(default_factory=dict)


@dataclass(slots=True)
class Intake:
    """One import on behalf of one caller.

    ``expects_new``: nothing was met lately that is stored already, so nothing is asked before it is written. The commit
    itself finds out where that is wrong, and whoever asks for the outcome again gets it by asking.
    """

    desk: Desk
    visit: Visit
    expects_new: bool = True
    _authors: dict[str, Author] = field(default_factory=dict)
    _found: "OrderedDict[str, str]" = field(default_factory=OrderedDict)

    async def loaded(self, parcel: Parcel) -> Load:
        """The parcel's entries checked and linked. What is wrong with one is told of it alone, unless it is whole."""
        entries, refusals = await self._checked(parcel)
        ground = await self._ground(entries)
        items: list[Item] = []
        async for entry in in_turns(entries):
            try:
                items.append(await self._item(entry, ground))
            except Problem as problem:
                refusals.append(Refusal(entry.number, problem.issues))
        items, doubles = _once(items)
        linked, lost = await self._linked(items, parcel)
        refusals += [*doubles, *lost]
        if parcel.whole and refusals:
            return Load((), (*refusals, *_with_the_others(linked)))
        return Load(await self._keyed(linked), tuple(refusals), parcel.whole)

    async def _keyed(self, items: Sequence[Item]) -> tuple[Item, ...]:
        """The items with their keys: made here, so that the database need not wait for them."""
        if not self.expects_new:
            return tuple(items)
        keyed = []
        async for item in in_turns(items):
            identity = item.reference.partition("/")[2]
            keyed.append(item if item.met else replace(item, keys=keys(item.resource, identity)))
        return tuple(keyed)

    async def _checked(self, parcel: Parcel) -> tuple[list[Entry], list[Refusal]]:
        entries, refusals = [], list(parcel.refusals)
        async for entry in in_turns(parcel.entries):
            try:
                self._check(entry)
                entries.append(self._admitted(entry))
            except Problem as problem:
                refusals.append(Refusal(entry.number, problem.issues))
        return entries, refusals

    def _check(self, entry: Entry) -> None:
        """Raises Unprocessable, Forbidden."""
        if issues := validate(entry.resource):
            raise Invalid(issues[0].text, issues[0].where, issues)
        must_be_whole(entry.resource)
        must_be_searchable(entry.resource)
        self._author(entry.resource["resourceType"])
        if entry.condition:
            pairs(_condition(entry))

    def _admitted(self, entry: Entry) -> Entry:
        """The entry as rooms that have a say in writing let it pass."""
        type_, _, identity = named(entry).partition("/")
        (step,) = self.desk.admission.admitted([Step("PUT", type_, identity, resource=entry.resource)])
        return entry if step.resource is None else replace(entry, resource=step.resource)

    def _author(self, type_: str) -> Author:
        author = self._authors.get(type_)
        if author is None:
            access = may(self.visit.caller, IMPORT, type_)
            author = Author(access.reader, (access.owner,) if access.owner else ())
            self._authors[type_] = author
        return author

    async def _ground(self, entries: Sequence[Entry]) -> Ground:
        """What conditions need to know, looked up for all of them at once."""
        asked = {entry.number: entry for entry in entries if entry.condition}
        if not asked:
            return Ground()
        store = self.desk.store
        there = await store.currents([named(entry) for entry in asked.values()])
        owners = await store.claimed([self._key(entry) for entry in asked.values()])
        return Ground(frozenset(there), owners, await self._all_met(asked.values()))

    async def _all_met(self, entries: Iterable[Entry]) -> dict[tuple[str, str], list[str]]:
        """What meets each condition, by type and condition, where that can be asked for together."""
        wanted: dict[str, list[str]] = {}
        for entry in entries:
            wanted.setdefault(entry.resource["resourceType"], []).append(_condition(entry))
        found: dict[tuple[str, str], list[str]] = {}
        for type_, conditions in wanted.items():
            met = await known_matches(self.desk.store, type_, conditions, self._author(type_).reader)
            found |= {(type_, condition): references for condition, references in met.items()}
        return found

    def _key(self, entry: Entry) -> str:
        type_ = entry.resource["resourceType"]
        return f"condition|{self._author(type_).named}|{type_}?{normal(_condition(entry))}"

    async def _item(self, entry: Entry, ground: Ground) -> Item:
        type_, reference = entry.resource["resourceType"], named(entry)
        if not entry.condition or reference in ground.there:
            return Item(entry, entry.resource, reference)
        found = ground.met.get((type_, _condition(entry)))
        if found is None:
            found = await matches(self.desk.store, type_, _condition(entry), self._author(type_))
        if len(found) > 1:
            raise PreconditionFailed("the condition matches more than one resource", "ifNoneExist")
        if found:
            return Item(entry, entry.resource, found[0], met=True)
        key = self._key(entry)
        return Item(entry, entry.resource, reference, Claim(key, reference, ground.owners.get(key)))

    async def _linked(self, items: Sequence[Item], parcel: Parcel) -> tuple[list[Item], list[Refusal]]:
        names = {**parcel.names}
        for item in items:
            if item.entry.condition and item.entry.full_url:
                names |= called(item.entry, item.reference)
                self._remember(item.entry.full_url, item.reference)
        opened = [(item, _open(item.resource)) async for item in in_turns(items)]
        await self._foresee(opened, names)
        linked: list[Item] = []
        refusals = []
        async for item, targets in in_turns(opened):
            try:
                resource = await self._pointed(item, targets, names)
                linked.append(item if resource is item.resource else replace(item, resource=resource))
            except Problem as problem:
                refusals.append(Refusal(item.entry.number, problem.issues))
        return linked, refusals

    async def _foresee(self, opened: Sequence[tuple[Item, Sequence[str]]], names: Mapping[str, str]) -> None:
        """Look up conditional references together; what is not found so is asked for one by one."""
        wanted: dict[tuple[str, Reader], dict[str, str]] = {}
        async for item, targets in in_turns(opened):
            for target in targets:
                if target in names or target in self._found:
                    continue
                asked = parse(target)
                if asked.form == "conditional":
                    reader = self._author(item.resource["resourceType"]).reader
                    wanted.setdefault((asked.type, reader), {})[asked.query] = target
        for (type_, reader), conditions in wanted.items():
            found = await known_matches(self.desk.store, type_, conditions, reader)
            for condition, met in found.items():
                if len(met) == 1:
                    self._remember(conditions[condition], met[0])

    async def _pointed(self, item: Item, targets: Sequence[str], names: dict[str, str]) -> Resource:
        """The resource with its links resolved. Raises where one leads nowhere or to several."""
        unknown = [target for target in targets if target not in names]
        if not unknown:
            return rewrite(item.resource, names) if targets or item.entry.full_url else item.resource
        author = self._author(item.resource["resourceType"])
        return rewrite(item.resource, {**names, **{one: await self._resolved(one, author) for one in unknown}})

    async def _resolved(self, target: str, author: Author) -> str:
        if target in self._found:
            return self._found[target]
        asked = parse(target)
        if asked.form != "conditional":
            raise BadRequest("no entry of the Bundle has this fullUrl", "reference")
        found = await matches(self.desk.store, asked.type, asked.query, author)
        if len(found) != 1:
            raise PreconditionFailed(f"the reference matches {'several' if found else 'no'} resources", "reference")
        self._remember(target, found[0])
        return found[0]

    def _remember(self, name: str, reference: str) -> None:
        self._found[name] = reference
        if len(self._found) > KNOWN_CONDITIONS:
            self._found.popitem(last=False)

    def _change(self, item: Item, there: Version | None, now: datetime) -> Change:
        """Raises Forbidden for a record that the caller may not replace, or that nobody may."""
        author = self._author(item.resource["resourceType"])
        if there is not None and not author.owns(there):
            raise Forbidden("this id belongs to a record that you may not replace", item.resource["resourceType"])
        must_be_alterable(item.resource, there, None)
        if item.keys is None:
            return revision(item.resource, item.reference, there, now, author.readers)
        version = revised(item.resource, item.reference, there, now, author.readers)
        return Change(version, version.number - 1, item.keys)

    async def _met(self, load: Load) -> dict[str, Version]:
        """What is stored already of that which the load writes."""
        found = await self.desk.store.currents(sorted(load.references))
        self.expects_new = not found
        return found

    async def outcome(self, load: Load) -> Outcome:
        """What there is to write now; to be asked again when another writer was faster."""
        current = {} if self.expects_new else await self._met(load)
        now = self.desk.now()
        changes: list[Change] = []
        refusals = list(load.refusals)
        created = unchanged = 0
        async for item in in_turns(load.items):
            there = current.get(item.reference)
            if item.met or (there is not None and _is_same(item.resource, there)):
                unchanged += 1
                continue
            try:
                changes.append(self._change(item, there, now))
                created += there is None
            except Problem as problem:
                refusals.append(Refusal(item.entry.number, problem.issues))
        if load.whole and len(refusals) > len(load.refusals):
            others = [item for item in load.items if item.entry.number not in {one.number for one in refusals}]
            refusals += _with_the_others(others)
            return Outcome((), (), Counts(refused=len(refusals)), tuple(refusals))
        counts = Counts(created, len(changes) - created, unchanged, len(refusals))
        claims = tuple(item.claim for item in load.items if item.claim)
        return Outcome(tuple(changes), claims, counts, tuple(refusals))


def refused_whole(load: Load, problem: Problem) -> Load:
    """The load without its items: the database refused them."""
    return Load((), (*load.refusals, *(Refusal(item.entry.number, problem.issues) for item in load.items)))


def _condition(entry: Entry) -> str:
    return entry.condition.removeprefix(f"{entry.resource['resourceType']}?")


def _once(items: Sequence[Item]) -> tuple[list[Item], list[Refusal]]:
    """The items without those that write a resource a second time: which of the two is meant is not ours to say."""
    seen: set[str] = set()
    kept, refusals = [], []
    for item in items:
        if item.reference in seen and not item.met:
            refusals.append(_refused(item.entry, "an entry before this one writes the same resource", "duplicate"))
        else:
            kept.append(item)
            seen.add(item.reference)
    return kept, refusals


def _with_the_others(items: Iterable[Item]) -> Iterator[Refusal]:
    for item in items:
        yield _refused(item.entry, "another entry of the transaction is refused", "processing")


def _refused(entry: Entry, text: str, code: str) -> Refusal:
    return Refusal(entry.number, (Issue(text, entry.resource["resourceType"], code),))


def _open(resource: Resource) -> list[str]:
    """Targets of references that are no address yet; a member of this name with text is a Reference's alone."""
    found = []
    waiting: list[Any] = [resource]
    # Everything is looked at once, by its type: to sort out the few that hold others first takes twice as long.
    for value in waiting:
        if type(value) is dict:
            if "reference" in value:
                target = value["reference"]
                if type(target) is str and ("?" in target or target.startswith(URN)):
                    found.append(target)
            if value.get("resourceType") != "Bundle":
                waiting.extend(value.values())
        elif type(value) is list:
            waiting.extend(value)
    return found


def _is_same(resource: Resource, current: Version) -> bool:
    if current.deleted:
        return False
    return encode(stamp(resource, current.id, current.number, current.updated)) == current.body
