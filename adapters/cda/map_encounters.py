"""The encounter that the document is about, and those it lists.

https://hl7.org/fhir/R4/encounter.html
"""

import re
from dataclasses import replace

from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import coding, known_concept, period, start
from adapters.cda.facts import PART, Setting, follows, keep_text, reasons, related, set_aside, status
from adapters.cda.identifiers import identifiers, key_of, number_of
from adapters.cda.map_observations import remarks
from adapters.cda.map_places import location
from adapters.cda.map_problems import condition
from adapters.cda.map_staff import STAFF, organization, party
from adapters.cda.node import NOTHING, Node
from adapters.cda.tables import SectionKind, statement_kind, translated
from adapters.contract import Resource

UNKNOWN_CLASS = {"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": "UNK"}
ACT_CODES = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
ACT_CODE = "2.16.840.1.113883.5.4"
CPT = "2.16.840.1.113883.6.12"
_DIAGNOSES = "diagnoses"
_FUNCTION = "2.16.840.1.113883.5.88"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"

_DIAGNOSIS = "2.16.840.1.113883.10.20.22.4.80"
_ROLES = frozenset({"ADM", "ATND", "CON", "DIS", "REF", "CALLBCK", "ESC", "PPRF", "SPRF", "PART", "TRANS"})
# Visits that the American procedure codes name by where they take place.
_VISITS = ((99202, 99215, "AMB"), (99221, 99239, "IMP"), (99281, 99285, "EMER"))


def encompassing(chart: Chart, node: Node) -> Link | None:
    """The stay or visit during which the document was written."""
    if not node:
        return None
    link = ("Encounter", _key(chart, node))
    spot = chart.spot(link)
    when = _period(node.first("effectiveTime"), spot.at("period"))
    elements = {
        "identifier": identifiers(node.all("id"), spot),
        "status": "finished" if when.get("end") else "unknown",
        **_kind(node.first("code"), spot),
        "subject": chart.subject(),
        "participant": _participants(node, spot),
        "period": when,
        "hospitalization": _hospitalization(node, "dischargeDispositionCode", spot),
        **_place(chart, node.first("location", "healthCareFacility"), spot),
    }
    chart.add(link, elements)
    chart.encounter, chart.stay = link, (when.get("start", ""), when.get("end", ""))
    return link


