"""What is planned: requests, goals, and the care plan that gathers them.

https://hl7.org/fhir/R4/careplan.html
"""

from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import concept, known_concept, required_concept, time, timing, words
from adapters.cda.facts import (
    GOAL,
    NOT_YET,
    PART,
    Setting,
    author,
    authored,
    instructions,
    is_instruction,
    is_negated,
    keep_text,
    notes,
    open_fact,
    part,
    performers,
    reasons,
    related,
    set_aside,
    status,
    with_template,
)
from adapters.cda.map_medications import medication
from adapters.cda.map_observations import remarks
from adapters.cda.map_places import service_place
from adapters.cda.node import NOTHING, Node
from adapters.cda.tables import TEMPLATES, translated
from adapters.cda.values import value
from adapters.contract import Resource

_PROGRESS = "2.16.840.1.113883.10.20.22.4.110"
_PREFERENCE = ("2.16.840.1.113883.10.20.22.4.143", "225773000")
_REACHABLE = frozenset(
    {"valueQuantity", "valueRange", "valueCodeableConcept", "valueString", "valueBoolean", "valueInteger"}
)
_MEDICINE = "substanceAdministration"
_REQUESTED = frozenset({"procedure", "observation", "encounter", "supply", _MEDICINE})
_REQUESTS = frozenset({"ServiceRequest", "MedicationRequest"})


