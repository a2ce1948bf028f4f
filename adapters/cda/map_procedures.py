"""Procedures and immunizations that were done, or were refused.

https://hl7.org/fhir/R4/procedure.html
"""

import re
from typing import Any

from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import absence_code, absent, concept, first_time, required_concept, start, timing
from adapters.cda.facts import (
    PART,
    Setting,
    author,
    authored,
    follows,
    notes,
    is_negated,
    keep_text,
    open_fact,
    performers,
    related,
    set_aside,
    status,
    with_template,
)
from adapters.cda.map_medications import drug
from adapters.cda.map_staff import STAFF, party
from adapters.cda.node import Node
from adapters.cda.quantities import quantity
from adapters.contract import Resource

FUNCTION = "http://terminology.hl7.org/CodeSystem/v2-0443"

_INDICATION = "2.16.840.1.113883.10.20.22.4.19"
_REFUSAL = "2.16.840.1.113883.10.20.22.4.53"
_SERVICE_PLACE = "2.16.840.1.113883.10.20.22.4.32"


def procedure(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """A Procedure; a negated one was not done."""
    link, spot, elements = open_fact(chart, "Procedure", statement, statement.first("code"))
    keep_text(statement, setting)
    done = status(statement, "procedure_status", spot)
    actors = performers(statement, spot, "performer")
    performed = timing(statement.first("effectiveTime"), spot, "performed")
    elements |= {
        "status": "not-done" if is_negated(statement, spot, "status") else done,
        "code": required_concept(statement.first("code"), spot.at("code"), statement.first("text")),
        "subject": chart.subject(),
        "encounter": chart.encounter_at(first_time(performed, "performed")),
        **performed,
        "recorder": author(statement, spot, "recorder"),
        "performer": [{"actor": actor} for actor in actors],
        "location": _location(chart, statement),
        "reasonCode": _reasons(statement, spot),
        "bodySite": _sites(statement, spot),
        "note": notes(statement, spot),
    }
    for part in related(statement):
        if follows(part, _INDICATION, _REFUSAL):
            set_aside(part, spot, PART)
    chart.draft.add(*link, elements)
    return [link]


def _sites(statement: Node, spot: Spot) -> list[Resource]:
    sites = (concept(node, spot.at(f"bodySite[{n}]")) for n, node in enumerate(statement.all("targetSiteCode")))
    return [site for site in sites if site]


def _reasons(statement: Node, spot: Spot) -> list[Resource]:
    reason = concept(with_template(statement, _INDICATION).first("value"), spot.at("reasonCode[0]"))
    return [reason] if reason else []


def _location(chart: Chart, statement: Node) -> Resource:
    """The place it was done, where it is described as a service delivery location."""
    for participant in statement.all("participant"):
        role = participant.first("participantRole")
        if any(template.get("root") == _SERVICE_PLACE for template in role.all("templateId")):
            name = role.first("playingEntity", "name")
            link = ("Location", f"{role.first('code').get('code')}|{name.text.casefold()}")
            place = chart.spot(link)
            kind = concept(role.first("code"), place.at("type[0]"))
            chart.draft.add(*link, {"name": place.text(name, "name"), "type": [kind] if kind else []})
            return chart.link(link, name.text)
    return {}


def immunization(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """An Immunization; a negated one was not given, with the reason where there is one."""
    link, spot, elements = open_fact(chart, "Immunization", statement, drug(statement))
    keep_text(statement, setting)
    material = statement.first("consumable", "manufacturedProduct", "manufacturedMaterial")
    refused = concept(with_template(statement, _REFUSAL).first("code"), spot.at("statusReason"))
    elements |= {
        "status": _given(statement, spot),
        "statusReason": refused,
        "vaccineCode": required_concept(drug(statement), spot.at("vaccineCode"), material.first("name")),
        "patient": chart.subject(),
        **_occurrence(statement.first("effectiveTime"), spot),
        "_primarySource": absent(),
        "lotNumber": spot.text(material.first("lotNumberText"), "lotNumber"),
        "manufacturer": _manufacturer(statement, spot),
        "site": concept(statement.first("approachSiteCode"), spot.at("site")),
        "route": concept(statement.first("routeCode"), spot.at("route")),
        "doseQuantity": quantity(statement.first("doseQuantity"), spot.at("doseQuantity")),
        "recorded": authored(statement, spot, "recorded"),
        "performer": _givers(statement, spot),
        "note": notes(statement, spot),
        "protocolApplied": _dose_number(statement.first("repeatNumber"), spot),
    }
    for part in related(statement):
        if follows(part, _INDICATION, _REFUSAL):
            set_aside(part, spot, PART)
    chart.draft.add(*link, elements)
    return [link]


def _givers(statement: Node, spot: Spot) -> list[Resource]:
    """Who gave it and who entered it: FHIR tells them apart by function (table 0443)."""
    found = [(actor, "AP") for actor in performers(statement, spot, "performer")]
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


def _manufacturer(statement: Node, spot: Spot) -> Resource:
    name = statement.first("consumable", "manufacturedProduct", "manufacturerOrganization", "name")
    return {"display": spot.text(name, "manufacturer.display")}


def _dose_number(node: Node, spot: Spot) -> list[Resource]:
    if not re.fullmatch(r"[1-9][0-9]{0,8}", node.get("value")):
        return []
    place = "protocolApplied[0].doseNumberPositiveInt"
    return [{"doseNumberPositiveInt": int(spot.attribute(node, "value", place))}]