def encounter(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """One encounter of the list; the document's own one, met again by its number, is completed."""
    link = ("Encounter", _key(chart, statement))
    spot = chart.spot(link)
    keep_text(statement, setting)
    when = _period(statement.first("effectiveTime"), spot.at("period"))
    told = status(statement, "encounter_status", spot)
    elements = {
        "identifier": identifiers(statement.all("id"), spot, chart.known(link, "identifier")),
        "status": "finished" if told == "unknown" and _is_over(statement, when) else told,
        **_kind(statement.first("code"), spot),
        "subject": chart.subject(),
        "participant": _performers(statement, spot, chart.known(link, "participant")),
        "period": when,
        "reasonCode": reasons(statement, link, spot),
        "diagnosis": _diagnoses(chart, statement, setting, link),
        "hospitalization": _hospitalization(statement, "sdtc:dischargeDispositionCode", spot),
        "location": _places(chart, statement, chart.known(link, "location")),
    }
    _complete(chart, link, elements)
    remarks(chart, statement, setting, link)
    return [link]


def _complete(chart: Chart, link: Link, elements: Resource) -> None:
    """Add what is new: an entry of the list never makes the document's own encounter less known."""
    live = chart.draft.add(*link, {})
    if elements["status"] == "unknown":
        elements["status"] = live.get("status", "unknown")
    if elements["class"] == UNKNOWN_CLASS:
        elements["class"] = live.get("class", UNKNOWN_CLASS)
    chart.add(link, elements)


def _key(chart: Chart, node: Node) -> str:
    """The visit number, else any number with the patient's, else its place in the document."""
    for one in node.all("id"):
        if key_of(chart, one) in {"visit", "episode"} and one.get("extension"):
            return one.get("extension")
    number = next((number_of(one) for one in node.all("id") if number_of(one)), "")
    return f"{chart.patient}|{number}" if number else f"{chart.scope}|{node.place}"


def named(chart: Chart, statement: Node, setting: Setting) -> Resource:
    """The encounter that a statement says it belongs to."""
    inner = related(statement, "encounter")
    return chart.link(encounter(chart, inner[0], setting)[0]) if inner else {}


def _is_over(statement: Node, when: Resource) -> bool:
    """An end, or a single moment, lies behind."""
    return bool(when.get("end") or (when and statement.first("effectiveTime").get("value")))


def _period(node: Node, spot: Spot) -> Resource:
    found = period(node, spot)
    if found:
        return found
    when = start(node, spot.at("start"))
    return {"start": when} if when else {}


def _kind(node: Node, spot: Spot) -> Resource:
    """The class where one of the codes is one, else unknown: it is never guessed; the other codes are the type."""
    codes = [one for one in (node, *node.all("translation")) if _class(one)]
    if not codes:
        kind = known_concept(node, spot.at("type[0]"))
        known = _class_of_visit(node)
        return {"class": {"system": ACT_CODES, "code": known} if known else UNKNOWN_CLASS, "type": [kind]}
    kind = known_concept(_without(node, codes[0]), spot.at("type[0]"))
    return {"class": coding(codes[0], spot.at("class")), "type": [kind] if kind else []}


def _class(node: Node) -> str:
    return translated("encounter_class", node.get("code")) if node.get("codeSystem") == ACT_CODE else ""


def _class_of_visit(node: Node) -> str:
    """What a procedure code says of the place of a visit."""
    code = node.get("code")
    if node.get("codeSystem") != CPT or not re.fullmatch(r"99[0-9]{3}", code):
        return ""
    return next((kind for low, high, kind in _VISITS if low <= int(code) <= high), "")


def _without(node: Node, taken: Node) -> Node:
    """The code without the part that became the class."""
    rest = [child for child in node.children if child is not taken]
    if taken is not node:
        return node.altered(node.attributes, rest)
    return node.altered({}, rest) if rest else NOTHING


def _participants(node: Node, spot: Spot) -> list[Resource]:
    people = node.all("responsibleParty")[:1] + node.all("encounterParticipant")
    found: list[Resource] = []
    for person in people:
        place = spot.at(f"participant[{len(found)}]")
        individual = party(person.first("assignedEntity"), place.at("individual"), STAFF)
        if individual:
            kind = person.get("typeCode")
            part = [{"coding": [{"system": PARTICIPATION, "code": kind}]}] if kind in _ROLES else []
            when = period(person.first("time"), place.at("period"))
            found.append({"type": part, "individual": individual, "period": when})
            if part:
                place.attribute(person, "typeCode", "type[0].coding[0].code")
    return found


def _diagnoses(chart: Chart, statement: Node, setting: Setting, visit: Link) -> list[Resource]:
    """What was found at this visit, which each Condition names in turn."""
    acts = [act for act in related(statement, "act") if follows(act, _DIAGNOSIS)]
    inside = replace(setting, section=SectionKind("visit", "encounter-diagnosis"))
    nodes = [(act, node) for act in acts for node in related(act)]
    found = [(act, node) for act, node in nodes if statement_kind(node, _DIAGNOSES) == "condition"]
    links = [link for act, node in found for link in condition(chart, node, replace(inside, concern=act))]
    for act, node in nodes:
        # What stands beside the diagnosis and says since when it is, or how bad, is no diagnosis itself.
        if (act, node) not in found:
            set_aside(node, setting.narrative, PART)
    for link in links:
        chart.add(link, {"encounter": chart.link(visit)})
    for act in acts:
        set_aside(act, setting.narrative, PART)
    return [{"condition": chart.link(link)} for link in links]


def _performers(statement: Node, spot: Spot, known: list[Resource]) -> list[Resource]:
    found = list(known)
    for node in statement.all("performer"):
        place = spot.at(f"participant[{len(found)}]")
        individual = party(node.first("assignedEntity"), place.at("individual"), STAFF)
        if individual:
            kind = _function(node.first("sdtc:functionCode") or node.first("functionCode"), place.at("type[0]"))
            when = period(node.first("time"), place.at("period"))
            found.append({"type": [kind] if kind else [], "individual": individual, "period": when})
    return found


def _function(node: Node, spot: Spot) -> Resource:
    """What somebody was there for, with the code of a participation where the function has one."""
    kind = known_concept(node, spot)
    role = translated("participation", node.get("code")) if node.get("codeSystem") == _FUNCTION else ""
    return {**kind, "coding": [*kind.get("coding", ()), {"system": PARTICIPATION, "code": role}]} if role else kind


def _places(chart: Chart, statement: Node, known: list[Resource]) -> list[Resource]:
    found = list(known)
    for participant in statement.all("participant"):
        role = participant.first("participantRole")
        link = location(chart, role, role.first("playingEntity")) if participant.get("typeCode") == "LOC" else None
        one = {"location": chart.link(link, role.first("playingEntity", "name").text)} if link else {}
        found += [one] if one and one not in found else []
    return found


def _hospitalization(node: Node, discharge: str, spot: Spot) -> Resource:
    """From where the patient came, and whereto the patient went."""
    parts = (("admitSource", "sdtc:admissionReferralSourceCode"), ("dischargeDisposition", discharge))
    found = {name: known_concept(node.first(source), spot.at(f"hospitalization.{name}")) for name, source in parts}
    return {name: code for name, code in found.items() if code}


def _place(chart: Chart, facility: Node, spot: Spot) -> Resource:
    """The ward or clinic as a Location, the facility as the service provider."""
    provider = organization(facility.first("serviceProviderOrganization"), spot.at("serviceProvider"))
    link = location(chart, facility, facility.first("location"))
    where = [{"location": chart.link(link, facility.first("location", "name").text)}] if link else []
    return {"location": where, "serviceProvider": provider}
