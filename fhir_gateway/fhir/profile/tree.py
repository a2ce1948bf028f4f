"""A StructureDefinition as a tree: each element's demands, its children and its slices.

https://hl7.org/fhir/R4/elementdefinition.html
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from fhir_gateway.fhir.definitions import types
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.fhir.schema import PRIMITIVES

CORE = "http://hl7.org/fhir/StructureDefinition/"
ABSTRACT = frozenset({"BackboneElement", "DomainResource", "Element", "Resource"})

Element = dict[str, Any]

EXTENSION = re.compile(r"(extension|modifierExtension)\('([^']*)'\)")
_CAST = re.compile(r"(\w+)\.ofType\((\w+)\)")
_STEP = re.compile(r"(?:[^.(]|\([^)]*\))+")
_MEMBERSHIP = re.compile(r"memberOf\(\s*'([^'\\]+)'\s*\)")
_CONFORMANCE = re.compile(r"conformsTo\(\s*'([^'\\]+)'\s*\)")


@dataclass(slots=True)
class Node:
    """One element of a profile. ``name`` is its last segment (``value[x]``), ``slice`` the slice's name or empty."""

    name: str
    facts: Element = field(default_factory=dict)
    slice: str = ""
    children: dict[str, "Node"] = field(default_factory=dict)
    slices: dict[str, "Node"] = field(default_factory=dict)

    @property
    def types(self) -> list[Element]:
        return [item for item in _listed(self.facts, "type") if isinstance(item.get("code"), str)]

    @property
    def minimum(self) -> int:
        found = self.facts.get("min", 0)
        return found if isinstance(found, int) else 0

    @property
    def maximum(self) -> int | None:
        """None for no limit, or where the profile says nothing."""
        text = str(self.facts.get("max", "*"))
        return int(text) if text.isdecimal() else None

    def chosen(self, prefix: str) -> tuple[str, Any] | None:
        """The datatype and the value of ``fixed[x]`` or ``pattern[x]``."""
        for member, value in self.facts.items():
            if member.startswith(prefix) and member[len(prefix) : len(prefix) + 1].isupper():
                return member[len(prefix) :], value
        return None

    def at(self, path: str, trees: "Trees | None" = None) -> "Node | None":
        """The node at a discriminator's path below this one: ``$this``, ``code.coding``.

        What an element leaves open, the one profile that it must keep may say.
        """
        node: Node | None = self
        for step in _STEP.findall(cast(path).removeprefix("$this.")) if path not in ("$this", "") else ():
            node = (node.child(step) or node.stated(step, trees)) if node else None
        return node

    def stated(self, step: str, trees: "Trees | None") -> "Node | None":
        """The child of that name in the one profile that this element is bound to keep."""
        wanted = [one for item in self.types for one in profiles(item)]
        profile = trees(wanted[0]) if trees and len(wanted) == 1 else None
        return profile.child(step) if profile else None

    def child(self, step: str) -> "Node | None":
        """``value`` finds ``value[x]`` and ``valueString`` too; ``extension('url')`` the slice of that address."""
        if match := EXTENSION.fullmatch(step):
            among = self.children.get(match[1])
            return next((one for one in among.slices.values() if one.is_for(match[2])), None) if among else None
        found = self.children.get(step) or self.children.get(f"{step}[x]")
        alike = (one for one in self.children.values() if one.is_choice_of(step) or one.may_be(step))
        return found or next(alike, None) or self._fixed(step) or self._of_its_slice(step)

    def _of_its_slice(self, step: str) -> "Node | None":
        """The child of the one slice of this element that speaks of it."""
        found = [one.children[step] for one in self.slices.values() if step in one.children]
        return found[0] if len(found) == 1 else None

    def _fixed(self, step: str) -> "Node | None":
        """A child that only the whole's own fixed value or pattern speaks of."""
        for prefix in ("fixed", "pattern"):
            whole = self.chosen(prefix)
            if whole and isinstance(whole[1], dict) and step in whole[1]:
                return Node(step, {f"{prefix}X": whole[1][step]})
        return None

    def may_be(self, member: str) -> bool:
        """Whether ``contentReference`` is a choice of this ``content[x]``."""
        stem = self.name.removesuffix("[x]")
        rest = member.removeprefix(stem)
        return stem != self.name and rest != member and any(one["code"].lower() == rest.lower() for one in self.types)

    def is_for(self, url: str) -> bool:
        """Whether this slice of extensions is the one with that address."""
        fixed = self.children["url"].chosen("fixed") if "url" in self.children else None
        return fixed[1] == url if fixed else any(url in profiles(item) for item in self.types)

    def is_choice_of(self, stem: str) -> bool:
        """Whether ``valueString`` is how the profile spells a ``value`` of that type."""
        rest = self.name.removeprefix(stem)
        return self.name != rest and any(item["code"].lower() == rest.lower() for item in self.types)


Trees = Callable[[str], Node | None]
"""The tree of a profile by its address; None when it is not held."""


