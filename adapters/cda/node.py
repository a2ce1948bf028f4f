"""A CDA element as the adapter sees it: attributes, text and children, each with its place in the document.

https://www.w3.org/TR/xpath-31/#abbrev
"""

from collections.abc import Mapping, Sequence

from adapters.contract import Account

_NO_TEXTS: Mapping[str, str] = {}
_NO_LINES: Mapping[str, Account] = {}
_NOBODY: "Mapping[str, Node]" = {}


# Not a dataclass: a 100 kB document makes 3,000 of these.
class Node:
    """One element. The one that the document does not have is NOTHING, which is falsy and empty all the way down.

    ``lines`` are its lines of the ledger: each attribute's by its name, that of its own words by an empty name.
    ``is_plural`` is whether two of its children have the same name.
    """

    __slots__ = ("_firsts", "attributes", "children", "is_plural", "lines", "name", "narrative", "place", "text")

    def __init__(
        self,
        name: str = "",
        place: str = "",
        attributes: Mapping[str, str] = _NO_TEXTS,
        text: str = "",
        children: "Sequence[Node]" = (),
    ) -> None:
        self.name = name
        self.place = place
        self.attributes = attributes
        self.text = text
        self.narrative = ""
        self.is_plural = False
        self.lines: Mapping[str, Account] = _NO_LINES
        self.children = children
        if not children:
            self._firsts = _NOBODY
        elif len(children) == 1:
            self._firsts = {children[0].name: children[0]}
        else:
            # From back to front, so that the first of a name is the one that stays.
            self._firsts = {child.name: child for child in reversed(children)}
            self.is_plural = len(self._firsts) < len(children)

    def altered(self, attributes: Mapping[str, str], children: "Sequence[Node]") -> "Node":
        """The same element with other attributes and children; its fields keep their lines of the ledger."""
        node = Node(self.name, self.place, attributes, self.text, children)
        node.lines = self.lines
        return node

    def get(self, attribute: str) -> str:
        return self.attributes.get(attribute, "")

    def all(self, name: str) -> "list[Node]":
        first = self._firsts.get(name)
        if first is None:
            return []
        # Most elements have no name twice.
        return [child for child in self.children if child.name == name] if self.is_plural else [first]

    def first(self, name: str, *below: str) -> "Node":
        """The first element of the name, or down the path; NOTHING where there is none."""
        node = self._firsts.get(name, NOTHING)
        return node.first(*below) if below else node

    def states_the_same(self, other: "Node") -> bool:
        """Whether two mentions of a fact agree in what it is, when it was and whether it is so."""
        if any(self.get(name) != other.get(name) for name in _SAID):
            return False
        return all(_essence(self.all(name)) == _essence(other.all(name)) for name in _STATED)

    def walk(self) -> "list[Node]":
        """This element and all below it, in document order."""
        return [self, *(one for child in self.children for one in child.walk())] if self.children else [self]

    def leave_out(self, reason: str) -> None:
        """Its attributes are left out on purpose; what was mapped stays so."""
        for name, line in self.lines.items():
            if name:
                line.ignore(reason)


class _Nothing(Node):
    """What the document does not have: all that is asked of it is empty."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False


NOTHING: Node = _Nothing()
_SAID = ("moodCode", "negationInd")
_STATED = ("value", "effectiveTime", "consumable", "administrationUnitCode")
_MEANT = ("xsi:type", "code", "value", "unit", "nullFlavor")


def _essence(nodes: Sequence[Node]) -> list[tuple[object, ...]]:
    """What the elements mean, without their words and translations."""
    bare = [node for node in nodes if node.name not in {"translation", "originalText", "templateId", "id"}]
    return [(node.name, *(node.get(name) for name in _MEANT), _essence(node.children)) for node in bare]
