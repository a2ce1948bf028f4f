"""A StructureDefinition as a tree: each element's demands, its children and its slices.

https://hl7.org/fhir/R4/elementdefinition.html
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fhir_gateway.fhir.definitions import types
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.fhir.schema import PRIMITIVES

CORE = "http://hl7.org/fhir/StructureDefinition/"

Element = dict[str, Any]


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

    def at(self, path: str) -> "Node | None":
        """The node at a simple path below this one: ``$this``, ``code.coding``."""
        node: Node | None = self
        for step in path.split(".") if path not in ("$this", "") else ():
            node = (node.children.get(step) or node.children.get(f"{step}[x]")) if node else None
        return node


def tree(profile: Resource) -> Node:
    """The root of a profile's own elements: of its snapshot, else of its differential."""
    root = Node(str(profile.get("type", "Resource")))
    for facts in elements(profile):
        _place(root, facts)
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
    if isinstance(base, str) and not base.startswith(CORE) and not profile.get("snapshot"):
        yield "StructureDefinition", base
    for facts in elements(profile):
        binding = facts.get("binding")
        if isinstance(binding, dict) and isinstance(value_set := binding.get("valueSet"), str):
            yield "ValueSet", value_set
        for item in _listed(facts, "type"):
            yield from (("StructureDefinition", one) for one in profiles(item))


def profiles(item: Element) -> list[str]:
    """The profiles that a type of an element names, without those of R4 itself."""
    found = item.get("profile")
    return [one for one in found if isinstance(one, str) and not is_core(one)] if isinstance(found, list) else []


def is_core(canonical: str) -> bool:
    """Whether the address is that of a type of R4 itself, and not of one of the profiles beside them."""
    name = canonical.partition("|")[0].removeprefix(CORE)
    return canonical.startswith(CORE) and (name in types() or name in PRIMITIVES or name in _ABSTRACT)


_ABSTRACT = frozenset({"BackboneElement", "DomainResource", "Resource"})


def _is_core(source: Any, key: str) -> bool:
    if isinstance(source, str):
        return is_core(source)
    return key.partition("-")[0] in ("ele", "ext", "dom")


def _place(root: Node, facts: Element) -> None:
    """Put an element where its id, or else its path, says: ``Patient.identifier:mrn.system``."""
    text = facts["id"] if isinstance(facts.get("id"), str) else facts["path"]
    if "id" not in facts and isinstance(facts.get("sliceName"), str):
        text = f"{text}:{facts['sliceName']}"
    node = root
    for segment in text.split(".")[1:]:
        name, _, slice_ = segment.partition(":")
        node = node.children.setdefault(name, Node(name))
        if slice_:
            node = node.slices.setdefault(slice_, Node(name, slice=slice_))
    node.facts = {**node.facts, **facts}


def _listed(element: Element, name: str) -> list[Element]:
    found = element.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
