"""Who pays: the policies of the payers section.

https://hl7.org/fhir/R4/coverage.html
"""

import re

from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import absent, known_concept, period
from adapters.cda.facts import PART, Setting, follows, keep_text, open_fact, set_aside, status
from adapters.cda.identifiers import identifier, number_of
from adapters.cda.map_staff import organization
from adapters.cda.node import NOTHING, Node
from adapters.contract import Resource

_POLICY = "2.16.840.1.113883.10.20.22.4.61"
_GUARANTOR = "2.16.840.1.113883.10.20.22.4.88"


def coverage(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """The policies of a coverage act, each a Coverage; a policy that stands alone is one too."""
    if follows(statement, _POLICY):
        return [_policy(chart, statement, setting, NOTHING)]
    relations = [relation for relation in statement.all("entryRelationship") if relation.first("act")]
    found = [_policy(chart, one.first("act"), setting, one.first("sequenceNumber")) for one in relations]
    if found:
        set_aside(statement, setting.narrative, PART)
    return found


def _policy(chart: Chart, statement: Node, setting: Setting, turn: Node) -> Link:
    """One policy; ``turn`` says which of several pays first."""
    link, spot, elements = open_fact(chart, "Coverage", statement, statement.first("code"))
    keep_text(statement, setting)
    told = status(statement, "coverage_status", spot)
    covered, holder = _participant(statement, "COV"), _participant(statement, "HLD")
    times = (covered.first("time"), statement.first("effectiveTime"))
    elements |= {
        "status": "active" if told == "unknown" else told,
        "type": known_concept(statement.first("code"), spot.at("type")),
        "policyHolder": _holder(holder, spot.at("policyHolder")),
        "subscriberId": _number(covered, spot) or _number(holder, spot),
        "beneficiary": chart.subject(),
        "relationship": known_concept(covered.first("participantRole", "code"), spot.at("relationship")),
        "period": next(filter(None, (period(node, spot.at("period")) for node in times)), {}),
        "payor": _payers(statement, spot) or [absent()],
        "order": _turn(turn, spot),
    }
    chart.add(link, elements)
    return link


def _turn(node: Node, spot: Spot) -> int | None:
    if not re.fullmatch(r"[1-9][0-9]{0,8}", node.get("value")):
        return None
    return int(spot.attribute(node, "value", "order"))


def _participant(statement: Node, kind: str) -> Node:
    return next((node for node in statement.all("participant") if node.get("typeCode") == kind), NOTHING)


def _number(participant: Node, spot: Spot) -> str:
    """The number on the card."""
    numbers = [node for node in participant.first("participantRole").all("id") if number_of(node)]
    return spot.attribute(numbers[0], "extension", "subscriberId") if numbers else ""


def _holder(participant: Node, spot: Spot) -> Resource:
    """Whose policy it is, by number and name."""
    role = participant.first("participantRole")
    number = next((one for one in role.all("id") if number_of(one)), NOTHING)
    name = spot.text(role.first("playingEntity", "name"), "display")
    held = identifier(number, spot.at("identifier")) if number else {}
    return {"identifier": held, "display": name} if held or name else {}


def _payers(statement: Node, spot: Spot) -> list[Resource]:
    """The insurer; a guarantor pays what the insurer does not and is no payer of the policy."""
    found: list[Resource] = []
    for performer in statement.all("performer"):
        if not follows(performer, _GUARANTOR):
            one = organization(_insurer(performer.first("assignedEntity")), spot.at(f"payor[{len(found)}]"))
            found += [one] if one else []
    return found


def _insurer(entity: Node) -> Node:
    """The insurer with the number, address and telephone that senders give to its role instead of to itself."""
    house = entity.first("representedOrganization")
    beside = [part for name in ("id", "telecom", "addr") if not house.first(name) for part in entity.all(name)]
    if not house or not beside:
        return house
    return house.altered(house.attributes, [*house.children, *beside])
