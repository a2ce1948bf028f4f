"""Where care is given: wards, clinics, sites.

https://hl7.org/fhir/R4/location.html
"""

from adapters.cda.chart import Chart, Link
from adapters.cda.datatypes import concept
from adapters.cda.demographics import address, telecoms
from adapters.cda.identifiers import identifiers, number_of
from adapters.cda.node import Node
from adapters.contract import Resource

_SERVICE_PLACE = "2.16.840.1.113883.10.20.22.4.32"


def location(chart: Chart, role: Node, place: Node) -> Link | None:
    """The Location that a role and its place describe; None when they say nothing of it."""
    name = place.first("name")
    number = next((number_of(one) for one in role.all("id") if number_of(one)), "")
    described = place.first("addr") or role.first("addr") or role.first("code")
    if not (name.text or number or described):
        return None
    known = f"{role.first('code').get('code')}|{name.text.casefold()}" if name.text else f"{chart.scope}|{role.place}"
    link = ("Location", number or known)
    spot = chart.spot(link)
    kind = concept(role.first("code"), spot.at("type[0]"))
    elements = {
        "identifier": identifiers(role.all("id"), spot, chart.known(link, "identifier")),
        "name": spot.text(name, "name"),
        "type": [kind] if kind else [],
        "telecom": telecoms(role.all("telecom"), spot, known=chart.known(link, "telecom")),
        "address": address(place.first("addr") or role.first("addr"), spot.at("address")),
    }
    chart.add(link, elements)
    return link


def service_place(chart: Chart, statement: Node) -> Resource:
    """The place it was done, where it is described as a service delivery location."""
    for participant in statement.all("participant"):
        role = participant.first("participantRole")
        templates = {template.get("root") for template in role.all("templateId")}
        if participant.get("typeCode") == "LOC" or _SERVICE_PLACE in templates:
            link = location(chart, role, role.first("playingEntity"))
            if link:
                return chart.link(link, role.first("playingEntity", "name").text)
    return {}
