"""What the patient's relatives had.

https://hl7.org/fhir/R4/familymemberhistory.html
"""

from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import day, required_concept, start
from adapters.cda.facts import Setting, keep_text, open_fact
from adapters.cda.node import Node
from adapters.cda.tables import translated
from adapters.contract import Resource

GENDER = "http://hl7.org/fhir/administrative-gender"


def family(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """One relative with the conditions that the organizer lists."""
    relative = statement.first("subject", "relatedSubject")
    person = relative.first("subject")
    link, spot, elements = open_fact(chart, "FamilyMemberHistory", statement, relative.first("code"))
    observations = [node.first("observation") for node in statement.all("component") if node.first("observation")]
    elements |= {
        "status": "completed",
        "patient": chart.subject(),
        "relationship": required_concept(relative.first("code"), spot.at("relationship")),
        "sex": _sex(person.first("administrativeGenderCode"), spot),
        "bornDate": day(person.first("birthTime"), spot.at("bornDate")),
        "condition": [_condition(node, spot.at(f"condition[{n}]"), setting) for n, node in enumerate(observations)],
    }
    chart.draft.add(*link, elements)
    return [link]


def _sex(node: Node, spot: Spot) -> Resource:
    sex = translated("gender", node.get("code"))
    if not sex:
        return {}
    for name in ("code", "codeSystem", "displayName"):
        spot.attribute(node, name, "sex.coding[0].code")
    return {"coding": [{"system": GENDER, "code": sex}]}


def _condition(node: Node, spot: Spot, setting: Setting) -> Resource:
    keep_text(node, setting)
    onset = start(node.first("effectiveTime"), spot.at("onsetString"))
    return {
        "code": required_concept(node.first("value"), spot.at("code"), node.first("text")),
        "onsetString": onset,
    }
