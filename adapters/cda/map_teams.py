"""Who cares for the patient together: the teams of a section, and those whom the header names with their task.

https://hl7.org/fhir/R4/careteam.html
"""

from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import known_concept, period, start
from adapters.cda.facts import PART, Setting, keep_text, notes, open_fact, set_aside
from adapters.cda.map_staff import PROVIDER, party
from adapters.cda.node import Node
from adapters.cda.tables import translated
from adapters.contract import Resource

_MEMBERS = PROVIDER | frozenset({"Patient"})


def team(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """A care team with its members, each with the task and the time that the sender gives."""
    link, spot, elements = open_fact(chart, "CareTeam", statement, statement.first("code"))
    keep_text(statement, setting)
    parts = statement.all("component")
    elements |= {
        "status": _status(statement, spot),
        "category": _kinds([part.first("observation") for part in parts], spot),
        "name": spot.text(statement.first("code").first("originalText"), "name"),
        "subject": chart.subject(),
        "period": _while(statement.first("effectiveTime"), spot),
        "participant": _acting([part.first("act") for part in parts if part.first("act")], spot),
        "note": notes(statement, spot),
    }
    for part in (statement, *(one for component in parts for one in component.children)):
        set_aside(part, spot, PART)
    chart.add(link, elements)
    return [link]


def _status(statement: Node, spot: Spot) -> str:
    node = statement.first("statusCode")
    found = translated("care_team_status", node.get("code"))
    return found if found and spot.attribute(node, "code", "status") else ""


def _kinds(observations: list[Node], spot: Spot) -> list[Resource]:
    """What the team is for: an encounter, an episode, a condition."""
    kinds = (known_concept(node.first("value"), spot.at(f"category[{n}]")) for n, node in enumerate(observations))
    return [kind for kind in kinds if kind]


def _while(node: Node, spot: Spot) -> Resource:
    found = period(node, spot.at("period"))
    since = "" if found else start(node, spot.at("period.start"))
    return found or ({"start": since} if since else {})


def _acting(acts: list[Node], spot: Spot) -> list[Resource]:
    found: list[Resource] = []
    for act in acts:
        for performer in act.all("performer"):
            one = _member(performer, act.first("effectiveTime"), spot.at(f"participant[{len(found)}]"))
            found += [one] if one else []
    return found


def _member(performer: Node, when: Node, spot: Spot) -> Resource:
    member = party(performer.first("assignedEntity"), spot.at("member"), _MEMBERS)
    if not member:
        return {}
    role = known_concept(performer.first("sdtc:functionCode") or performer.first("functionCode"), spot.at("role[0]"))
    return {"role": [role] if role else [], "member": member, "period": _while(when, spot)}


def treating(chart: Chart) -> None:
    """The clinicians whom the header names with what they do for the patient, as one team."""
    services = [node.first("serviceEvent") for node in chart.document.root.all("documentationOf")]
    named = [one for service in services for one in service.all("performer") if one.first("functionCode")]
    link = ("CareTeam", f"{chart.scope}|treating")
    spot = chart.spot(link)
    found: list[Resource] = []
    for performer in named:
        one = _member(performer, performer.first("time"), spot.at(f"participant[{len(found)}]"))
        found += [one] if one.get("role") else []
    if found:
        chart.add(link, {"subject": chart.subject(), "participant": found})
