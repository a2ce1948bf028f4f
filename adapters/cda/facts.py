"""What every clinical statement has in common: its key, identifiers, status, time, author, nested remarks.

https://hl7.org/fhir/R4/event.html
"""

from dataclasses import dataclass

from adapters.cda import times
from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import time
from adapters.cda.identifiers import identifiers, number_of
from adapters.cda.map_staff import party
from adapters.cda.node import Node
from adapters.cda.tables import SectionKind, translated
from adapters.contract import Resource


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a statement stands: the kind of its section, and the narrative that shows it to a reader."""

    section: SectionKind
    narrative: Spot


def open_fact(chart: Chart, resource_type: str, statement: Node, code: Node) -> tuple[Link, Spot, Resource]:
    """The link, the place and the first elements of the resource for a statement."""
    number = next((number_of(node) for node in statement.all("id") if number_of(node)), "")
    signature = f"{chart.patient}|{_label(code)}|{_stamp(statement)}"
    link = (resource_type, chart.fact_key(resource_type, signature, number))
    spot = chart.spot(link)
    return link, spot, {"identifier": identifiers(statement.all("id"), spot)}


def _label(code: Node) -> str:
    """What tells one coded value from another, for a key."""
    text = code.first("originalText")
    return code.get("code") or code.get("displayName") or text.text or text.first("reference").get("value")


def _stamp(statement: Node) -> str:
    when = statement.first("effectiveTime")
    return when.get("value") or when.first("low").get("value") or when.first("center").get("value")


def status(statement: Node, table: str, spot: Spot, path: str = "status") -> str:
    """The statement's status by the table; ``unknown`` when the sender gives none that the table has."""
    node = statement.first("statusCode")
    found = translated(table, node.get("code"))
    if found:
        spot.attribute(node, "code", path)
        spot.attribute(node, "codeSystem", path)
    return found or "unknown"


def is_negated(statement: Node, spot: Spot, path: str) -> bool:
    """Whether the sender states that it is not so; the flag goes where ``path`` says that."""
    return spot.attribute(statement, "negationInd", path) == "true"


def author(statement: Node, spot: Spot, path: str) -> Resource:
    """Who wrote the statement: its first author."""
    return party(statement.first("author", "assignedAuthor"), spot.at(path))


def authored(statement: Node, spot: Spot, path: str) -> str:
    """The earliest time any author gives."""
    stamps = [node.first("time") for node in statement.all("author")]
    earliest = min((node for node in stamps if node.get("value")), key=lambda node: node.get("value"), default=None)
    return time(earliest, spot.at(path)) if earliest is not None else ""


def performers(statement: Node, spot: Spot, path: str) -> list[Resource]:
    """References to all who did it."""
    entities = [node.first("assignedEntity") for node in statement.all("performer")]
    found = (party(entity, spot.at(f"{path}[{n}]")) for n, entity in enumerate(entities))
    return [one for one in found if one]


def keep_text(statement: Node, setting: Setting) -> None:
    """A link into the narrative needs no copy of the words: the section shows them."""
    reference = statement.first("text", "reference")
    if reference.get("value").removeprefix("#") in setting.narrative.chart.document.anchors:
        setting.narrative.attribute(reference, "value")


def inline_note(statement: Node, spot: Spot) -> list[Resource]:
    """Words that stand in the statement itself and nowhere in the narrative."""
    text = spot.text(statement.first("text"), "note[0].text")
    return [{"text": text}] if text else []


def related(statement: Node, element: str = "observation") -> list[Node]:
    """The statements nested in this one."""
    return [node.first(element) for node in statement.all("entryRelationship") if node.first(element)]


def with_template(statement: Node, *roots: str) -> Node:
    """The first nested observation that follows one of the templates."""
    for nested in related(statement):
        if any(template.get("root") in roots for template in nested.all("templateId")):
            return nested
    return Node()


def instant(moment: str) -> str:
    """The time if it is exact enough to be an instant."""
    return moment if times.is_instant(moment) else ""
