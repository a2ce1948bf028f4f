"""Vaccinations that were given, or were refused and why.

https://hl7.org/fhir/R4/immunization.html
"""

import re
from typing import Any

from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import absence_code, absent, concept, required_concept, start
from adapters.cda.facts import (
    PART,
    Setting,
    authored,
    follows,
    is_negated,
    keep_text,
    notes,
    open_fact,
    performers,
    reasons,
    related,
    set_aside,
    status,
    with_template,
)
from adapters.cda.map_medications import drug
from adapters.cda.map_observations import observation, remarks
from adapters.cda.map_staff import STAFF, organization, party
from adapters.cda.node import Node
from adapters.cda.quantities import quantity
from adapters.contract import Resource

FUNCTION = "http://terminology.hl7.org/CodeSystem/v2-0443"

_REFUSAL = "2.16.840.1.113883.10.20.22.4.53"
_REACTION = "2.16.840.1.113883.10.20.22.4.9"


def immunization(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """An Immunization; a negated one was not given, with the reason where there is one."""
    link, spot, elements = open_fact(chart, "Immunization", statement, drug(statement))
    keep_text(statement, setting)
    product = statement.first("consumable", "manufacturedProduct")
    material = product.first("manufacturedMaterial")
    elements |= {
        "status": _given(statement, spot),
        "statusReason": _refused(statement, spot),
        "vaccineCode": required_concept(drug(statement), spot.at("vaccineCode"), material.first("name")),
        "patient": chart.subject(),
        **_occurrence(statement.first("effectiveTime"), spot),
        "_primarySource": absent(),
        "lotNumber": spot.text(material.first("lotNumberText"), "lotNumber"),
        "manufacturer": organization(product.first("manufacturerOrganization"), spot.at("manufacturer")),
        "site": concept(statement.first("approachSiteCode"), spot.at("site")),
        "route": concept(statement.first("routeCode"), spot.at("route")),
        "doseQuantity": quantity(statement.first("doseQuantity"), spot.at("doseQuantity")),
        "recorded": authored(statement, spot, "recorded"),
        "performer": _givers(statement, spot),
        "reasonCode": reasons(statement, link, spot),
        "note": notes(statement, spot),
        "reaction": _reactions(chart, statement, setting),
        "protocolApplied": _dose_number(statement.first("repeatNumber"), spot),
    }
    chart.add(link, elements)
    remarks(chart, statement, setting, link)
    return [link]


def _refused(statement: Node, spot: Spot) -> Resource:
    refusal = with_template(statement, _REFUSAL)
    reason = concept(refusal.first("code"), spot.at("statusReason"))
    set_aside(refusal, spot, PART)
    return reason


def _reactions(chart: Chart, statement: Node, setting: Setting) -> list[Resource]:
    """What the body did after it, each as an Observation."""
    found: list[Resource] = []
    for node in related(statement):
        if follows(node, _REACTION):
            made = observation(chart, node, setting)
            when = start(node.first("effectiveTime"), chart.spot(made[0]).silent())
            found += [{"date": when, "detail": chart.link(link)} for link in made]
    return found


def _givers(statement: Node, spot: Spot) -> list[Resource]:
    """Who gave it and who entered it: FHIR tells them apart by function (table 0443)."""
    found = [(actor, "AP") for actor in performers(statement, spot, "performer", "actor")]
    entered = statement.first("author", "assignedAuthor")
    writer = party(entered, spot.at(f"performer[{len(found)}].actor"), STAFF)
    found += [(writer, "EP")] if writer else []
    return [{"function": {"coding": [{"system": FUNCTION, "code": code}]}, "actor": actor} for actor, code in found]


def _given(statement: Node, spot: Spot) -> str:
    """FHIR has three words: given, not given, an error; without a word it counts as given, as the guide says."""
    told = status(statement, "immunization_status", spot)
    if is_negated(statement, spot, "status"):
        return "not-done"
    return "completed" if told == "unknown" else told


def _occurrence(node: Node, spot: Spot) -> dict[str, Any]:
    """The time; FHIR demands one here, and takes words where there is none."""
    when = start(node, spot.at("occurrenceDateTime"))
    if when:
        return {"occurrenceDateTime": when}
    return {"occurrenceString": absence_code(node, spot, "occurrenceString") or "unknown"}


def _dose_number(node: Node, spot: Spot) -> list[Resource]:
    if not re.fullmatch(r"[1-9][0-9]{0,8}", node.get("value")):
        return []
    place = "protocolApplied[0].doseNumberPositiveInt"
    return [{"doseNumberPositiveInt": int(spot.attribute(node, "value", place))}]
