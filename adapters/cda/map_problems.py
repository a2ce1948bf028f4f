"""Problems and diagnoses as Conditions.

https://hl7.org/fhir/R4/condition.html
"""

from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import concept, known_concept, required_concept, start, time
from adapters.cda.facts import (
    PART,
    Setting,
    author,
    authored,
    follows,
    inline_note,
    is_negated,
    keep_text,
    open_fact,
    related,
    set_aside,
    set_status_aside,
    with_template,
)
from adapters.cda.node import NOTHING, Node
from adapters.cda.tables import translated
from adapters.contract import Resource

CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"

_STATUS = "2.16.840.1.113883.10.20.22.4.6"
_DIAGNOSED = "2.16.840.1.113883.10.20.22.4.502"
_SEVERITY = "2.16.840.1.113883.10.20.22.4.8"
_GONE = frozenset({"inactive", "resolved", "remission"})


def condition(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """A Condition; a negated one is kept as refuted, never as present."""
    value = statement.first("value")
    link, spot, elements = open_fact(chart, "Condition", statement, value)
    keep_text(statement, setting)
    clinical, ended = _course(statement, spot)
    refuted = is_negated(statement, spot, "verificationStatus.coding[0].code")
    severity = concept(with_template(statement, _SEVERITY).first("value"), spot.at("severity"))
    elements |= {
        "clinicalStatus": {"coding": [{"system": CLINICAL, "code": clinical}]},
        "verificationStatus": {"coding": [{"system": VERIFICATION, "code": "refuted"}]} if refuted else {},
        "category": _categories(statement, spot, setting),
        "severity": severity,
        "code": required_concept(value, spot.at("code"), statement.first("text")),
        "subject": chart.subject(),
        "encounter": _encounter(chart, setting),
        "onsetDateTime": start(statement.first("effectiveTime"), spot.at("onsetDateTime")),
        "abatementDateTime": ended,
        "recordedDate": _recorded(statement, setting, spot),
        "recorder": author(statement, spot, "recorder", setting.concern),
        "note": inline_note(statement, spot),
    }
    _set_parts_aside(statement, spot)
    chart.draft.add(*link, elements)
    return [link]


def _set_parts_aside(statement: Node, spot: Spot) -> None:
    for part in related(statement):
        if follows(part, _STATUS, _DIAGNOSED, _SEVERITY):
            set_aside(part, spot, PART)
    set_status_aside(statement, spot)


def _recorded(statement: Node, setting: Setting, spot: Spot) -> str:
    diagnosed = start(with_template(statement, _DIAGNOSED).first("effectiveTime"), spot.at("recordedDate"))
    return diagnosed or authored(statement, spot, "recordedDate", setting.concern)


def _encounter(chart: Chart, setting: Setting) -> Resource:
    """A diagnosis of this stay belongs to it; a problem of the list does not."""
    mine = setting.section.kind == "diagnoses" and chart.encounter is not None
    return chart.link(chart.encounter) if mine and chart.encounter else {}


def _course(statement: Node, spot: Spot) -> tuple[str, str]:
    """The clinical status and when it ended; FHIR has no end for what is still active."""
    ended_node = statement.first("effectiveTime", "high")
    node = _status_node(statement)
    told = translated("problem_status", node.get("code"))
    if told:
        spot.attribute(node, "code", "clinicalStatus.coding[0].code")
        spot.attribute(node, "codeSystem", "clinicalStatus.coding[0].code")
        spot.attribute(node, "displayName", "clinicalStatus.coding[0].code")
    if told and told not in _GONE:
        if ended_node.get("value"):
            spot.chart.notice(ended_node.place, "an end date on a problem said to be active is left out")
        return told, ""
    ended = time(ended_node, spot.at("abatementDateTime"))
    return told or ("resolved" if ended else "active"), ended


def _status_node(statement: Node) -> Node:
    templated = with_template(statement, _STATUS)
    coded = (node for node in related(statement) if node.first("code").get("code") == "33999-4")
    return (templated or next(coded, NOTHING)).first("value")


def _categories(statement: Node, spot: Spot, setting: Setting) -> list[Resource]:
    """The section's category first, then the kind of problem that the sender codes."""
    fixed = setting.section.category
    known = fixed in {"problem-list-item", "encounter-diagnosis", "health-concern"}
    categories = [{"coding": [{"system": CATEGORY, "code": fixed}]}] if known else []
    own = known_concept(statement.first("code"), spot.at(f"category[{len(categories)}]"))
    return [*categories, own] if own else categories
