"""Vaccinations that were given, or were refused and why.

https://hl7.org/fhir/R4/immunization.html
"""

import re
from typing import Any

from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import absence_code, absent, concept, known_concept, start, words
from adapters.cda.facts import (
    PART,
    Setting,
    authored,
    explanations,
    follows,
    instructions,
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
from adapters.cda.map_medications import drug, named_drug
from adapters.cda.map_observations import observation, remarks
from adapters.cda.map_staff import STAFF, organization, party
from adapters.cda.node import NOTHING, Node
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
    refused = statement.get("negationInd") == "true"
    elements |= {
        "status": _given(statement, spot),
        "statusReason": _refused(statement, refused, spot),
        "vaccineCode": named_drug(statement, spot.at("vaccineCode")),
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
        "reasonCode": [] if refused else reasons(statement, link, spot),
        "note": _told(statement, spot),
        "education": _education(statement, spot),
        "reaction": _reactions(chart, statement, setting),
        "protocolApplied": _dose_number(statement.first("repeatNumber"), spot),
    }
    chart.add(link, elements)
    remarks(chart, statement, setting, link)
    return [link]


def _told(statement: Node, spot: Spot) -> list[Resource]:
    """Remarks, and what the patient was told to watch for."""
    found = notes(statement, spot)
    for act in instructions(statement):
        text = words(act.first("text"), spot.at(f"note[{len(found)}].text"))
        found += [{"text": text}] if text else []
    return found


def _education(statement: Node, spot: Spot) -> list[Resource]:
    """Which kind of teaching came with it."""
    found: list[Resource] = []
    for act in instructions(statement):
        place = spot.at(f"education[{len(found)}].documentType")
        code = act.first("code")
        name = place.attribute(code, "displayName") or place.attribute(code, "code")
        found += [{"documentType": name}] if name else []
        set_aside(act, spot, PART)
    return found


def _refused(statement: Node, refused: bool, spot: Spot) -> Resource:
    """Why it was not given: by the template's code, else by the value of what the sender names as the reason."""
    named = explanations(statement) if refused else []
    refusal = with_template(statement, _REFUSAL) or next(iter(named), NOTHING)
    place = spot.at("statusReason")
    reason = known_concept(refusal.first("value"), place) or concept(refusal.first("code"), place)
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
