"""Results and other observations, alone or gathered into panels and reports.

https://hl7.org/fhir/R4/observation.html
"""

from dataclasses import replace
from typing import Any

from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import concept, first_time, required_concept, time, timing
from adapters.cda.facts import (
    GOAL,
    NOT_YET,
    Setting,
    explanations,
    follows,
    is_among,
    issued,
    keep_text,
    notes,
    open_fact,
    performers,
    related,
    status,
)
from adapters.cda.findings import finding, reading
from adapters.cda.map_devices import device, devices
from adapters.cda.map_media import media
from adapters.cda.map_specimens import specimen
from adapters.cda.map_staff import PERSON, STAFF, party
from adapters.cda.map_vitals import both_oximetries, joined, panel_code
from adapters.cda.node import Node
from adapters.cda.pregnancies import due_date, not_known, pregnancy
from adapters.contract import Resource

CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
DIAGNOSTIC_SERVICE = "http://terminology.hl7.org/CodeSystem/v2-0074"


NOT_OBSERVED = NOT_YET | {GOAL}
# The parts of other statements that those map themselves: indication, refusal, reaction.
_PART = "2.16.840.1.113883.10.20.22.4."
NOT_REMARKS = frozenset({f"{_PART}19", f"{_PART}53", f"{_PART}9"})


