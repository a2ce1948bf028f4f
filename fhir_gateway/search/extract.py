"""What a record is found by: the search keys of a resource, from the definitions alone.

https://hl7.org/fhir/R4/search.html#table

``keys`` (indexed strings) and ``patients`` (the ids of the patients whose compartment the record is in) carry indexes:
each costs on every write. ``spans`` (dates, numbers and quantities as intervals, for sorting too), ``tuples`` (what one
element of a composite holds) and ``places`` are for the exact check of what an index found.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from fhir_gateway.fhir.resource import Resource
from fhir_gateway.search import containing, vocabulary
from fhir_gateway.search.composites import Part, elements, parts_of, tupled
from fhir_gateway.search.criteria import UNIT
from fhir_gateway.search.entries import Entries
from fhir_gateway.search.kinds import date, near, number, quantity, reference, text, token, uri
from fhir_gateway.search.paths import Path
from fhir_gateway.search.registry import compartment, edition, parameters


@dataclass(frozen=True, slots=True)
class Index:
    """An index that both collections of records carry; every field ascending."""

    name: str
    fields: tuple[str, ...]


INDEXES = (
    Index("keys", ("keys", "_id")),
    Index("updated", ("type", "updated", "_id")),
    Index("patients", ("patients", "type", "_id")),
    Index("readers", ("readers", "type", "_id")),
)
"""``_id`` ends each, so that a page of an exact search is read in order and stops when it is full."""

FIELDS = ("keys", "patients", "spans", "tuples", "places")
"""All that ``index`` may give a record."""

FORMAT = 9
"""To be raised when the same resource gets other keys than before."""

EDITION = f"{FORMAT}-{edition()}"
"""What the keys of a record follow from besides the record and what was declared."""


def edition_here() -> str:
    """What the keys that this process makes follow from; when it changes, all keys are made anew."""
    return EDITION + vocabulary.mark()


IN_THE_RECORD = frozenset({"_id", "_lastUpdated"})
"""Parameters whose values are fields of the record itself."""

_PATIENT = f"{UNIT}Patient"

IndexValue = Callable[[str, Any, Entries], None]

_KINDS: dict[str, IndexValue] = {
    "token": token.index,
    "string": text.index,
    "reference": reference.index,
    "uri": uri.index,
    "date": date.index,
    "number": number.index,
    "quantity": quantity.index,
    "special": near.index,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One branch of one parameter's expression, and what becomes of the values it finds."""

    key: str
    path: Path
    index: IndexValue


class Rules:
    """The rules of a type, by the member of the resource that they begin at."""

    def __init__(self, type_: str) -> None:
        makers = [one for one in parameters(type_).values() if one.sortable and one.key == one.code]
        self._rules = [
            Rule(one.key, path, _KINDS[one.kind])
            for one in makers
            if one.code not in IN_THE_RECORD
            for path in one.paths
        ]
        self._known: dict[str, tuple[Rule, ...]] = {}
        self.defaults = tuple(rule for rule in self._rules if rule.path.otherwise is not None)

    def of(self, member: str) -> tuple[Rule, ...]:
        rules = self._known.get(member)
        if rules is None:
            rules = tuple(rule for rule in self._rules if rule.path.begins(member))
            # Only members of the type are remembered: what a caller invents must not fill the memory.
            if rules or len(self._known) < 500:
                self._known[member] = rules
        return rules


@cache
def _rules(type_: str) -> Rules:
    return Rules(type_)


