"""Allergies and intolerances, and the statement that there are none.

https://hl7.org/fhir/R4/allergyintolerance.html
"""

from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import known_concept, required_concept, start
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

CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
SNOMED = "http://snomed.info/sct"

_STATUS = "2.16.840.1.113883.10.20.22.4.28"
_REACTION = "2.16.840.1.113883.10.20.22.4.9"
_SEVERITY = "2.16.840.1.113883.10.20.22.4.8"
_CRITICALITY = "2.16.840.1.113883.10.20.22.4.145"


def allergy(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """An AllergyIntolerance; a negated one says that the patient is known not to have it."""
    kind, substance = statement.first("value"), _substance(statement)
    link, spot, elements = open_fact(chart, "AllergyIntolerance", statement, substance or kind)
    keep_text(statement, setting)
    category = _mapped(kind, "allergy_category", spot, "category[0]")
    elements |= {
        "clinicalStatus": {"coding": [{"system": CLINICAL, "code": _clinical(statement, spot)}]},
        "type": _mapped(kind, "allergy_type", spot, "type"),
        "category": [category] if category else [],
        "criticality": _coded(with_template(statement, _CRITICALITY), "criticality", spot, "criticality"),
        "code": _code(statement, kind, substance, spot.at("code")),
        "patient": chart.subject(),
        "onsetDateTime": start(statement.first("effectiveTime"), spot.at("onsetDateTime")),
        "recordedDate": authored(statement, spot, "recordedDate", setting.concern),
        "recorder": author(statement, spot, "recorder", setting.concern),
        "reaction": _reactions(statement, spot),
        "note": inline_note(statement, spot),
    }
    _set_parts_aside(statement, spot)
    chart.draft.add(*link, elements)
    return [link]


def _set_parts_aside(statement: Node, spot: Spot) -> None:
    for part in related(statement):
        if follows(part, _STATUS, _REACTION, _SEVERITY, _CRITICALITY):
            set_aside(part, spot, PART)
            _set_parts_aside(part, spot)
    kind = statement.first("code")
    if kind.get("code") == "ASSERTION":
        for name in kind.attributes:
            spot.chart.document.tally.ignore(f"{kind.place}/@{name}", PART)
    set_status_aside(statement, spot)


def _substance(statement: Node) -> Node:
    for participant in statement.all("participant"):
        entity = participant.first("participantRole", "playingEntity")
        if entity.first("code") or entity.first("name"):
            return entity.first("code") or entity.first("name")
    return NOTHING


def _clinical(statement: Node, spot: Spot) -> str:
    node = with_template(statement, _STATUS).first("value")
    return _mapped(node, "allergy_status", spot, "clinicalStatus.coding[0].code") or "active"


def _mapped(node: Node, table: str, spot: Spot, path: str) -> str:
    found = translated(table, node.get("code"))
    if found:
        for name in ("code", "codeSystem", "displayName"):
            spot.attribute(node, name, path)
    return found


def _coded(observation: Node, table: str, spot: Spot, path: str) -> str:
    return _mapped(observation.first("value"), table, spot, path)


def _code(statement: Node, kind: Node, substance: Node, spot: Spot) -> Resource:
    if is_negated(statement, spot, ""):
        return _none_known(kind, substance, spot)
    if substance.name == "name":
        return {"text": spot.text(substance, "text")}
    return known_concept(substance, spot) or required_concept(kind, spot, statement.first("text"))


def _none_known(kind: Node, substance: Node, spot: Spot) -> Resource:
    """No allergy to one substance, or none of a kind: the substance must never stand there as if it were one."""
    if substance.get("code") or substance.text:
        code = spot.attribute(substance, "code", "text") or spot.text(substance, "text")
        system = spot.attribute(substance, "codeSystem", "text")
        name = spot.attribute(substance, "displayName", "text")
        return {"text": " ".join(filter(None, ("no known allergy to", system, code, name)))}
    known = _mapped(kind, "allergy_absent", spot, "coding[0].code")
    coding = [{"system": SNOMED, "code": known}] if known else []
    return {"coding": coding, "text": "no known allergies"}


def _reactions(statement: Node, spot: Spot) -> list[Resource]:
    """Each reaction with its severity; a severity of the whole allergy goes to the first."""
    nested = [node for node in related(statement) if follows(node, _REACTION)]
    found = []
    for n, node in enumerate(nested):
        place = spot.at(f"reaction[{n}]")
        severity = with_template(node, _SEVERITY) or (with_template(statement, _SEVERITY) if n == 0 else NOTHING)
        found.append(
            {
                "manifestation": [
                    required_concept(node.first("value"), place.at("manifestation[0]"), node.first("text"))
                ],
                "onset": start(node.first("effectiveTime"), place.at("onset")),
                "severity": _coded(severity, "severity", place, "severity"),
            }
        )
    return found
