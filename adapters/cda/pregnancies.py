"""Whether the patient is pregnant, and when the child is due.

https://hl7.org/fhir/us/core/STU6.1/StructureDefinition-us-core-observation-pregnancystatus.html
"""

from adapters.cda.chart import Spot
from adapters.cda.datatypes import required_concept
from adapters.cda.facts import PART, follows, related, set_aside
from adapters.cda.node import NOTHING, Node
from adapters.cda.values import value
from adapters.contract import Resource

STATUS = {"system": "http://loinc.org", "code": "82810-3", "display": "Pregnancy status"}
UNKNOWN = {"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": "UNK", "display": "unknown"}

_PREGNANCY = "2.16.840.1.113883.10.20.15.3.8"
_DUE = ("2.16.840.1.113883.10.20.15.3.1", "11778-8")


def due_date(node: Node) -> bool:
    """Whether the observation is the estimated date of delivery, which is a part of the pregnancy's."""
    return follows(node, _DUE[0]) or node.first("code").get("code") == _DUE[1]


def pregnancy(statement: Node, elements: Resource, spot: Spot) -> None:
    """Give a pregnancy its code and its due date."""
    due = next((node for node in related(statement) if due_date(node)), NOTHING)
    if due:
        others = elements.get("component", [])
        place = spot.at(f"component[{len(others)}]")
        code = required_concept(due.first("code"), place.at("code"))
        elements["component"] = [*others, {"code": code, **value(due.first("value"), place)}]
        set_aside(due, spot, PART)
    if not follows(statement, _PREGNANCY):
        return
    codings = [one for one in elements["code"].get("coding", []) if one.get("code") != "ASSERTION"]
    if not any(one.get("code") == STATUS["code"] for one in codings):
        # That the sender gave no code of its own is still said.
        absent = {name: part for name, part in elements["code"].items() if name == "extension"}
        elements["code"] = {**absent, "coding": [STATUS, *codings]}


def not_known(statement: Node, spot: Spot) -> Resource:
    """That nobody knows of a pregnancy, which is an answer and no missing value."""
    node = statement.first("value")
    if not follows(statement, _PREGNANCY) or node.get("nullFlavor") != "UNK":
        return {}
    spot.attribute(node, "nullFlavor", "valueCodeableConcept.coding[0].code")
    return {"valueCodeableConcept": {"coding": [UNKNOWN]}}