def index(resource: Resource) -> dict[str, Any]:
    """The fields of a record that search needs; everything is derived from the resource and its definitions."""
    type_ = resource["resourceType"]
    entries = Entries()
    rules = _rules(type_)
    for member, child in resource.items():
        for rule in rules.of(member):
            for value in rule.path.values(child):
                rule.index(rule.key, value, entries)
    for rule in rules.defaults:
        if not any(rule.path.begins(member) for member in resource):
            rule.index(rule.key, rule.path.otherwise, entries)
    for word in vocabulary.words(resource):
        entries.add(vocabulary.KEY, word)
    _composites(resource, entries)
    patients = _patients(resource, entries)
    if "contained" in resource:
        _contained(resource, entries)
    fields: dict[str, Any] = {"keys": list(entries.keys), "patients": patients}
    unindexed = {"spans": entries.spans, "tuples": entries.tuples, "places": entries.places}
    return fields | {name: found for name, found in unindexed.items() if found}


def _contained(resource: Resource, entries: Entries) -> None:
    found = containing.contained(resource)
    ways = ways_inside(resource, found)
    for name, inner in index_inside(found).items():
        for way in ways.get(name, (containing.NO_WAY,)):
            containing.add(entries, way, found[name]["resourceType"], inner)


def index_inside(found: Mapping[str, Resource]) -> dict[str, dict[str, Any]]:
    """The search fields of what is contained, each with those of what it points at among the rest.

    Of ``is_entangled`` not all.
    """
    own = {name: _index_alone(one) for name, one in found.items()}
    further = {name: Entries() for name in found}
    left = containing.MOST_KEYS
    for name, way, behind in _links_inside(found):
        left -= len(own[behind]["keys"])
        if left < 0:
            break
        containing.add(further[name], way, found[behind]["resourceType"], own[behind])
    return {name: _together(own[name], further[name]) for name in found}


def is_entangled(resource: Resource) -> bool:
    """Whether what it contains refers to each other so often that not all of it could be found by that."""
    found = containing.contained(resource)
    pointed = Counter(behind for _, _, behind in _links_inside(found)) if len(found) > 1 else {}
    return sum(len(_index_alone(found[name])["keys"]) * times for name, times in pointed.items()) > containing.MOST_KEYS


def _index_alone(one: Resource) -> dict[str, Any]:
    return index({name: value for name, value in one.items() if name != "contained"})


def _links_inside(found: Mapping[str, Resource]) -> Iterator[tuple[str, str, str]]:
    """What refers to what else, and by which parameter."""
    for name, one in found.items():
        for behind, ways in ways_inside(one, found).items():
            yield from ((name, way, behind) for way in ways if behind != name)


def _together(own: Mapping[str, Any], further: Entries) -> dict[str, Any]:
    keys, spans = [*own["keys"], *further.keys], own.get("spans", {}) | further.spans
    return {**own, "keys": keys, "spans": spans}


def ways_inside(resource: Resource, found: Mapping[str, Resource]) -> dict[str, dict[str, None]]:
    """Keys of the reference parameters of a resource that point at what is contained, by what they point at."""
    ways: dict[str, dict[str, None]] = {}
    rules = _rules(resource["resourceType"])
    for member, child in resource.items():
        for rule in rules.of(member):
            for value in rule.path.values(child) if rule.index is reference.index else ():
                if (name := containing.pointing(value)) in found:
                    ways.setdefault(name, {})[rule.key] = None
    return ways


def _composites(resource: Resource, entries: Entries) -> None:
    for branch in tupled(resource["resourceType"]):
        for element in elements(branch, resource):
            parts = tuple(_part_entries(*one) for one in parts_of(branch, element, resource))
            if all(part.keys for part in parts):
                entries.together(branch.key, parts)


def _part_entries(part: Part, entries: Entries, values: list[object]) -> Entries:
    for value in values:
        _KINDS[part.parameter.kind]("", value, entries)
    return entries


def _patients(resource: Resource, entries: Entries) -> list[str]:
    type_ = resource["resourceType"]
    own = [resource["id"]] if type_ == "Patient" and "id" in resource else []
    wanted = compartment(type_)
    if not wanted:
        return own
    split = (key[: -len(_PATIENT)].split(":", 1) for key in entries.keys if key.endswith(_PATIENT))
    return sorted({*own, *(id_ for code, id_ in split if code in wanted)})
