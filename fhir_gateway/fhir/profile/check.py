"""Whether a resource keeps a profile: how often, of which type, with which values, codes and invariants.

https://hl7.org/fhir/R4/validation.html

All that must be looked up (other profiles, value sets) comes in ``Shelf``; what is not there is said, never guessed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fhir_gateway.fhir import fhirpath
from fhir_gateway.fhir.codec import plain
from fhir_gateway.fhir.profile import slicing
from fhir_gateway.fhir.profile.tree import CORE, Node, constraints, is_core, profiles, tree
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


def faults(resource: Resource, canonical: str, shelf: Shelf, path: str = "") -> list[Issue]:
    """What the resource, at ``path``, does against the profile of that address, each fault once."""
    kind = str(resource.get("resourceType"))
    root = Value(path or kind, kind, resource)
    return list(dict.fromkeys(_Check(shelf, plain(resource)).profile(root, canonical, ())))


@dataclass(frozen=True, slots=True)
class _Check:
    """One check; ``resource`` is what invariants call ``%resource``. ``left`` is how many of them may be asked."""

    shelf: Shelf
    resource: Resource
    trees: dict[str, Node] = field(default_factory=dict)
    left: list[int] = field(default_factory=lambda: [INVARIANT_LIMIT])

    def profile(self, value: Value, canonical: str, above: tuple[str, ...]) -> Iterator[Issue]:
        if canonical in above or len(above) > DEPTH_LIMIT:
            return
        if is_core(canonical):
            yield from _type(value, canonical)
            return
        profile = self.shelf.profiles.get(canonical)
        if profile is None:
            yield Issue(
                f"the profile {canonical} is not held here, so it was not checked", value.path, "not-found", "warning"
            )
            return
        wanted = profile.get("type")
        if wanted != value.kind and wanted not in ("Resource", "DomainResource", "Element"):
            yield Issue(f"the profile {canonical} is for {wanted}", value.path, "structure")
            return
        base = profile.get("baseDefinition")
        if isinstance(base, str) and not profile.get("snapshot") and not is_core(base):
            yield from self.profile(value, base, (*above, canonical))
        if canonical not in self.trees:
            self.trees[canonical] = tree(profile)
        yield from self.element(value, self.trees[canonical], (*above, canonical))

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
        parted = slicing.parted(found, node, self.shelf.value_sets)
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
        for item in node.types:
            if item["code"] == "Reference":
                yield from _target(value, item)
            named = profiles(item)
            if len(named) == 1 and len(node.types) == 1:
                yield from self.profile(value, named[0], above)

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
                kept = fhirpath.satisfied(value.item, value.kind, facts["expression"], self.resource)
            except BadRequest as fault:
                unchecked = f"the invariant {key} was not checked: {fault.text}"
                yield Issue(unchecked, value.path, "not-supported", "information")
                continue
            if not kept:
                yield Issue(f"{text} ({key})", value.path, "invariant", severity)


def _type(value: Value, canonical: str) -> Iterator[Issue]:
    """A type of R4 as a profile: the gate has checked it, unless it is another type's."""
    name = canonical.partition("|")[0].removeprefix(CORE)
    if name[:1].isupper() and "." not in value.path and name not in (value.kind, "Resource", "DomainResource"):
        yield Issue(f"the profile {canonical} is for {name}", value.path, "structure")


def _content(value: Value, node: Node) -> Iterator[Issue]:
    fixed, pattern = node.chosen("fixed"), node.chosen("pattern")
    if fixed and not equals(value.item, fixed[1]):
        yield Issue("is not the value that the profile fixes", value.path, "value")
    if pattern and not fits(value.item, pattern[1]):
        yield Issue("does not fit the pattern of the profile", value.path, "value")
    longest = node.facts.get("maxLength")
    if isinstance(longest, int) and isinstance(value.item, str) and len(value.item) > longest:
        yield Issue(f"is longer than {longest} characters", value.path, "too-long")
    yield from _bounds(value, node)


def _bounds(value: Value, node: Node) -> Iterator[Issue]:
    for prefix, word in (("minValue", "less"), ("maxValue", "more")):
        bound = node.chosen(prefix)
        if bound is None or type(bound[1]) is not type(value.item) or isinstance(value.item, dict):
            continue
        if value.item < bound[1] if word == "less" else value.item > bound[1]:
            yield Issue(f"is {word} than the profile allows", value.path, "value")


def _count(found: list[Value], node: Node, place: str, what: str = "") -> Iterator[Issue]:
    if len(found) < node.minimum:
        yield Issue(f"at least {node.minimum}{what} required, {len(found)} there", place, "required")
    if node.maximum is not None and len(found) > node.maximum:
        yield Issue(f"at most {node.maximum}{what} allowed, {len(found)} there", place, "structure")


def _target(value: Value, item: dict[str, Any]) -> Iterator[Issue]:
    """Only what the link itself says: where it leads is not fetched."""
    targets = [one for one in item.get("targetProfile") or [] if isinstance(one, str)]
    allowed = {one.removeprefix(CORE) for one in targets if is_core(one)}
    text = value.item.get("reference") if isinstance(value.item, dict) else None
    kind = parse(text).type if isinstance(text, str) else ""
    if kind and targets and len(allowed) == len(targets) and kind not in allowed and "Resource" not in allowed:
        yield Issue(f"refers to {kind}; allowed: {', '.join(sorted(allowed))}", value.path, "structure")
