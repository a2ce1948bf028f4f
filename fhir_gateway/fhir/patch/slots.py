"""Elements of a JSON resource as FHIRPath sees them: a primitive and its other half are one, single or in a list.

https://hl7.org/fhir/R4/json.html#primitive
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fhir_gateway.fhir.definitions import types
from fhir_gateway.fhir.elements import choice, kind_of, members


@dataclass(frozen=True, slots=True)
class Content:
    """One element: its JSON value, and what ``_name`` holds beside a primitive."""

    value: Any
    half: Any = None

    @property
    def is_empty(self) -> bool:
        return self.value is None and self.half is None


@dataclass(frozen=True, slots=True)
class Node:
    """An element in its place: ``owner[member]``, and in a list the item at ``place``; the root has no owner."""

    kind: str
    content: Content
    owner: "Node | None" = None
    member: str = ""
    place: int = 0

    @property
    def element(self) -> dict[str, Any]:
        """The object to look into for children: a primitive's are in its other half."""
        value = self.content.value if isinstance(self.content.value, dict) else self.content.half
        return value if isinstance(value, dict) else {}

    @property
    def class_(self) -> str:
        """The class that says which members the object may have."""
        return self.kind if isinstance(self.content.value, dict) else "Element"


def root(resource: dict[str, Any]) -> Node:
    return Node(resource["resourceType"], Content(resource))


def children(node: Node, name: str) -> list[Node]:
    """The child elements of a name; ``value`` finds whichever type the choice has."""
    return [child for member in spelled(node.class_, name) for child in _of_member(node, member)]


def _of_member(node: Node, member: str) -> Iterator[Node]:
    kind = members(node.class_)[member]
    for place, content in enumerate(contents(node.element, member)):
        yield Node(kind_of(kind, content.value), content, node, member, place)


def spelled(kind: str, name: str) -> list[str]:
    """The JSON members that an element name stands for; none when the class has no such element."""
    if name.startswith("_") or kind not in types():
        return []
    if name in members(kind):
        return [name]
    facts = types()[kind]["elements"].get(f"{name}[x]")
    return [choice(f"{name}[x]", code) for code in facts["types"]] if facts else []


def repeats(kind: str, member: str) -> bool:
    return "max" in types()[kind]["elements"].get(member, {})


def contents(element: dict[str, Any], member: str) -> list[Content]:
    """What a member holds, as a list whether it repeats or not."""
    values, halves = _listed(element.get(member)), _listed(element.get(f"_{member}"))
    length = max(len(values), len(halves))
    values += [None] * (length - len(values))
    halves += [None] * (length - len(halves))
    return [Content(value, half) for value, half in zip(values, halves, strict=True)]


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def store(owner: Node, member: str, items: Sequence[Content]) -> None:
    """Write back what a member holds; without items the member goes."""
    several = repeats(owner.class_, member)
    for name, values in ((member, [item.value for item in items]), (f"_{member}", [item.half for item in items])):
        if all(value is None for value in values):
            owner.element.pop(name, None)
        else:
            owner.element[name] = values if several else values[0]


def opened(node: Node) -> Node:
    """The node with an object to put children into: a primitive without a half gets one."""
    if node.owner is None or isinstance(node.content.value, dict) or isinstance(node.content.half, dict):
        return node
    content = Content(node.content.value, {})
    there = contents(node.owner.element, node.member)
    there[node.place] = content
    store(node.owner, node.member, there)
    return replace(node, content=content)


def pruned(value: Any) -> Any:
    """A copy without objects and lists that hold nothing, which FHIR does not allow.

    A null in a list stays: it stands opposite its other half.
    """
    if isinstance(value, dict):
        kept = {name: pruned(item) for name, item in value.items()}
        return {name: item for name, item in kept.items() if item not in ({}, [])}
    if isinstance(value, list):
        return [item for item in map(pruned, value) if item not in ({}, [])]
    return value
