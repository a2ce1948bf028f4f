"""Whether a resource keeps a profile: how often, of which type, with which values, codes and invariants.

https://hl7.org/fhir/R4/validation.html

All that must be looked up (other profiles, value sets) comes in ``Shelf``; what is not there is said, never guessed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fhir_gateway.fhir import fhirpath
from fhir_gateway.fhir.codec import plain
from fhir_gateway.fhir.expression.evaluation import Reach
from fhir_gateway.fhir.expression.items import Item
from fhir_gateway.fhir.profile import bounds, slicing
from fhir_gateway.fhir.profile.surroundings import Surroundings
from fhir_gateway.fhir.profile.tree import ABSTRACT, CORE, Node, constraints, is_core, profiles, tree
from fhir_gateway.fhir.profile.tree import named as named_in
from fhir_gateway.fhir.profile.tree import part as part_of
from fhir_gateway.fhir.profile.values import Value, below, equals, fits, is_of
from fhir_gateway.fhir.reference import parse
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import BadRequest, Issue

DEPTH_LIMIT = 12
INVARIANT_LIMIT = 10_000

Holds = Callable[[str | None, str], bool | None]
"""Whether a value set has a code of a system (None: not said); None when nobody can say."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """What profiles refer to, by canonical address as they spell it."""

    profiles: Mapping[str, Resource] = field(default_factory=dict)
    value_sets: Mapping[str, Holds] = field(default_factory=dict)


def faults(
    resource: Resource, canonical: str, shelf: Shelf, path: str = "", around: Surroundings | None = None
) -> list[Issue]:
    """What the resource, at ``path`` of the whole that is ``around``, does against the profile, each fault once."""
    kind, whole = str(resource.get("resourceType")), plain(resource)
    root = Value(path or kind, kind, whole)
    check = Check(shelf, around or Surroundings(whole, path))
    return list(dict.fromkeys(check.profile(root, canonical, ())))


@dataclass(frozen=True, slots=True)
class Check:
    """One check. ``left`` is how many invariants may still be asked; ``kept`` what is known of values and profiles."""

    shelf: Shelf
    around: Surroundings
    trees: dict[str, Node] = field(default_factory=dict)
    left: list[int] = field(default_factory=lambda: [INVARIANT_LIMIT])
    kept: dict[tuple[str, str], bool | None] = field(default_factory=dict)

    def profile(self, value: Value, canonical: str, above: tuple[str, ...]) -> Iterator[Issue]:
        if canonical in above or len(above) > DEPTH_LIMIT:
            return
        if is_core(canonical):
            yield from _type(value, canonical)
            return
        url, _, part = canonical.partition("#")
        profile = self.shelf.profiles.get(url)
        if profile is None:
            text = f"the profile {canonical} is not held here, so it was not checked"
            yield Issue(text, value.path, "not-found", "warning")
            return
        wanted = str(profile.get("type")).removeprefix(CORE)
        if not part and wanted != value.kind and wanted not in ABSTRACT:
            yield Issue(f"the profile {canonical} is for {wanted}", value.path, "structure")
            return
        base = profile.get("baseDefinition")
        if isinstance(base, str) and not part and not profile.get("snapshot") and not is_core(base):
            yield from self.profile(value, base, (*above, canonical))
        if node := self.tree(canonical):
            yield from self.element(value, node, (*above, canonical))

    def tree(self, canonical: str) -> Node | None:
        """The demands of a profile, or of the element of it that the address names; None when it is not held."""
        url, _, part = canonical.partition("#")
        if url not in self.trees and url in self.shelf.profiles:
            self.trees[url] = tree(self.shelf.profiles[url])
        root = self.trees.get(url)
        return part_of(root, part) if root and part else root

    def known_parts(self, canonical: str) -> frozenset[str] | None:
        """The names that an extension's definition gives its parts; None where what it builds on is not held."""
        profile, root = self.shelf.profiles.get(canonical), self.tree(canonical)
        base = str(profile.get("baseDefinition", "")) if profile else ""
        if profile is None or root is None or not (profile.get("snapshot") or is_core(base)):
            return None
        named = (one for child in ("extension", "modifierExtension") for one in _parts(root, child))
        return frozenset(named)

    def keeps(self, value: Value, canonical: str) -> bool | None:
        """Whether a value keeps a profile; None when that profile is not held. A value being asked about keeps it."""
        if not is_core(canonical) and canonical.partition("#")[0] not in self.shelf.profiles:
            return None
        key = (value.path, canonical)
        if key not in self.kept:
            self.kept[key] = True
            self.kept[key] = not any(one.severity == "error" for one in self.profile(value, canonical, ()))
        return self.kept[key]

    def resolve(self, value: Value) -> Value | None:
        """The resource in the whole that a Reference or a uri leads to."""
        link = value.item.get("reference") if isinstance(value.item, dict) else value.item
        found = self.around.resolve(value.path, link)
        return Value(found[0], str(found[1]["resourceType"]), plain(found[1])) if found else None

    def element(self, value: Value, node: Node, above: tuple[str, ...]) -> Iterator[Issue]:
        """One value against one element definition, and all below it."""
        yield from _content(value, node)
        yield from self._codes(value, node)
        yield from self._invariants(value, node)
        yield from self._types(value, node, above)
        for child in node.children.values():
            found = below(value, child.name)
            place = f"{value.path}.{child.name.removesuffix('[x]')}"
            yield from _count(found, child, place)
            for one in found:
                yield from self.element(one, child, above)
            if child.slices:
                yield from self._sliced(found, child, place, above)

    def _sliced(self, found: list[Value], node: Node, place: str, above: tuple[str, ...]) -> Iterator[Issue]:
        means = slicing.Means(self.shelf.value_sets, self.resolve, self.keeps, self.tree)
        parted = slicing.parted(found, node, means)
        yield from parted.issues(place)
        for name, values in parted.slices.items():
            slice_ = node.slices[name]
            yield from _count(values, slice_, place, f" of slice {name}")
            for one in values:
                yield from self.element(one, slice_, above)

    def _types(self, value: Value, node: Node, above: tuple[str, ...]) -> Iterator[Issue]:
        codes = [item["code"] for item in node.types]
        if codes and "." in value.path and not is_of(value, codes) and value.item is not None and value.kind:
            if not ("Resource" in codes or value.kind.count(".")):
                yield Issue(f"must be {' or '.join(codes)}, not {value.kind}", value.path, "structure")
            return
        fitting = [item for item in node.types if is_of(value, [item["code"]])]
        for item in fitting:
            if item["code"] == "Reference":
                yield from self._target(value, item)
        named = [profiles(item) or named_in(item, "profile") for item in fitting]
        if named and all(named):
            yield from self._any_of(value, [one for each in named for one in each], above)

    def _any_of(self, value: Value, canonicals: list[str], above: tuple[str, ...]) -> Iterator[Issue]:
        """One of the profiles is enough; what is wrong with it is told where there is only one."""
        if len(canonicals) == 1:
            yield from self.profile(value, canonicals[0], above)
        elif all(self.keeps(value, one) is False for one in canonicals):
            yield Issue(f"keeps none of the profiles {', '.join(canonicals)}", value.path, "structure")

    def _target(self, value: Value, item: dict[str, Any]) -> Iterator[Issue]:
        """What the link says, and what it leads to where that is in the whole: nothing is fetched."""
        targets = named_in(item, "targetProfile")
        there = self.resolve(value)
        text = value.item.get("reference") if isinstance(value.item, dict) else None
        kind = there.kind if there else parse(text).type if isinstance(text, str) else ""
        core = {one.partition("|")[0].removeprefix(CORE) for one in targets if is_core(one)}
        if not kind or not targets or kind in core or "Resource" in core:
            return
        if len(core) == len(targets):
            yield Issue(f"refers to {kind}; allowed: {', '.join(sorted(core))}", value.path, "structure")
        elif there and all(self.keeps(there, one) is False for one in targets):
            yield Issue(f"what it refers to keeps none of {', '.join(targets)}", value.path, "structure")

    def _codes(self, value: Value, node: Node) -> Iterator[Issue]:
        binding = node.facts.get("binding")
        strength = binding.get("strength") if isinstance(binding, dict) else None
        canonical = binding.get("valueSet") if isinstance(binding, dict) else None
        if strength not in ("required", "extensible") or not isinstance(canonical, str) or value.item is None:
            return
        holds = self.shelf.value_sets.get(canonical)
        codes = slicing.codings(value)
        said = [holds(*code) for code in codes] if holds else [None]
        if any(said):
            return
        if None in said and (codes or holds is None):
            text = f"the codes of {canonical} are not held here, so they were not checked"
            yield Issue(text, value.path, "not-supported", "information")
        elif strength == "required":
            yield Issue(f"no code of {canonical}, which is required", value.path, "code-invalid")
        else:
            yield Issue(f"no code of {canonical}; another only where none fits", value.path, "code-invalid", "warning")

    def _invariants(self, value: Value, node: Node) -> Iterator[Issue]:
        for facts in constraints(node.facts) if value.item is not None else ():
            key, text = str(facts.get("key", "")), str(facts.get("human", "an invariant of the profile"))
            severity = "warning" if facts.get("severity") == "warning" else "error"
            self.left[0] -= 1
            if self.left[0] < 0:
                text = f"more than {INVARIANT_LIMIT} invariants would have to be asked; the rest was not checked"
                yield Issue(text, None, "incomplete", "information")
                return
            try:
                kept = self._holds(value, facts["expression"])
            except BadRequest as fault:
                unchecked = f"the invariant {key} was not checked: {fault.text}"
                yield Issue(unchecked, value.path, "not-supported", "information")
                continue
            if not kept:
                yield Issue(f"{text} ({key})", value.path, "invariant", severity)

    def _holds(self, value: Value, expression: str) -> bool:
        owner = value.owner or value
        outer = owner.owner if owner.path.rpartition(".")[2].startswith("contained[") else None
        item = Item(value.item, value.kind, value.half)
        return fhirpath.satisfied(item, expression, (owner.item, (outer or owner).item), self._reach(value))

    def _reach(self, value: Value) -> Reach:
        def resolve(link: Item) -> Item | None:
            target = link.value.get("reference") if isinstance(link.value, dict) else link.value
            found = self.around.resolve(value.path, target)
            there = found[1] if found else self.around.anywhere(target)
            return Item(plain(there), str(there["resourceType"])) if there else None

        return Reach(resolve, self._is_member, self._conforms)

    def _is_member(self, item: Item, canonical: str) -> bool | None:
        holds = self.shelf.value_sets.get(canonical)
        said = [holds(*code) for code in slicing.codings(Value("", item.kind, item.value))] if holds else [None]
        return True if any(said) else None if None in said else False

    def _conforms(self, item: Item, canonical: str) -> bool | None:
        return self.keeps(Value(f"%{id(item.value)}", item.kind, item.value), canonical)


