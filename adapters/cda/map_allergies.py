"""Allergies and intolerances, and the statement that there are none.

https://hl7.org/fhir/R4/allergyintolerance.html
"""

import re

from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import absent, filled, known_concept, required_concept, start, time
from adapters.cda.facts import (
    PART,
    Setting,
    asserter,
    author,
    authored,
    follows,
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
from adapters.cda.node import NOTHING, Node
from adapters.cda.tables import translated
from adapters.contract import Resource

CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
SNOMED = "http://snomed.info/sct"
ENDED = "http://hl7.org/fhir/StructureDefinition/allergyintolerance-abatement"

_STATUS = ("2.16.840.1.113883.10.20.22.4.28", "33999-4")
_REACTION = "2.16.840.1.113883.10.20.22.4.9"
_SEVERITY = ("2.16.840.1.113883.10.20.22.4.8", "SEV")
_CRITICALITY = ("2.16.840.1.113883.10.20.22.4.145", "82606-5")
_ELEMENT_ID = re.compile(r"[A-Za-z0-9.\-]{1,64}\Z")


def allergy(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """An AllergyIntolerance; a negated one says that the patient is known not to have it."""
    kind, substance = statement.first("value"), _substance(statement)
    link, spot, elements = open_fact(chart, "AllergyIntolerance", statement, substance or kind)
    keep_text(statement, setting)
    category = _mapped(kind, "allergy_category", spot, "category[0]")
    elements |= {
        "extension": _ended(statement, spot),
        "clinicalStatus": {"coding": [{"system": CLINICAL, "code": _clinical(statement, setting, spot)}]},
        "type": _mapped(kind, "allergy_type", spot, "type"),
        "category": [category] if category else [],
        "criticality": _coded(_either(statement, setting.concern), "criticality", spot, "criticality"),
        "code": _code(statement, kind, substance, spot.at("code")),
        "patient": chart.subject(),
        "onsetDateTime": start(statement.first("effectiveTime"), spot.at("onsetDateTime")),
        "recordedDate": authored(statement, spot, "recordedDate", setting.concern),
        "recorder": author(statement, spot, "recorder", setting.concern),
        "asserter": asserter(statement, spot),
        "reaction": _reactions(statement, setting.concern, spot),
        "note": notes(statement, spot),
    }
    _set_parts_aside(statement, spot)
    chart.add(link, elements)
    return [link]


def _either(statement: Node, concern: Node) -> Node:
    """Some senders set the criticality beside the allergy, under its concern."""
    return part(statement, *_CRITICALITY) or part(concern, *_CRITICALITY)


def _ended(statement: Node, spot: Spot) -> list[Resource]:
    when = time(statement.first("effectiveTime", "high"), spot.at("extension[0].valueDateTime"))
    return [{"url": ENDED, "valueDateTime": when}] if when else []


def _set_parts_aside(statement: Node, spot: Spot) -> None:
    parts = [part(statement, *one) for one in (_STATUS, _SEVERITY, _CRITICALITY)]
    for node in [one for one in parts if one] + _reaction_nodes(statement):
        set_aside(node, spot, PART)
        _set_parts_aside(node, spot)
    statement.first("code").leave_out(PART)
    set_status_aside(statement, spot)


def _reaction_nodes(statement: Node) -> list[Node]:
    """The reactions: by template, or by the relation that says how the allergy shows itself."""
    relations = [(one.get("typeCode"), one.first("observation")) for one in statement.all("entryRelationship")]
    return [node for kind, node in relations if node and (kind == "MFST" or follows(node, _REACTION))]


def _substance(statement: Node) -> Node:
    for participant in statement.all("participant"):
        entity = participant.first("participantRole", "playingEntity")
        if entity.first("code") or entity.first("name"):
            code = entity.first("code")
            named = code.get("code") or code.children or not entity.first("name").text
            return code if code and named else entity.first("name")
    return NOTHING


def _clinical(statement: Node, setting: Setting, spot: Spot) -> str:
    """The allergy's own status, else that of the concern that tracks it."""
    place = "clinicalStatus.coding[0].code"
    node = part(statement, *_STATUS) or part(setting.concern, *_STATUS)
    told = _mapped(node.first("value"), "allergy_status", spot, place)
    return told or _mapped(setting.concern.first("statusCode"), "concern_status", spot, place) or "active"


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
        negated = translated("allergy_absent_substance", substance.get("code"))
        code = spot.attribute(substance, "code", "text") or spot.text(substance, "text")
        system = spot.attribute(substance, "codeSystem", "text")
        name = spot.attribute(substance, "displayName", "text")
        coding = [{"system": SNOMED, "code": negated}] if negated else []
        return {"coding": coding, "text": " ".join(filter(None, ("no known allergy to", system, code, name)))}
    known = _mapped(kind, "allergy_absent", spot, "coding[0].code")
    coding = [{"system": SNOMED, "code": known}] if known else []
    return {"coding": coding, "text": "no known allergies"}


def _reactions(statement: Node, concern: Node, spot: Spot) -> list[Resource]:
    """Each reaction with its severity; one of the whole allergy counts for those that have none of their own."""
    whole = part(statement, *_SEVERITY) or part(concern, *_SEVERITY)
    reactions = _reaction_nodes(statement)
    if not reactions and whole:
        severity = _coded(whole, "severity", spot, "reaction[0].severity")
        return [{"manifestation": [absent()], "severity": severity}] if severity else []
    return [_reaction(node, whole, spot.at(f"reaction[{n}]")) for n, node in enumerate(reactions)]


def _reaction(node: Node, whole: Node, spot: Spot) -> Resource:
    place = spot.at("manifestation[0]")
    reaction = {
        "id": _element_id(node, spot),
        "manifestation": [required_concept(node.first("value"), place, node.first("text"))],
        "description": _description(node, spot),
        "onset": start(node.first("effectiveTime"), spot.at("onset")),
        "severity": _coded(part(node, *_SEVERITY) or whole, "severity", spot, "severity"),
        "note": notes(Node(children=node.all("entryRelationship")), spot) if related(node, "act") else [],
    }
    return filled(reaction)


def _description(node: Node, spot: Spot) -> str:
    """The sender's own words on the reaction, where they are not all there is of it."""
    coded = known_concept(node.first("value"), spot.silent())
    return spot.text(node.first("text"), "description") if coded else ""


def _element_id(node: Node, spot: Spot) -> str:
    """The sender's number of the reaction, which has no identifier in FHIR, as the element's own id."""
    number = next((one for one in node.all("id") if number_of(one)), NOTHING)
    name = "extension" if number.get("extension") else "root"
    if not _ELEMENT_ID.match(number.get(name)):
        return ""
    spot.attribute(number, name, "id")
    return number.get(name)