def cast(path: str) -> str:
    """``content.ofType(Reference)`` → ``contentReference``."""
    return _CAST.sub(lambda found: f"{found[1]}{found[2][0].upper()}{found[2][1:]}", path)


def part(root: Node, identity: str) -> Node | None:
    """The element of that id: ``Composition.section:diet``."""
    node: Node | None = root
    for segment in identity.split(".")[1:]:
        name, _, slice_ = segment.partition(":")
        node = node.children.get(name) if node else None
        node = node.slices.get(slice_) if node and slice_ else node
    return node


def tree(profile: Resource) -> Node:
    """The root of a profile's own elements: of its snapshot, else of its differential."""
    root = Node(str(profile.get("type", "Resource")))
    begun: dict[str, str] = {}
    for facts in elements(profile):
        _place(root, facts, begun)
    return root


def elements(profile: Resource) -> list[Element]:
    """The element definitions that count; those that are misshapen count for nothing."""
    view = profile.get("snapshot") or profile.get("differential") or {}
    found = _listed(view, "element") if isinstance(view, dict) else []
    return [item for item in found if isinstance(item.get("path"), str)]


def constraints(facts: Element) -> list[Element]:
    """The profile's own invariants: those of R4 itself are the gate's."""
    return [
        item
        for item in _listed(facts, "constraint")
        if isinstance(item.get("expression"), str) and not _is_core(item.get("source"), str(item.get("key", "")))
    ]


def needed(profile: Resource) -> Iterator[tuple[str, str]]:
    """(type, canonical) of all that a check by this profile must look up: profiles and value sets."""
    base = profile.get("baseDefinition")
    if isinstance(base, str) and not is_core(base) and not profile.get("snapshot"):
        yield "StructureDefinition", base
    for facts in elements(profile):
        binding = facts.get("binding")
        if isinstance(binding, dict) and isinstance(value_set := binding.get("valueSet"), str):
            yield "ValueSet", value_set
        for item in _listed(facts, "type"):
            targets = (one for one in named(item, "targetProfile") if not is_core(one))
            urls = (one.partition("#")[0] for one in profiles(item))
            yield from (("StructureDefinition", one) for one in (*urls, *targets))
        for expression in (one.get("expression") for one in _listed(facts, "constraint")):
            yield from (("ValueSet", url) for url in _MEMBERSHIP.findall(str(expression)))
            yield from (("StructureDefinition", url) for url in _CONFORMANCE.findall(str(expression)))


def profiles(item: Element) -> list[str]:
    """The profiles that a type of an element names, without those of R4 itself.

    ``url#Composition.section:diet`` is one element of a profile:
    http://hl7.org/fhir/StructureDefinition/elementdefinition-profile-element.
    """
    listed = item.get("_profile")
    halves = listed if isinstance(listed, list) else []
    found = zip_longest(named(item, "profile"), halves)
    return [f"{one}{_part(half)}" for one, half in found if one and not is_core(one)]


def _part(half: Any) -> str:
    url = f"{CORE}elementdefinition-profile-element"
    extensions = _listed(half, "extension") if isinstance(half, dict) else []
    return next((f"#{one.get('valueString')}" for one in extensions if one.get("url") == url), "")


def named(item: Element, key: str) -> list[str]:
    """All addresses that a type of an element lists under ``profile`` or ``targetProfile``."""
    found = item.get(key)
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def is_core(canonical: str) -> bool:
    """Whether the address is that of a type of R4 itself, and not of one of the profiles beside them."""
    name = canonical.partition("|")[0].removeprefix(CORE)
    return canonical.startswith(CORE) and (name in types() or name in PRIMITIVES or name in ABSTRACT)


def _is_core(source: Any, key: str) -> bool:
    if isinstance(source, str):
        return is_core(source)
    return key.partition("-")[0] in ("ele", "ext", "dom")


def _place(root: Node, facts: Element, begun: dict[str, str]) -> None:
    """Put an element where its id says: ``Patient.identifier:mrn.system``.

    Without an id it lies in the slice that was ``begun`` last at each place of its path.
    """
    text = facts["id"] if isinstance(facts.get("id"), str) else _named_in_order(facts, begun)
    node = root
    for segment in text.split(".")[1:]:
        name, _, slice_ = segment.partition(":")
        node = node.children.setdefault(name, Node(name))
        if slice_:
            node = node.slices.setdefault(slice_, Node(name, slice=slice_))
    node.facts = {**node.facts, **facts}


def _named_in_order(facts: Element, begun: dict[str, str]) -> str:
    path, name = facts["path"], facts.get("sliceName")
    for place in [place for place in begun if place == path or place.startswith(f"{path}.")]:
        del begun[place]
    if isinstance(name, str):
        begun[path] = name
    steps: list[str] = []
    found: list[str] = []
    for step in path.split("."):
        steps.append(step)
        slice_ = begun.get(".".join(steps))
        found.append(f"{step}:{slice_}" if slice_ else step)
    return ".".join(found)


def _listed(element: Element, name: str) -> list[Element]:
    found = element.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
