"""Problems and diagnoses as Conditions.

https://hl7.org/fhir/R4/condition.html
"""

from typing import Any

from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import absence, concept, known_concept, required_concept, start, time
from adapters.cda.facts import (
    PART,
    Setting,
    asserter,
    author,
    authored,
    is_negated,
    keep_text,
    notes,
    open_fact,
    part,
    related,
    set_aside,
    set_status_aside,
)
from adapters.cda.identifiers import number_of
from adapters.cda.map_observations import observation
from adapters.cda.node import NOTHING, Node
from adapters.cda.quantities import age_of
from adapters.cda.tables import translated
from adapters.contract import Resource

CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
HEALTH_CONCERN = "http://hl7.org/fhir/us/core/CodeSystem/condition-category"
ASSERTED = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"
ONE_ONSET = "the age at which it began, beside the date, which is kept: FHIR has room for one of them"

_STATUS = ("2.16.840.1.113883.10.20.22.4.6", "33999-4")
_DIAGNOSED = ("2.16.840.1.113883.10.20.22.4.502", "77975-1")
_SEVERITY = ("2.16.840.1.113883.10.20.22.4.8", "SEV")
_AGE = ("2.16.840.1.113883.10.20.22.4.31", "445518008")
_CATEGORIES = {
    "problem-list-item": CATEGORY,
    "encounter-diagnosis": CATEGORY,
    "health-concern": HEALTH_CONCERN,
}
_GONE = frozenset({"inactive", "resolved", "remission"})


