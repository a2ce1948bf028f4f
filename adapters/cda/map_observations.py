"""Results, vital signs and other observations, alone or gathered into panels and reports.

https://hl7.org/fhir/R4/observation.html
"""

from typing import Any

from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import concept, first_time, required_concept, timing, words
from adapters.cda.facts import (
    Setting,
    author,
    notes,
    is_negated,
    issued,
    keep_text,
    open_fact,
    performers,
    related,
    status,
)
from adapters.cda.map_staff import PROVIDER, party
from adapters.cda.node import Node
from adapters.cda.quantities import range_
from adapters.cda.values import negated, value
from adapters.contract import Resource

CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
DIAGNOSTIC_SERVICE = "http://terminology.hl7.org/CodeSystem/v2-0074"


def observation(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """One observation and those nested in it, which become its members."""
    link, spot, elements = open_fact(chart, "Observation", statement, statement.first("code"))
    keep_text(statement, setting)
    elements |= _opening(chart, statement, setting, spot)
    elements |= _finding(statement, spot)
    elements |= {
        "interpretation": _interpretations(statement, spot),
        "note": notes(statement, spot),
        "bodySite": concept(statement.first("targetSiteCode"), spot.at("bodySite")),
        "method": concept(statement.first("methodCode"), spot.at("method")),
        "referenceRange": _reference_ranges(statement, spot),
    }
    chart.draft.add(*link, elements)
    nested = [member for node in related(statement) for member in observation(chart, node, setting)]
    if nested:
        chart.draft.add(*link, {"hasMember": [chart.link(member) for member in nested]})
    return [link]


def panel(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """An organizer as an observation without a value whose members are its parts."""
    link, spot, elements = open_fact(chart, "Observation", statement, statement.first("code"))
    elements |= _opening(chart, statement, setting, spot)
    members = _parts(chart, statement, setting)
    elements["hasMember"] = [chart.link(member) for member in members]
    chart.draft.add(*link, elements)
    return [link]


def report(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """A result organizer as the report of a laboratory, with its results."""
    link, spot, elements = open_fact(chart, "DiagnosticReport", statement, statement.first("code"))
    results = _parts(chart, statement, setting)
    effective = timing(_time_of_organizer(statement), spot, "effective")
    by = party(statement.first("author", "assignedAuthor"), spot.at("performer[0]"), PROVIDER)
    elements |= {
        "status": status(statement, "report_status", spot),
        "category": [{"coding": [{"system": DIAGNOSTIC_SERVICE, "code": "LAB"}]}],
        "code": required_concept(statement.first("code"), spot.at("code")),
        "subject": chart.subject(),
        "encounter": chart.encounter_at(first_time(effective, "effective")),
        **effective,
        "issued": issued(statement, spot),
        "performer": performers(statement, spot, "performer") or ([by] if by else []),
        "result": [chart.link(result) for result in results],
    }
    chart.draft.add(*link, elements)
    return [link]


def _time_of_organizer(statement: Node) -> Node:
    """Its own time, else the first time that one of its parts gives."""
    own = statement.first("effectiveTime")
    if own:
        return own
    parts = (node.first("observation", "effectiveTime") for node in statement.all("component"))
    return next((node for node in parts if node.get("value")), Node())


def _parts(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """The observations of an organizer; an organizer inside it is a panel of its own."""
    found: list[Link] = []
    for component in statement.all("component"):
        for node in component.all("observation"):
            found += observation(chart, node, setting)
        for node in component.all("organizer"):
            found += panel(chart, node, setting)
    return found


def _opening(chart: Chart, statement: Node, setting: Setting, spot: Spot) -> dict[str, Any]:
    effective = timing(statement.first("effectiveTime"), spot, "effective")
    by = author(statement, spot, "performer[0]")
    category = setting.section.category
    known = category and setting.section.kind in {"results", "vitals", "observations"}
    return {
        "status": status(statement, "observation_status", spot),
        "category": [{"coding": [{"system": CATEGORY, "code": category}]}] if known else [],
        "code": required_concept(statement.first("code"), spot.at("code"), statement.first("text")),
        "subject": chart.subject(),
        "encounter": chart.encounter_at(first_time(effective, "effective")),
        **effective,
        "issued": issued(statement, spot),
        "performer": performers(statement, spot, "performer") or ([by] if by else []),
    }


def _finding(statement: Node, spot: Spot) -> dict[str, Any]:
    """The value; several values, which FHIR has no room for, become components of the same code."""
    values = statement.all("value")
    first = values[0] if values else Node()
    if is_negated(statement, spot, "valueCodeableConcept.text"):
        return negated(first, spot)
    found = value(first, spot)
    if len(values) > 1:
        code = _plain_code(statement.first("code"))
        more = (value(node, spot.at(f"component[{n}]")) for n, node in enumerate(values[1:]))
        found["component"] = [{"code": code, **one} for one in more]
    return found


def _plain_code(node: Node) -> Resource:
    return {"text": node.get("displayName") or node.get("code") or "value"}


def _interpretations(statement: Node, spot: Spot) -> list[Resource]:
    codes = [node for node in statement.all("interpretationCode") if node.get("code") or node.first("originalText")]
    return [concept(node, spot.at(f"interpretation[{n}]")) for n, node in enumerate(codes)]


def _reference_ranges(statement: Node, spot: Spot) -> list[Resource]:
    ranges = [node.first("observationRange") for node in statement.all("referenceRange")]
    found = (_reference_range(node, spot.at(f"referenceRange[{n}]")) for n, node in enumerate(ranges))
    return [one for one in found if one]


def _reference_range(node: Node, spot: Spot) -> Resource:
    """Low and high, or words: FHIR wants one of the three."""
    limits = range_(node.first("value"), spot)
    text = words(node.first("text"), spot.at("text")) or spot.text(node.first("value"), "text")
    found: Resource = {**limits, **({"text": text} if text else {})}
    kind = concept(node.first("interpretationCode"), spot.at("type")) if found else {}
    return {**found, **({"type": kind} if kind else {})}
