"""Procedures that were done, or were not.

https://hl7.org/fhir/R4/procedure.html
"""

from collections.abc import Iterator
from dataclasses import replace

from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import concept, first_time, known_concept, required_concept, timing
from adapters.cda.facts import (
    PART,
    Setting,
    author,
    explanations,
    informant,
    instructions,
    is_among,
    is_negated,
    keep_text,
    notes,
    open_fact,
    performers,
    reasons,
    related,
    set_aside,
    status,
)
from adapters.cda.map_devices import device, devices
from adapters.cda.map_encounters import named
from adapters.cda.map_medications import medication
from adapters.cda.map_observations import observation
from adapters.cda.map_places import service_place
from adapters.cda.map_specimens import specimen
from adapters.cda.node import Node
from adapters.contract import Resource

_OUTCOME = "OUTC"


def procedure(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """A Procedure; a negated one was not done."""
    link, spot, elements = open_fact(chart, "Procedure", statement, statement.first("code"))
    keep_text(statement, setting)
    done = status(statement, "procedure_status", spot)
    performed = timing(statement.first("effectiveTime"), spot, "performed")
    elements |= {
        "status": "not-done" if is_negated(statement, spot, "status") else done,
        "code": required_concept(statement.first("code"), spot.at("code"), statement.first("text")),
        "subject": chart.subject(),
        "encounter": named(chart, statement, setting) or chart.encounter_at(first_time(performed, "performed")),
        **performed,
        "recorder": author(statement, spot, "recorder"),
        "asserter": informant(statement, spot, "asserter"),
        "performer": [{"actor": actor} for actor in performers(statement, spot, "performer", "actor")],
        "location": service_place(chart, statement),
        "reasonCode": reasons(statement, link, spot),
        "bodySite": _sites(statement, spot),
        "outcome": _outcome(statement, spot),
        "followUp": list(_follow_ups(statement, spot)),
        "note": notes(statement, spot),
        "focalDevice": [{"manipulated": chart.link(device(chart, one))} for one in devices(statement)],
        "usedCode": _methods(statement, spot),
    }
    chart.add(link, elements)
    sample = specimen(chart, statement)
    taken = [sample] if sample else []
    return [link, *taken, *_found(chart, statement, setting, link), *_given(chart, statement, setting, link)]


def _sites(statement: Node, spot: Spot) -> list[Resource]:
    sites = (concept(node, spot.at(f"bodySite[{n}]")) for n, node in enumerate(statement.all("targetSiteCode")))
    return [site for site in sites if site]


def _outcome(statement: Node, spot: Spot) -> Resource:
    """How it went, where the sender names an observation as that."""
    relations = [one for one in statement.all("entryRelationship") if one.get("typeCode") == _OUTCOME]
    known = (known_concept(one.first("observation", "value"), spot.at("outcome")) for one in relations)
    return next((one for one in known if one), {})


def _methods(statement: Node, spot: Spot) -> list[Resource]:
    """How it was done: FHIR's Procedure has no method, what was used comes nearest."""
    methods = (known_concept(node, spot.at(f"usedCode[{n}]")) for n, node in enumerate(statement.all("methodCode")))
    return [method for method in methods if method]


def _follow_ups(statement: Node, spot: Spot) -> Iterator[Resource]:
    for n, node in enumerate(instructions(statement)):
        set_aside(node, spot, PART)
        one = required_concept(node.first("code"), spot.at(f"followUp[{n}]"), node.first("text"))
        if one:
            yield one


def _found(chart: Chart, statement: Node, setting: Setting, link: Link) -> list[Link]:
    """What the procedure showed: its own value and the observations nested in it."""
    why = explanations(statement)
    nested = [node for node in related(statement) if not is_among(node, why)]
    own = [statement] if statement.name == "observation" and statement.first("value") else []
    found = [made for node in own + nested for made in observation(chart, node, setting)]
    for made in found:
        chart.add(made, {"partOf": [chart.link(link)]})
    return found


def _given(chart: Chart, statement: Node, setting: Setting, link: Link) -> list[Link]:
    """The medicines given during it."""
    during = replace(setting, procedure=link)
    nodes = related(statement, "substanceAdministration")
    return [made for node in nodes for made in medication(chart, node, during)]
