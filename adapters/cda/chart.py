"""What one document's translation shares: the Bundle being written, the ledger, and where each field goes.

https://hl7.org/fhir/R4/datatypes.html
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from adapters.cda.node import Node
from adapters.cda.parse import Document
from adapters.contract import Account, Hospital, Notice, Resource
from adapters.draft import Draft, pruned

Link = tuple[str, str]
"""A resource of this Bundle: its type and local key."""
_bare = object.__new__


@dataclass(slots=True)
class Chart:
    """The state of one translation; lives as long as the call that made it."""

    hospital: Hospital
    document: Document
    draft: Draft
    scope: str = ""
    patient: str = ""
    patient_ids: frozenset[tuple[str, str]] = frozenset()
    encounter: Link | None = None
    stay: tuple[str, str] = ("", "")
    problems: dict[str, Link] = field(default_factory=dict)
    indications: list[tuple[Link, str]] = field(default_factory=list)
    notices: dict[Notice, None] = field(default_factory=dict)
    _keys: dict[tuple[str, str], list[tuple[str, Node]]] = field(default_factory=dict)

    def link(self, link: Link, display: str = "") -> Resource:
        return self.draft.reference(*link, display or None)

    def add(self, link: Link, elements: Resource) -> None:
        """Add a resource to the Bundle or complete one added before."""
        self.draft.add(*link, elements, clean=True)

    def subject(self) -> Resource:
        return self.link(("Patient", self.patient))

    def spot(self, link: Link) -> "Spot":
        return Spot(self, f"{link[0]}/{self.draft.id(*link)}")

    def notice(self, where: str, text: str) -> None:
        self.notices[Notice(where, text)] = None

    def known(self, link: Link, element: str) -> list[Resource]:
        """What an earlier mention of the same resource already put into one of its lists."""
        return list(self.draft.live(*link).get(element, []))

    def fact_key(self, resource_type: str, signature: str, number: str, statement: Node) -> str:
        """The key of a fact: what it states, counted when different facts of one document state the same.

        A sender's own id alone will not do: published samples give one id to two different problems.
        """
        facts = self._keys.setdefault((resource_type, signature), [])
        for place, (known, told) in enumerate(facts):
            if number and known == number and told.states_the_same(statement):
                return f"{self.scope}|{signature}|{place}"
        facts.append((number, statement))
        return f"{self.scope}|{signature}|{len(facts) - 1}"

    def encounter_at(self, time: str) -> Resource | None:
        """The document's encounter, if the time lies inside it."""
        start, end = (stamp[:10] for stamp in self.stay)
        if self.encounter is None or len(time) < 10 or not start:
            return None
        return self.link(self.encounter) if start <= time[:10] <= (end or time[:10]) else None


class Spot:
    """A place in a FHIR resource; reading a source field through it writes the ledger line."""

    __slots__ = ("_dot", "_here", "_silent", "chart")

    def __init__(self, chart: Chart, resource: str, silent: bool = False) -> None:
        self.chart = chart
        self._here = f"{resource}#"
        self._dot = ""
        self._silent = silent

    @property
    def resource_type(self) -> str:
        return self._here.partition("/")[0]

    def at(self, path: str) -> "Spot":
        # Without a call of __init__: a document asks for some 1,500 of these.
        spot = _bare(Spot)
        spot.chart, spot._silent, spot._dot = self.chart, self._silent, "."
        spot._here = f"{self._here}{self._dot}{path}"
        return spot

    def silent(self) -> "Spot":
        """The same place for a look at the value that leaves no line in the ledger."""
        spot = _bare(Spot)
        spot.chart, spot._silent, spot._dot, spot._here = self.chart, True, self._dot, self._here
        return spot

    def attribute(self, node: Node, name: str, path: str = "") -> str:
        """The attribute's value, entered as mapped to this place."""
        value = node.attributes.get(name, "")
        if value and not self._silent:
            line = node.lines.get(name) or self._line(node, name)
            line.take(f"{self._here}{self._dot}{path}" if path else self._here)
        return value

    def text(self, node: Node, path: str = "") -> str:
        """The element's own text, entered as mapped to this place."""
        if node.text and not self._silent:
            self._line(node, "").take(f"{self._here}{self._dot}{path}" if path else self._here)
        return node.text

    def narrative(self, node: Node, path: str = "") -> str:
        if node.narrative and not self._silent:
            self._line(node, "").take(f"{self._here}{self._dot}{path}" if path else self._here)
        return node.narrative

    def _line(self, node: Node, name: str) -> Account:
        """The field's line; an element put together from others has none of its own and is looked up by its place."""
        line = node.lines.get(name)
        return line or self.chart.document.tally.present(f"{node.place}/@{name}" if name else node.place)


def listed(
    nodes: list[Node], place: tuple[Spot, str], make: Callable[[Node, Spot], Resource], known: list[Resource]
) -> list[Resource]:
    """What the nodes make, each once at its own index of the list, after what is known from an earlier mention.

    A person named five times in a document is described a little differently each time: nothing told is dropped.
    """
    spot, name = place
    found = list(known)
    for node in nodes:
        at = len(found)
        if known:
            again = pruned(make(node, spot.silent()))
            at = found.index(again) if again in found else at
        one = make(node, spot.at(f"{name}[{at}]"))
        if one:
            found[at : at + 1] = [one]
    return found
