"""A value set, read for use: whether a code is in it, and all the codes that are.

https://hl7.org/fhir/R4/valueset.html#compositions
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fhir_gateway.problem import NotFound
from fhir_gateway.terminology.system import Concept, System

Test = Callable[[Concept], bool]


class NotHeld(NotFound):
    """A code system that would have to be known is not; ``system`` names it."""

    def __init__(self, system: str) -> None:
        super().__init__("the code system is not held by this server, or only a part of it", system[:200] or None)
        self.system = system


@dataclass(frozen=True, slots=True)
class Member:
    """One code of a value set. ``display`` is the value set's own where it has one."""

    system: str
    concept: Concept
    display: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One include or exclude. ``source`` is None when the system is not held; ``listed`` when codes are enumerated.

    A part without a system takes what all its ``imports`` have. ``branches``: where it has a code, it has those below
    it too.
    """

    system: str
    source: System | None = None
    listed: Mapping[str, Concept] | None = None
    tests: tuple[Test, ...] = ()
    imports: tuple["Selection", ...] = ()
    version: str = ""
    branches: bool = False

    def trees(self) -> "Mapping[str, System | None]":
        """The systems it draws on, each with what tells how its codes hang together; None where they are a list."""
        if self.system:
            return {self.system: self.source if self.branches else None}
        if len(self.imports) == 1:
            return self.imports[0].trees()
        return dict.fromkeys(system for one in self.imports for system in one.trees())

    def find(self, system: str | None, code: str) -> Member | None:
        """The member of that code; any system will do where ``system`` is None. Raises NotHeld."""
        if not self.system:
            found = [one.find(system, code) for one in self.imports]
            return found[0] if found and all(found) else None
        if system is not None and system != self.system:
            return None
        concept = self._concept(code)
        if concept is None or not all(test(concept) for test in self.tests):
            return None
        member = self._member(concept)
        return member if all(one.find(self.system, member.concept.code) for one in self.imports) else None

    def _concept(self, code: str) -> Concept | None:
        if self.listed is not None:
            return self.listed.get(code)
        if self.source is None:
            raise NotHeld(self.system)
        concept = self.source.get(code)
        if concept is None and not self.source.complete:
            raise NotHeld(self.system)
        return concept

    def _member(self, concept: Concept) -> Member:
        held = self.source.get(concept.code) if self.source else None
        display = concept.display or (held.display if held else "")
        return Member(
            self.system, held or concept, display, self.version or (self.source.version if self.source else "")
        )

    def members(self) -> Iterator[Member]:
        """Raises NotHeld when they cannot be listed."""
        if not self.system:
            first, *rest = self.imports
            for member in first.members():
                if all(one.find(member.system, member.concept.code) for one in rest):
                    yield member
            return
        concepts = self._all().values()
        for concept in concepts:
            member = self._member(concept)
            if all(test(member.concept) for test in self.tests) and self._imported(member):
                yield member

    def _all(self) -> Mapping[str, Concept]:
        if self.listed is not None:
            return self.listed
        if self.source is None or not self.source.complete:
            raise NotHeld(self.system)
        return self.source.concepts

    def _imported(self, member: Member) -> bool:
        return all(one.find(member.system, member.concept.code) for one in self.imports)


@dataclass(frozen=True, slots=True)
class Selection:
    """A value set: what its includes have and its excludes have not."""

    url: str
    version: str
    includes: tuple[Part, ...]
    excludes: tuple[Part, ...] = ()
    inactive: bool = True

    def find(self, system: str | None, code: str) -> Member | None:
        """The member of that code, None when it is not in the value set. Raises NotHeld when nobody can say."""
        unknown: NotHeld | None = None
        for part in self.includes:
            try:
                member = part.find(system, code)
            except NotHeld as fault:
                unknown = fault
                continue
            if member is not None:
                return member if self._keeps(member) else None
        if unknown is not None:
            raise unknown
        return None

    def members(self) -> Iterator[Member]:
        """Each code once, in the value set's order. Raises NotHeld."""
        seen: set[tuple[str, str]] = set()
        for part in self.includes:
            for member in part.members():
                key = (member.system, member.concept.code)
                if key not in seen and self._keeps(member):
                    seen.add(key)
                    yield member

    def trees(self) -> Mapping[str, System | None]:
        """As of a part; a system that several parts draw on has to be the same tree in all of them."""
        found: dict[str, System | None] = {}
        for part in self.includes:
            for system, source in part.trees().items():
                found[system] = source if found.setdefault(system, source) is source else None
        return found

    def _keeps(self, member: Member) -> bool:
        if not self.inactive and member.concept.inactive:
            return False
        return not any(part.find(member.system, member.concept.code) for part in self.excludes)

    @property
    def systems(self) -> tuple[str, ...]:
        """The systems that the value set draws on itself."""
        return tuple(dict.fromkeys(part.system for part in self.includes if part.system))


def of_codings(codings: Any) -> tuple[Part, ...]:
    """Parts of codes that are listed one by one, as in a stored expansion."""
    listed: dict[str, dict[str, Concept]] = {}
    waiting = list(codings)
    while waiting:
        item = waiting.pop(0)
        waiting = [*item.get("contains", ()), *waiting]
        if "code" in item and not item.get("abstract"):
            marks = (("inactive", "Boolean", True),) if item.get("inactive") else ()
            concept = Concept(item["code"], item.get("display", ""), properties=marks)
            listed.setdefault(item.get("system", ""), {})[concept.code] = concept
    return tuple(Part(system, listed=codes) for system, codes in listed.items())