def planned(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """A planned act, visit, test, procedure or supply as a ServiceRequest."""
    link, spot, elements = open_fact(chart, "ServiceRequest", statement, statement.first("code"))
    keep_text(statement, setting)
    not_to = is_negated(statement, spot, "doNotPerform")
    elements |= {
        "status": status(statement, "request_status", spot),
        "intent": translated("intent", statement.get("moodCode")) or "plan",
        "priority": _priority(statement.first("priorityCode"), spot),
        "doNotPerform": True if not_to else None,
        "code": required_concept(statement.first("code"), spot.at("code"), statement.first("text")),
        "subject": chart.subject(),
        **timing(statement.first("effectiveTime"), spot, "occurrence"),
        "authoredOn": authored(statement, spot, "authoredOn"),
        "requester": author(statement, spot, "requester"),
        "performer": performers(statement, spot, "performer"),
        "locationReference": _places(chart, statement),
        "reasonCode": reasons(statement, link, spot),
        "patientInstruction": _instruction(statement, spot),
        "bodySite": _sites(statement, spot),
        "note": notes(statement, spot),
    }
    chart.add(link, elements)
    remarks(chart, statement, setting, link)
    return [link, *_steps(chart, statement, setting, link)]


def _steps(chart: Chart, statement: Node, setting: Setting, whole: Link) -> list[Link]:
    """What is planned as a part of it: requests that are based on it."""
    nested = [node for relation in statement.all("entryRelationship") for node in relation.children]
    found: list[Link] = []
    for node in nested:
        if node.get("moodCode") in NOT_YET and _is_request(node):
            made = medication(chart, node, setting) if node.name == _MEDICINE else planned(chart, node, setting)
            chart.add(made[0], {"basedOn": [chart.link(whole)]})
            found += made
    return found


def _is_request(node: Node) -> bool:
    """Instructions too have the mood of what is asked for, but ask the patient."""
    kinds = {TEMPLATES.get(template.get("root")) for template in node.all("templateId")}
    return (node.name in _REQUESTED or "plan" in kinds) and not is_instruction(node)


def _places(chart: Chart, statement: Node) -> list[Resource]:
    place = service_place(chart, statement)
    return [place] if place else []


def _instruction(statement: Node, spot: Spot) -> str:
    """What the patient is told beside the request."""
    told = next(iter(instructions(statement)), NOTHING)
    set_aside(told, spot, PART)
    return words(told.first("text"), spot.at("patientInstruction"))


def _priority(node: Node, spot: Spot) -> str:
    found = translated("priority", node.get("code"))
    if found:
        for name in ("code", "codeSystem", "displayName"):
            spot.attribute(node, name, "priority")
    return found


def _sites(statement: Node, spot: Spot) -> list[Resource]:
    sites = (concept(node, spot.at(f"bodySite[{n}]")) for n, node in enumerate(statement.all("targetSiteCode")))
    return [site for site in sites if site]


def goal(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """What is to be reached, how much of it, and by when."""
    link, spot, elements = open_fact(chart, "Goal", statement, statement.first("code"))
    keep_text(statement, setting)
    told = status(statement, "goal_status", spot, "lifecycleStatus")
    when = statement.first("effectiveTime")
    elements |= {
        "lifecycleStatus": "proposed" if told == "unknown" else told,
        "achievementStatus": known_concept(
            with_template(statement, _PROGRESS).first("value"), spot.at("achievementStatus")
        ),
        "priority": _goal_priority(statement, spot),
        "description": required_concept(statement.first("code"), spot.at("description"), statement.first("text")),
        "subject": chart.subject(),
        "startDate": time(when.first("low"), spot.at("startDate"))[:10],
        "target": _targets(statement, spot),
        "expressedBy": author(statement, spot, "expressedBy"),
        "note": notes(statement, spot),
    }
    chart.add(link, elements)
    remarks(chart, statement, setting, link)
    return [link]


def _goal_priority(statement: Node, spot: Spot) -> Resource:
    """The goal's own, else what patient or clinician prefer."""
    preferred = part(statement, *_PREFERENCE).first("value")
    return concept(statement.first("priorityCode"), spot.at("priority")) or known_concept(
        preferred, spot.at("priority")
    )


def _targets(statement: Node, spot: Spot) -> list[Resource]:
    """Its own value, then those of the goals that it is made of."""
    parts = [node for node in related(statement) if node.get("moodCode") == GOAL]
    found: list[Resource] = []
    for node in (statement, *parts):
        found += _target(node, spot.at(f"target[{len(found)}]"))
        if node is not statement:
            set_aside(node, spot, PART)
    return found


def _target(statement: Node, spot: Spot) -> list[Resource]:
    """The value to reach and its day; FHIR asks what is measured wherever it says how much (gol-1)."""
    when = statement.first("effectiveTime")
    due = (time(when.first("high"), spot.at("dueDate")) or time(when, spot.at("dueDate")))[:10]
    measure = known_concept(statement.first("code"), spot.silent())
    kept = {f"detail{name[5:]}": one for name, one in _reached(statement, spot).items()} if measure else {}
    if kept:
        known_concept(statement.first("code"), spot.at("measure"))
    return [{"measure": measure if kept else {}, **kept, "dueDate": due}] if kept or due else []


def _reached(statement: Node, spot: Spot) -> Resource:
    """The value, where it is of a kind that a goal may have."""
    node = statement.first("value")
    looked = value(node, spot.silent())
    name = next((name for name, said in looked.items() if name in _REACHABLE and (said or said == 0)), "")
    if not name:
        return {}
    place = spot.at(f"detail{name[5:]}")
    for inner in node.walk():
        for attribute in ("value", "unit", "code", "codeSystem", "displayName"):
            place.attribute(inner, attribute)
        place.text(inner)
    return {name: looked[name]}


def care_plan(chart: Chart, title: str, place: str, links: list[Link]) -> list[Link]:
    """The plan of a section that has requests or goals; a plan of words alone stays in its section."""
    activities = [{"reference": chart.link(link)} for link in links if link[0] in _REQUESTS]
    goals = [chart.link(link) for link in links if link[0] == "Goal"]
    if not activities and not goals:
        return []
    link = ("CarePlan", f"{chart.scope}|{place}")
    elements = {
        "status": "active",
        "intent": "plan",
        "title": title,
        "subject": chart.subject(),
        "encounter": chart.link(chart.encounter) if chart.encounter else {},
        "goal": goals,
        "activity": activities,
    }
    chart.add(link, elements)
    return [link]
