"""A CDA element as the adapter sees it: attributes, text and children, each with its place in the document.

https://www.w3.org/TR/xpath-31/#abbrev
"""

from collections.abc import Iterator
from dataclasses import dataclass, field


# Not frozen: a 100 kB document makes 3,000 of these, and frozen construction alone would take a tenth of its time.
@dataclass(slots=True, eq=False)
class Node:
    """One element; falsy when the document does not have it, so that a missing branch reads as empty."""

    name: str = ""
    place: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: list["Node"] = field(default_factory=list)
    narrative: str = ""

    def __bool__(self) -> bool:
        return bool(self.name)

    def get(self, attribute: str) -> str:
        return self.attributes.get(attribute, "")

    def all(self, name: str) -> list["Node"]:
        return [child for child in self.children if child.name == name] if self.children else []

    def first(self, *path: str) -> "Node":
        """The first element down the path, or an empty one."""
        node = self
        for name in path:
            for child in node.children:
                if child.name == name:
                    node = child
                    break
            else:
                return NOTHING
        return node

    def walk(self) -> Iterator["Node"]:
        """This element and all below it, in document order."""
        yield self
        for child in self.children:
            yield from child.walk()


NOTHING = Node()