def condition(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """A Condition; a negated one is kept as refuted, never as present."""
    value = statement.first("value")
    link, spot, elements = open_fact(chart, "Condition", statement, value)
    keep_text(statement, setting)
    refuted = is_negated(statement, spot, "verificationStatus.coding[0].code")
    elements |= {
        "extension": _asserted(statement, spot),
        **_course(statement, setting, spot),
        "verificationStatus": {"coding": [{"system": VERIFICATION, "code": "refuted"}]} if refuted else {},
        "category": _categories(statement, spot, setting),
        "severity": concept(_part(statement, setting, _SEVERITY).first("value"), spot.at("severity")),
        "code": required_concept(value, spot.at("code"), statement.first("text")),
        "bodySite": _sites(statement, spot),
        "subject": chart.subject(),
        "encounter": _encounter(chart, setting),
        **_onset(statement, setting, spot),
        "recordedDate": _recorded(statement, setting, spot),
        "recorder": author(statement, spot, "recorder", setting.concern),
        "asserter": asserter(statement, spot),
        "note": notes(statement, spot),
    }
    chart.add(link, elements)
    chart.problems.update((number_of(node), link) for node in statement.all("id") if number_of(node))
    _beside(chart, statement, setting, link)
    set_status_aside(statement, spot)
    return [link]


def _sites(statement: Node, spot: Spot) -> list[Resource]:
    sites = (concept(node, spot.at(f"bodySite[{n}]")) for n, node in enumerate(statement.all("targetSiteCode")))
    return [site for site in sites if site]


def _beside(chart: Chart, statement: Node, setting: Setting, link: Link) -> None:
    """What was observed of the problem: evidence where it supports it, else observations that speak of it."""
    known = [part(statement, *one) for one in (_STATUS, _DIAGNOSED, _SEVERITY, _AGE)]
    evidence: list[Resource] = []
    for relation in statement.all("entryRelationship"):
        node = relation.first("observation")
        if node and any(node is one for one in known):
            set_aside(node, setting.narrative, PART)
        elif node:
            for made in observation(chart, node, setting):
                chart.add(made, {"focus": [chart.link(link)]})
                evidence += [{"detail": [chart.link(made)]}] if relation.get("typeCode") == "SPRT" else []
    if evidence:
        chart.add(link, {"evidence": evidence})


def _diagnosis(statement: Node) -> Node:
    """When it was diagnosed: the guide has an act for it, some senders an observation."""
    acts = (act for act in related(statement, "act") if act.first("code").get("code") == _DIAGNOSED[1])
    return next(acts, NOTHING) or part(statement, *_DIAGNOSED)


def _asserted(statement: Node, spot: Spot) -> list[Resource]:
    act = _diagnosis(statement)
    when = start(act.first("effectiveTime"), spot.at("extension[0].valueDateTime"))
    set_aside(act, spot, PART)
    return [{"url": ASSERTED, "valueDateTime": when}] if when else []


def _recorded(statement: Node, setting: Setting, spot: Spot) -> str:
    """When it was first written down; else the day of the diagnosis, as the guide's table has it."""
    written = authored(statement, spot, "recordedDate", setting.concern)
    return written or start(_diagnosis(statement).first("effectiveTime"), spot.at("recordedDate"))


def _encounter(chart: Chart, setting: Setting) -> Resource:
    """A diagnosis of this stay belongs to it; a problem of the list does not."""
    mine = setting.section.kind == "diagnoses" and chart.encounter is not None
    return chart.link(chart.encounter) if mine and chart.encounter else {}


def _part(statement: Node, setting: Setting, kind: tuple[str, str]) -> Node:
    """A part of the problem itself, else what some senders set beside it."""
    return part(statement, *kind) or part(setting.concern, *kind)


def _onset(statement: Node, setting: Setting, spot: Spot) -> dict[str, Any]:
    """A date, else the age; FHIR takes one of them."""
    when = statement.first("effectiveTime")
    began = start(when, spot.at("onsetDateTime"))
    node = _part(statement, setting, _AGE).first("value")
    if began:
        node.leave_out(ONE_ONSET)
        return {"onsetDateTime": began}
    age = age_of(node, spot.at("onsetAge"))
    if age:
        return {"onsetAge": age}
    reason = absence(when.first("low"), spot.at("onsetDateTime"))
    return {"_onsetDateTime": reason} if reason else {}


def _course(statement: Node, setting: Setting, spot: Spot) -> dict[str, Any]:
    """The clinical status and the end; FHIR has no end for what is active, so an ended problem is inactive."""
    node = _part(statement, setting, _STATUS).first("value")
    told = translated("problem_status", node.get("code"))
    if told:
        for name in ("code", "codeSystem", "displayName"):
            spot.attribute(node, name, "clinicalStatus.coding[0].code")
    end = _end(statement.first("effectiveTime", "high"), spot)
    if end and told and told not in _GONE:
        spot.chart.notice(node.place, "a problem said to be active has an end: it is kept as inactive")
        told = "inactive"
    status = told or ("resolved" if end else _of_concern(setting.concern, spot) or "active")
    return {"clinicalStatus": {"coding": [{"system": CLINICAL, "code": status}]}, **end}


def _of_concern(concern: Node, spot: Spot) -> str:
    """The concern's status, which counts where the problem has none of its own."""
    node = concern.first("statusCode")
    found = translated("concern_status", node.get("code"))
    if found:
        spot.attribute(node, "code", "clinicalStatus.coding[0].code")
    return found


def _end(node: Node, spot: Spot) -> dict[str, Any]:
    """When it ended; an end of unknown date is how senders say that it is over."""
    ended = time(node, spot.at("abatementDateTime"))
    if ended:
        return {"abatementDateTime": ended}
    unknown = node.get("nullFlavor") == "UNK"
    return {"_abatementDateTime": absence(node, spot.at("abatementDateTime"))} if unknown else {}


def _categories(statement: Node, spot: Spot, setting: Setting) -> list[Resource]:
    """The section's category first, then the kind of problem that the sender codes."""
    fixed = setting.section.category
    system = _CATEGORIES.get(fixed)
    categories = [{"coding": [{"system": system, "code": fixed}]}] if system else []
    own = known_concept(statement.first("code"), spot.at(f"category[{len(categories)}]"))
    return [*categories, own] if own else categories
