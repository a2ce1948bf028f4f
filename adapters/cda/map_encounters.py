"""The encounter that the document is about, and those it lists.

https://hl7.org/fhir/R4/encounter.html
"""

from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import coding, concept, period, start
from adapters.cda.demographics import addresses
from adapters.cda.facts import PART, Setting, follows, keep_text, related, set_aside, status, with_template
from adapters.cda.identifiers import identifiers, key_of, number_of
from adapters.cda.map_problems import condition
from adapters.cda.map_staff import STAFF, organization, party
from adapters.cda.node import NOTHING, Node
from adapters.cda.tables import translated
from adapters.contract import Resource

UNKNOWN_CLASS = {"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": "UNK"}
ACT_CODE = "2.16.840.1.113883.5.4"

_INDICATION = "2.16.840.1.113883.10.20.22.4.19"
_DIAGNOSIS = "2.16.840.1.113883.10.20.22.4.80"


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
        "hospitalization": _discharge(node.first("dischargeDispositionCode"), spot),
        **_place(chart, node.first("location", "healthCareFacility"), spot),
    }
    chart.draft.add(*link, elements)
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
        "status": "finished" if told == "unknown" and when.get("end") else told,
        **_kind(statement.first("code"), spot),
        "subject": chart.subject(),
        "participant": _performers(statement, spot),
        "period": when,
        "reasonCode": _reasons(statement, spot),
        "diagnosis": _diagnoses(chart, statement, setting),
    }
    _complete(chart, link, elements)
    return [link]


def _complete(chart: Chart, link: Link, elements: Resource) -> None:
    """Add what is new: an entry of the list never makes the document's own encounter less known."""
    live = chart.draft.add(*link, {})
    if elements["status"] == "unknown":
        elements["status"] = live.get("status", "unknown")
    if elements["class"] == UNKNOWN_CLASS:
        elements["class"] = live.get("class", UNKNOWN_CLASS)
    chart.draft.add(*link, elements)


def _key(chart: Chart, node: Node) -> str:
    """The visit number, else any number with the patient's, else its place in the document."""
    for one in node.all("id"):
        if key_of(chart, one) in {"visit", "episode"} and one.get("extension"):
            return one.get("extension")
    number = next((number_of(one) for one in node.all("id") if number_of(one)), "")
    return f"{chart.patient}|{number}" if number else f"{chart.scope}|{node.place}"


def _period(node: Node, spot: Spot) -> Resource:
    found = period(node, spot)
    if found:
        return found
    when = start(node, spot.at("start"))
    return {"start": when} if when else {}


def _kind(node: Node, spot: Spot) -> Resource:
    """The class where the code is one, else the type with the class unknown: it is never guessed."""
    if node.get("codeSystem") == ACT_CODE and translated("encounter_class", node.get("code")):
        return {"class": coding(node, spot.at("class"))}
    kind = concept(node, spot.at("type[0]"))
    translation = next((one for one in node.all("translation") if one.get("codeSystem") == ACT_CODE), NOTHING)
    known = translated("encounter_class", translation.get("code"))
    return {"class": coding(translation, spot.at("class")) if known else UNKNOWN_CLASS, "type": [kind] if kind else []}


def _participants(node: Node, spot: Spot) -> list[Resource]:
    people = [node.first("responsibleParty")] if node.first("responsibleParty") else []
    people += node.all("encounterParticipant")
    found: list[Resource] = []
    for person in people:
        place = spot.at(f"participant[{len(found)}]")
        individual = party(person.first("assignedEntity"), place.at("individual"), STAFF)
        if individual:
            found.append({"individual": individual, "period": period(person.first("time"), place.at("period"))})
    return found


def _reasons(statement: Node, spot: Spot) -> list[Resource]:
    value = with_template(statement, _INDICATION).first("value")
    reason = concept(value, spot.at("reasonCode[0]"))
    set_aside(with_template(statement, _INDICATION), spot, PART)
    return [reason] if reason else []


def _diagnoses(chart: Chart, statement: Node, setting: Setting) -> list[Resource]:
    acts = [act for act in related(statement, "act") if follows(act, _DIAGNOSIS)]
    problems = [node for act in acts for node in related(act)]
    links = [link for node in problems for link in condition(chart, node, setting)]
    for act in acts:
        set_aside(act, setting.narrative, PART)
    return [{"condition": chart.link(link)} for link in links]


def _performers(statement: Node, spot: Spot) -> list[Resource]:
    people = [node.first("assignedEntity") for node in statement.all("performer")]
    found = (party(person, spot.at(f"participant[{n}].individual"), STAFF) for n, person in enumerate(people))
    return [{"individual": one} for one in found if one]


def _discharge(node: Node, spot: Spot) -> Resource:
    disposition = concept(node, spot.at("hospitalization.dischargeDisposition"))
    return {"dischargeDisposition": disposition} if disposition else {}


def _place(chart: Chart, facility: Node, spot: Spot) -> Resource:
    """The ward or clinic as a Location, the facility as the service provider."""
    provider = organization(facility.first("serviceProviderOrganization"), spot.at("serviceProvider"))
    name = facility.first("location", "name")
    number = next((number_of(one) for one in facility.all("id") if number_of(one)), "")
    if not (name.text or number):
        return {"serviceProvider": provider}
    link = ("Location", number or name.text.casefold())
    place = chart.spot(link)
    kind = concept(facility.first("code"), place.at("type[0]"))
    address = addresses(facility.first("location").all("addr")[:1], place)
    elements = {
        "identifier": identifiers(facility.all("id"), place, chart.known(link, "identifier")),
        "name": place.text(name, "name"),
        "type": [kind] if kind else [],
        "address": address[0] if address else {},
    }
    chart.draft.add(*link, elements)
    return {"location": [{"location": chart.link(link, name.text)}], "serviceProvider": provider}