def observation(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """One observation and those nested in it, which become its members; what is only wished was not observed."""
    if statement.get("moodCode") in NOT_OBSERVED:
        return []
    link, spot, elements = open_fact(chart, "Observation", statement, statement.first("code"))
    keep_text(statement, setting)
    sample = specimen(chart, statement) or setting.specimen
    elements |= _opening(chart, statement, setting, spot)
    elements |= {
        "code": required_concept(statement.first("code"), spot.at("code"), statement.first("text")),
        **(not_known(statement, spot) or finding(statement, spot)),
        "note": notes(statement, spot),
        "bodySite": concept(statement.first("targetSiteCode"), spot.at("bodySite")),
        "method": concept(statement.first("methodCode"), spot.at("method")),
        "specimen": chart.link(sample) if sample else {},
        "device": _device(chart, statement),
        "derivedFrom": _files(chart, statement, setting),
    }
    if setting.section.kind == "vitals":
        both_oximetries(elements)
    pregnancy(statement, elements, spot)
    chart.add(link, elements)
    nested = [node for node in related(statement) if not due_date(node)]
    members = [member for node in nested for member in observation(chart, node, setting)]
    if members:
        chart.add(link, {"hasMember": [chart.link(member) for member in members]})
    return [link]


def remarks(chart: Chart, statement: Node, setting: Setting, link: Link, told: frozenset[str] = NOT_REMARKS) -> None:
    """What was observed beside a statement of another kind: observations that speak of it."""
    why = explanations(statement)
    for node in related(statement):
        if not follows(node, *told) and not is_among(node, why):
            for made in observation(chart, node, setting):
                chart.add(made, {"focus": [chart.link(link)]})


def _files(chart: Chart, statement: Node, setting: Setting) -> list[Resource]:
    """A picture, recording or paper that is what was observed."""
    is_file = statement.first("value").get("representation") == "B64"
    return [chart.link(one) for one in media(chart, statement, setting)] if is_file else []


def _device(chart: Chart, statement: Node) -> Resource:
    """What it was measured with."""
    used = [role for one in (statement, *related(statement, "supply")) for role in devices(one)]
    return chart.link(device(chart, used[0])) if used else {}


def panel(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """An organizer as an observation without a value whose members are its parts."""
    link, spot, elements = open_fact(chart, "Observation", statement, statement.first("code"))
    code = required_concept(statement.first("code"), spot.at("code"), statement.first("text"))
    elements |= _opening(chart, statement, setting, spot)
    elements["code"] = panel_code(code) if setting.section.kind == "vitals" else code
    members = _parts(chart, statement, setting)
    elements["hasMember"] = [chart.link(member) for member in members]
    elements["note"] = notes(statement, spot)
    chart.add(link, elements)
    return [link]


def report(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """A result organizer as the report of a laboratory, with its results."""
    link, spot, elements = open_fact(chart, "DiagnosticReport", statement, statement.first("code"))
    sample = specimen(chart, statement)
    results = _parts(chart, statement, replace(setting, specimen=sample))
    effective = _effective(statement, spot)
    elements |= {
        "status": status(statement, "report_status", spot),
        "category": [{"coding": [{"system": DIAGNOSTIC_SERVICE, "code": "LAB"}]}],
        "code": required_concept(statement.first("code"), spot.at("code")),
        "subject": chart.subject(),
        "encounter": chart.encounter_at(first_time(effective, "effective")),
        **effective,
        "issued": issued(statement, spot),
        "performer": _performers(statement, spot, STAFF),
        "specimen": [chart.link(sample)] if sample else [],
        "result": [chart.link(result) for result in results],
    }
    chart.add(link, elements)
    return [link]


def _performers(statement: Node, spot: Spot, allowed: frozenset[str] = PERSON) -> list[Resource]:
    """Those who did it; else all who wrote it down."""
    found = performers(statement, spot, "performer")
    if found:
        return found
    for node in statement.all("author"):
        one = party(node.first("assignedAuthor"), spot.at(f"performer[{len(found)}]"), allowed)
        found += [one] if one and one not in found else []
    return found


def _effective(statement: Node, spot: Spot) -> dict[str, Any]:
    """Its own time; an organizer without one spans the times of its parts."""
    own = statement.first("effectiveTime")
    if own:
        low, high = own.first("low"), own.first("high")
        if low.get("value") and low.get("value") == high.get("value"):
            time(high, spot.at("effectiveDateTime"))
            when = time(low, spot.at("effectiveDateTime"))
            return {"effectiveDateTime": when} if when else {}
        return timing(own, spot, "effective")
    parts = [node.first("observation", "effectiveTime") for node in statement.all("component")]
    given = sorted((node for node in parts if node.get("value")), key=lambda node: node.get("value"))
    if not given or given[0].get("value") == given[-1].get("value"):
        return timing(given[0], spot, "effective") if given else {}
    period = {"start": time(given[0], spot.at("effectivePeriod.start"))}
    return {"effectivePeriod": {**period, "end": time(given[-1], spot.at("effectivePeriod.end"))}}


def _parts(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """The observations of an organizer; an organizer inside it is a panel of its own."""
    nodes = [(component.all("observation"), component.all("organizer")) for component in statement.all("component")]
    single = [node for observations, _ in nodes for node in observations]
    groups = joined(single) if setting.section.kind == "vitals" else [[node] for node in single]
    found: list[Link] = []
    for group in groups:
        found += observation(chart, group[0], setting) if len(group) == 1 else _joined(chart, group, setting)
    for _, organizers in nodes:
        for node in organizers:
            found += panel(chart, node, setting)
    return found


def _joined(chart: Chart, group: list[Node], setting: Setting) -> list[Link]:
    """Several readings that FHIR has as one observation: the two of a blood pressure."""
    first = group[0]
    both = Node(children=[*first.children, *(number for node in group[1:] for number in node.all("id"))])
    link, spot, elements = open_fact(chart, "Observation", both, Node(attributes={"code": "85354-9"}))
    for node in group:
        keep_text(node, setting)
    elements |= _opening(chart, first, setting, spot)
    for node in group[1:]:
        more = _opening(chart, node, setting, spot)
        elements |= {name: part for name, part in more.items() if name in elements and part and not elements[name]}
    elements |= {
        "code": panel_code({}, "85354-9"),
        "component": [reading(node, spot.at(f"component[{n}]")) for n, node in enumerate(group)],
        "bodySite": concept(first.first("targetSiteCode"), spot.at("bodySite")),
        "method": concept(first.first("methodCode"), spot.at("method")),
        "note": [note for node in group for note in notes(node, spot)],
    }
    chart.add(link, elements)
    return [link]


def _opening(chart: Chart, statement: Node, setting: Setting, spot: Spot) -> dict[str, Any]:
    effective = _effective(statement, spot)
    category = setting.section.category
    known = category and setting.section.kind in {"results", "vitals", "observations"}
    return {
        "status": status(statement, "observation_status", spot),
        "category": [{"coding": [{"system": CATEGORY, "code": category}]}] if known else [],
        "subject": chart.subject(),
        "encounter": chart.encounter_at(first_time(effective, "effective")),
        **effective,
        "issued": issued(statement, spot),
        "performer": _performers(statement, spot),
    }
