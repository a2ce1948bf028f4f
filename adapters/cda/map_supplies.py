"""What a pharmacy is asked to give out, and what it gave out.

https://hl7.org/fhir/R4/medicationdispense.html
"""

import re
from typing import Any

from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import filled, period, required_concept, start
from adapters.cda.facts import Setting, author, authored, keep_text, notes, open_fact, performers, related, status
from adapters.cda.map_dosages import ASKED, instruction
from adapters.cda.node import NOTHING, Node
from adapters.cda.quantities import quantity
from adapters.cda.tables import translated
from adapters.contract import Resource


def order_of(statement: Node) -> Node:
    """What the pharmacy is asked to give out of this medicine."""
    return next((node for node in related(statement, "supply") if node.get("moodCode") in ASKED), NOTHING)


def asked_for(order: Node, spot: Spot) -> Resource:
    """How much to dispense, how often again, and until when."""
    request = {
        "validityPeriod": period(order.first("effectiveTime"), spot.at("validityPeriod")),
        "numberOfRepeatsAllowed": _again(order.first("repeatNumber"), spot),
        "quantity": quantity(order.first("quantity"), spot.at("quantity")),
    }
    return filled(request)


def _again(node: Node, spot: Spot) -> int | None:
    """CDA counts the first dispense, FHIR those after it."""
    if not re.fullmatch(r"[1-9][0-9]{0,7}", node.get("value")):
        return None
    return int(spot.attribute(node, "value", "numberOfRepeatsAllowed")) - 1


def orders(chart: Chart, statement: Node, setting: Setting, source: Link) -> None:
    """What was prescribed of a medicine that is taken or given: requests of their own, which that follows."""
    medicine = statement.first("consumable", "manufacturedProduct", "manufacturedMaterial", "code")
    nodes = [node for node in related(statement, "supply") if node.get("moodCode") in ASKED]
    asked = [chart.link(_order(chart, node, setting, medicine)) for node in nodes]
    if asked:
        chart.add(source, {"basedOn": asked} if source[0] == "MedicationStatement" else {"request": asked[0]})


def _order(chart: Chart, node: Node, setting: Setting, medicine: Node) -> Link:
    own = _product(node) or medicine
    link, spot, elements = open_fact(chart, "MedicationRequest", node, own)
    keep_text(node, setting)
    told = instruction(node, spot.at("dosageInstruction[0]"))
    elements |= {
        "status": status(node, "medication_request_status", spot),
        "intent": translated("medication_intent", node.get("moodCode")) or "order",
        "medicationCodeableConcept": required_concept(own, spot.at("medicationCodeableConcept"), node.first("text")),
        "subject": chart.subject(),
        "authoredOn": authored(node, spot, "authoredOn"),
        "requester": author(node, spot, "requester"),
        "dosageInstruction": [told] if told else [],
        "dispenseRequest": asked_for(node, spot.at("dispenseRequest")),
        "note": notes(node, spot),
    }
    chart.add(link, elements)
    return link


def _product(node: Node) -> Node:
    return node.first("product", "manufacturedProduct", "manufacturedMaterial", "code")


def dispenses(chart: Chart, statement: Node, setting: Setting, source: Link) -> None:
    """What was handed over for this medicine, one MedicationDispense each."""
    medicine = statement.first("consumable", "manufacturedProduct", "manufacturedMaterial", "code")
    for node in related(statement, "supply"):
        if node.get("moodCode") not in ASKED:
            dispense(chart, node, setting, source, medicine)


def dispense(
    chart: Chart, node: Node, setting: Setting, source: Link | None = None, code: Node = NOTHING
) -> list[Link]:
    """One dispense; of the medicine it names itself, else of that of the statement around it."""
    own = _product(node) or code
    link, spot, elements = open_fact(chart, "MedicationDispense", node, own)
    keep_text(node, setting)
    prescribed = [chart.link(source)] if source and source[0] == "MedicationRequest" else []
    about = [chart.link(source)] if source and not prescribed else []
    elements |= {
        "status": status(node, "dispense_status", spot),
        "medicationCodeableConcept": required_concept(own, spot.at("medicationCodeableConcept"), node.first("text")),
        "subject": chart.subject(),
        "supportingInformation": about,
        "performer": [{"actor": one} for one in _givers(node, spot)],
        "authorizingPrescription": prescribed,
        "quantity": quantity(node.first("quantity"), spot.at("quantity")),
        **_handed_over(node.first("effectiveTime"), spot),
        "note": notes(node, spot),
    }
    chart.add(link, elements)
    return [link]


def _givers(node: Node, spot: Spot) -> list[Resource]:
    return performers(node, spot, "performer")


def _handed_over(node: Node, spot: Spot) -> dict[str, Any]:
    when = start(node, spot.at("whenHandedOver"))
    return {"whenHandedOver": when} if when else {}