def _parts(root: Node, name: str) -> Iterator[str]:
    for one in root.children[name].slices.values() if name in root.children else ():
        fixed = one.children["url"].chosen("fixed") if "url" in one.children else None
        yield str(fixed[1]) if fixed else one.slice


def _type(value: Value, canonical: str) -> Iterator[Issue]:
    """A type of R4 as a profile: the gate has checked it, unless it is another type's."""
    name = canonical.partition("|")[0].removeprefix(CORE)
    if name[:1].isupper() and value.is_resource and name not in (value.kind, "Resource", "DomainResource"):
        yield Issue(f"the profile {canonical} is for {name}", value.path, "structure")


def _content(value: Value, node: Node) -> Iterator[Issue]:
    fixed, pattern = node.chosen("fixed"), node.chosen("pattern")
    if fixed and not equals(value.item, fixed[1]):
        yield Issue("is not the value that the profile fixes", value.path, "value")
    if pattern and not fits(value.item, pattern[1]):
        yield Issue("does not fit the pattern of the profile", value.path, "value")
    yield from bounds.faults(value, node)


def _count(found: list[Value], node: Node, place: str, what: str = "") -> Iterator[Issue]:
    if len(found) < node.minimum:
        yield Issue(f"at least {node.minimum}{what} required, {len(found)} there", place, "required")
    if node.maximum is not None and len(found) > node.maximum:
        yield Issue(f"at most {node.maximum}{what} allowed, {len(found)} there", place, "structure")
