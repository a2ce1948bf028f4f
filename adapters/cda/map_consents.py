"""Advance directives: what the patient wants done, or not done, when unable to say so.

https://hl7.org/fhir/R4/consent.html
"""

from typing import Any

from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import absent, known_concept, period, required_concept, start
from adapters.cda.facts import Setting, authored, keep_text, notes, open_fact, status
from adapters.cda.identifiers import identifier
from adapters.cda.node import Node
from adapters.contract import Resource

SCOPE = {"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "adr"}
CATEGORY = {"system": "http://terminology.hl7.org/CodeSystem/consentcategorycodes", "code": "acd"}


def directive(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """One wish as a Consent; the wish itself is its policy rule."""
    link, spot, elements = open_fact(chart, "Consent", statement, statement.first("code"))
    keep_text(statement, setting)
    told = status(statement, "consent_status", spot)
    elements |= {
        "extension": _remarks(statement, spot),
        "status": "active" if told == "unknown" else told,
        "scope": {"coding": [SCOPE]},
        "category": _categories(setting.concern, spot),
        "patient": chart.subject(),
        "dateTime": authored(statement, spot, "dateTime", setting.concern),
        **_source(statement, spot),
        "policyRule": known_concept(statement.first("value"), spot.at("policyRule")) or absent(),
        "verification": _verifications(statement, spot),
        "provision": _provision(statement, spot.at("provision")),
    }
    chart.add(link, elements)
    return [link]


def _categories(folder: Node, spot: Spot) -> list[Resource]:
    """An advance directive, and which kind of paper it belongs to."""
    paper = known_concept(folder.first("code"), spot.at("category[1]"))
    return [{"coding": [CATEGORY]}, *([paper] if paper else [])]


def _remarks(statement: Node, spot: Spot) -> list[Resource]:
    """Consent has no notes of its own: R4's extension for them."""
    url = "http://hl7.org/fhir/StructureDefinition/note"
    looked = notes(statement, Spot(spot.chart, "", silent=True))
    return [{"url": url, "valueAnnotation": note} for note in looked]


def _provision(statement: Node, spot: Spot) -> Resource:
    """What it is about and from when to when it counts."""
    return {
        "period": period(statement.first("effectiveTime"), spot.at("period")),
        "code": [required_concept(statement.first("code"), spot.at("code[0]"), statement.first("text"))],
    }


def _source(statement: Node, spot: Spot) -> dict[str, Any]:
    """The paper that the patient signed, by its number."""
    number = identifier(statement.first("reference", "externalDocument", "id"), spot.at("sourceReference.identifier"))
    return {"sourceReference": {"type": "DocumentReference", "identifier": number}} if number else {}


def _verifications(statement: Node, spot: Spot) -> list[Resource]:
    """When someone made sure that the wish still stands."""
    found: list[Resource] = []
    for node in statement.all("participant"):
        if node.get("typeCode") == "VRF":
            when = start(node.first("time"), spot.at(f"verification[{len(found)}].verificationDate"))
            found.append({"verified": True, "verificationDate": when})
    return found
