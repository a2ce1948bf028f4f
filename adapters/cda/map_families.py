"""What the patient's relatives had, at what age, and whether they died of it.

https://hl7.org/fhir/R4/familymemberhistory.html
"""

from typing import Any

from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import day, required_concept, start, time
from adapters.cda.demographics import spoken
from adapters.cda.facts import PART, Setting, keep_text, notes, open_fact, part, related, set_aside, status
from adapters.cda.map_problems import ONE_ONSET
from adapters.cda.node import NOTHING, Node
from adapters.cda.quantities import age_of
from adapters.cda.tables import translated
from adapters.contract import Resource

GENDER = "http://hl7.org/fhir/administrative-gender"

_AGE = ("2.16.840.1.113883.10.20.22.4.31", "445518008")
_DEATH = ("2.16.840.1.113883.10.20.22.4.47", "419099009")


def family(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """One relative with the conditions that the organizer lists."""
    relative = statement.first("subject", "relatedSubject")
    person = relative.first("subject")
    link, spot, elements = open_fact(chart, "FamilyMemberHistory", statement, relative.first("code"))
    observations = [node.first("observation") for node in statement.all("component") if node.first("observation")]
    elements |= {
        "status": _status(statement, spot),
        "patient": chart.subject(),
        "date": start(statement.first("effectiveTime"), spot.at("date")),
        "name": _name(person, spot),
        "relationship": required_concept(relative.first("code"), spot.at("relationship")),
        "sex": _sex(person.first("administrativeGenderCode"), spot),
        "bornDate": day(person.first("birthTime"), spot.at("bornDate")),
        **_death(person, observations, spot),
        "note": notes(statement, spot),
        "condition": [_condition(node, spot.at(f"condition[{n}]"), setting) for n, node in enumerate(observations)],
    }
    chart.add(link, elements)
    return [link]


def _status(statement: Node, spot: Spot) -> str:
    """A history told is complete as far as it goes."""
    told = status(statement, "family_status", spot)
    return "completed" if told == "unknown" else told


def _name(person: Node, spot: Spot) -> str:
    name = person.first("name")
    for node in (name, *name.children):
        spot.text(node, "name")
    return spoken(name)


def _sex(node: Node, spot: Spot) -> Resource:
    sex = translated("gender", node.get("code"))
    if not sex:
        return {}
    for name in ("code", "codeSystem", "displayName"):
        spot.attribute(node, name, "sex.coding[0].code")
    return {"coding": [{"system": GENDER, "code": sex}]}


def _death(person: Node, observations: list[Node], spot: Spot) -> dict[str, Any]:
    """When the relative died, or that; a condition that caused the death says it too."""
    died = time(person.first("sdtc:deceasedTime"), spot.at("deceasedDate"))[:10]
    if died:
        return {"deceasedDate": died}
    flag = person.first("sdtc:deceasedInd")
    if flag.get("value") in {"true", "false"}:
        return {"deceasedBoolean": spot.attribute(flag, "value", "deceasedBoolean") == "true"}
    return {"deceasedBoolean": True} if any(_fatal(node) for node in observations) else {}


def _fatal(node: Node) -> Node:
    """That the relative died of it: by the template, or as older summaries say it, by the value alone."""
    said = (nested for nested in related(node) if nested.first("value").get("code") == _DEATH[1])
    return part(node, *_DEATH) or next(said, NOTHING)


def _condition(node: Node, spot: Spot, setting: Setting) -> Resource:
    keep_text(node, setting)
    set_aside(node, spot, PART)
    death = _fatal(node)
    set_aside(death, spot, PART)
    for name in ("code", "codeSystem", "displayName"):
        spot.attribute(death.first("value"), name, "contributedToDeath")
    return {
        "code": required_concept(node.first("value"), spot.at("code"), node.first("text")),
        "contributedToDeath": True if death else None,
        **_onset(node, spot),
        "note": notes(node, spot),
    }


def _onset(node: Node, spot: Spot) -> dict[str, Any]:
    """The age at onset where it is told, else the date, which FHIR takes as words."""
    observed = part(node, *_AGE)
    set_aside(observed, spot, PART)
    age = age_of(observed.first("value"), spot.at("onsetAge"))
    if age:
        for bound in node.first("effectiveTime").walk():
            if bound.get("value"):
                bound.lines["value"].ignore(ONE_ONSET)
        return {"onsetAge": age}
    when = start(node.first("effectiveTime"), spot.at("onsetString"))
    return {"onsetString": when} if when else {}
