"""A code system, read for use: each concept with its parents, its words and its properties.

https://hl7.org/fhir/R4/codesystem.html
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fhir_gateway.fhir.resource import Resource

Element = dict[str, Any]

_RETIRED = frozenset({"deprecated", "retired", "inactive"})
_NOT_SELECTABLE = frozenset({"notSelectable", "abstract"})
# Of every code system: https://hl7.org/fhir/R4/codesystem.html#defined-props
_OF_ALL = frozenset({"code", "concept", "display", "definition", "parent", "child", "subsumedBy"}) | frozenset(
    {"inactive", "status", "notSelectable", "deprecated"}
)


@dataclass(frozen=True, slots=True)
class Concept:
    """``properties`` are (code, kind of value, value); ``parents`` the codes right above."""

    code: str
    display: str = ""
    definition: str = ""
    designations: tuple[Element, ...] = ()
    properties: tuple[tuple[str, str, Any], ...] = ()
    parents: tuple[str, ...] = ()

    @property
    def inactive(self) -> bool:
        marks = {name: value for name, _, value in self.properties}
        return marks.get("inactive") is True or marks.get("status") in _RETIRED

    @property
    def abstract(self) -> bool:
        return any(name in _NOT_SELECTABLE and value is True for name, _, value in self.properties)

    @property
    def words(self) -> Iterator[str]:
        """All that the concept is called."""
        yield self.display
        yield from (item["value"] for item in self.designations if isinstance(item.get("value"), str))


@dataclass(frozen=True)
class System:
    """``complete``: a code that is not among ``concepts`` is no code of the system.

    ``declared`` are the properties and filters it says it has.
    """

    url: str
    concepts: Mapping[str, Concept]
    version: str = ""
    name: str = ""
    complete: bool = True
    case_sensitive: bool = True
    declared: frozenset[str] = frozenset()

    def get(self, code: str) -> Concept | None:
        found = self.concepts.get(code)
        if found is None and not self.case_sensitive:
            found = self.concepts.get(self._by_case.get(code.casefold(), ""))
        return found

    def knows(self, name: str) -> bool:
        """Whether its concepts may say something under this property."""
        return name in _OF_ALL or name in self.declared or name in self._said

    @cached_property
    def _said(self) -> frozenset[str]:
        return frozenset(name for concept in self.concepts.values() for name, _, _ in concept.properties)

    @cached_property
    def _by_case(self) -> dict[str, str]:
        return {code.casefold(): code for code in self.concepts}

    def children(self, code: str) -> tuple[str, ...]:
        """The codes right below."""
        return self._children.get(code, ())

    @cached_property
    def _children(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for concept in self.concepts.values():
            for parent in concept.parents:
                found.setdefault(parent, []).append(concept.code)
        return {parent: tuple(codes) for parent, codes in found.items()}

    def ancestors(self, code: str) -> frozenset[str]:
        """All codes above; a ring of parents, which a faulty code system may have, is gone round once."""
        found: dict[str, None] = {}
        waiting = list(self.concepts[code].parents) if code in self.concepts else []
        while waiting:
            parent = waiting.pop()
            if parent not in found and parent in self.concepts:
                found[parent] = None
                waiting += self.concepts[parent].parents
        return frozenset(found)

    def subsumes(self, upper: str, lower: str) -> bool:
        """Whether ``lower`` is ``upper`` or below it."""
        return upper == lower or upper in self.ancestors(lower)


def read(resource: Resource) -> System:
    """The system of a CodeSystem resource."""
    nested: dict[str, Concept] = {}
    for concept in _concepts(resource.get("concept", ()), ()):
        known = nested.get(concept.code)
        nested[concept.code] = concept if known is None else _joined(known, concept)
    return System(
        resource.get("url", ""),
        _with_children(nested),
        resource.get("version", ""),
        resource.get("title") or resource.get("name") or resource.get("url", ""),
        resource.get("content") == "complete",
        resource.get("caseSensitive", True),
        frozenset(one["code"] for member in ("property", "filter") for one in resource.get(member, ())),
    )


def _concepts(items: Any, parents: tuple[str, ...]) -> Iterator[Concept]:
    for item in items:
        properties = tuple(_properties(item))
        said = tuple(str(value) for name, _, value in properties if name in ("parent", "subsumedBy"))
        yield Concept(
            item["code"],
            item.get("display", ""),
            item.get("definition", ""),
            tuple(item.get("designation", ())),
            properties,
            tuple(dict.fromkeys((*parents, *said))),
        )
        yield from _concepts(item.get("concept", ()), (item["code"],))


def _properties(item: Element) -> Iterator[tuple[str, str, Any]]:
    for one in item.get("property", ()):
        for member, value in one.items():
            if member.startswith("value"):
                yield one["code"], member.removeprefix("value"), value


def _joined(first: Concept, second: Concept) -> Concept:
    """A concept that stands in several places of the hierarchy."""
    parents = tuple(dict.fromkeys((*first.parents, *second.parents)))
    return Concept(first.code, first.display, first.definition, first.designations, first.properties, parents)


def _with_children(concepts: dict[str, Concept]) -> dict[str, Concept]:
    """The property ``child`` says from above what ``parent`` says from below."""
    for concept in list(concepts.values()):
        for name, _, value in concept.properties:
            if name == "child" and str(value) in concepts:
                child = concepts[str(value)]
                concepts[child.code] = _joined(child, Concept(child.code, parents=(concept.code,)))
    return concepts
