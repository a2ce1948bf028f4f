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

    def states_the_same(self, other: "Node") -> bool:
        """Whether two mentions of a fact agree in what it is, when it was and whether it is so."""
        if any(self.get(name) != other.get(name) for name in _SAID):
            return False
        return all(_essence(self.all(name)) == _essence(other.all(name)) for name in _STATED)

    def walk(self) -> Iterator["Node"]:
        """This element and all below it, in document order."""
        yield self
        for child in self.children:
            yield from child.walk()


NOTHING = Node()
_SAID = ("moodCode", "negationInd")
_STATED = ("value", "effectiveTime", "consumable", "administrationUnitCode")
_MEANT = ("xsi:type", "code", "value", "unit", "nullFlavor")


def _essence(nodes: list[Node]) -> list[tuple[object, ...]]:
    """What the elements mean, without their words and translations."""
    bare = [node for node in nodes if node.name not in {"translation", "originalText", "templateId", "id"}]
    return [(node.name, *(node.get(name) for name in _MEANT), _essence(node.children)) for node in bare]
