"""What was taken from the patient to be examined.

https://hl7.org/fhir/R4/specimen.html
"""

from adapters.cda.chart import Chart, Link
from adapters.cda.datatypes import known_concept, timing
from adapters.cda.facts import PART, set_aside
from adapters.cda.identifiers import identifiers, number_of
from adapters.cda.node import NOTHING, Node
from adapters.cda.quantities import quantity
from adapters.contract import Resource

_COLLECTION = "17636008"


def specimen(chart: Chart, statement: Node) -> Link | None:
    """The specimen of a result or of a whole report, with how it was taken."""
    role = statement.first("specimen", "specimenRole")
    taken = _collection(statement)
    if not role and not taken:
        return None
    thing = role.first("specimenPlayingEntity")
    number = next((number_of(one) for one in role.all("id") if number_of(one)), "")
    link = ("Specimen", f"{chart.scope}|{number or (role or taken).place}")
    spot = chart.spot(link)
    kind = known_concept(thing.first("code"), spot.at("type"))
    name = spot.text(thing.first("name"), "note[0].text" if kind else "type.text")
    desc = thing.first("desc")
    elements: Resource = {
        "identifier": identifiers(role.all("id"), spot),
        "type": kind or {"text": name},
        "subject": chart.subject(),
        "collection": {
            **timing(taken.first("effectiveTime"), spot.at("collection"), "collected"),
            "quantity": quantity(thing.first("quantity"), spot.at("collection.quantity")),
            "bodySite": known_concept(taken.first("targetSiteCode"), spot.at("collection.bodySite")),
        },
        "note": [{"text": text} for text in (name if kind else "", spot.text(desc, _place(kind, name))) if text],
    }
    set_aside(taken, spot, PART)
    chart.add(link, elements)
    return link


def _place(kind: Resource, name: str) -> str:
    return "note[1].text" if kind and name else "note[0].text"


def _collection(statement: Node) -> Node:
    """The act of taking it, which stands beside the results."""
    acts = (component.first("procedure") for component in statement.all("component"))
    return next((node for node in acts if node.first("code").get("code") == _COLLECTION), NOTHING)
