"""What is planned: requests, goals, and the care plan that gathers them.

https://hl7.org/fhir/R4/careplan.html
"""

from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import concept, required_concept, start, timing
from adapters.cda.facts import (
    PART,
    Setting,
    author,
    authored,
    notes,
    is_negated,
    keep_text,
    open_fact,
    performers,
    set_aside,
    status,
    with_template,
)
from adapters.cda.node import Node
from adapters.cda.tables import translated
from adapters.contract import Resource

_INDICATION = "2.16.840.1.113883.10.20.22.4.19"
_REQUESTS = frozenset({"ServiceRequest", "MedicationRequest"})


def planned(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """A planned act, visit, test, procedure or supply as a ServiceRequest."""
    link, spot, elements = open_fact(chart, "ServiceRequest", statement, statement.first("code"))
    keep_text(statement, setting)
    not_to = is_negated(statement, spot, "doNotPerform")
    reason = concept(with_template(statement, _INDICATION).first("value"), spot.at("reasonCode[0]"))
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
        "reasonCode": [reason] if reason else [],
        "bodySite": _sites(statement, spot),
        "note": notes(statement, spot),
    }
    set_aside(with_template(statement, _INDICATION), spot, PART)
    chart.draft.add(*link, elements)
    return [link]


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
    """What is to be reached, and by when."""
    link, spot, elements = open_fact(chart, "Goal", statement, statement.first("code"))
    keep_text(statement, setting)
    due = start(statement.first("effectiveTime"), spot.at("target[0].dueDate"))[:10]
    told = status(statement, "goal_status", spot, "lifecycleStatus")
    elements |= {
        "lifecycleStatus": "proposed" if told == "unknown" else told,
        "description": required_concept(statement.first("code"), spot.at("description"), statement.first("text")),
        "subject": chart.subject(),
        "target": [{"dueDate": due}] if due else [],
        "expressedBy": author(statement, spot, "expressedBy"),
        "note": notes(statement, spot),
    }
    chart.draft.add(*link, elements)
    return [link]


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
    chart.draft.add(*link, elements)
    return [link]
