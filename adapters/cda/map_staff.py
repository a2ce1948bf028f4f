"""Those who act: practitioners with their roles, devices, organisations.

https://hl7.org/fhir/R4/practitioner.html
"""

from adapters.cda.chart import Chart, Link, Spot, listed
from adapters.cda.datatypes import concept, root_uri
from adapters.cda.demographics import addresses, names, spoken, telecoms
from adapters.cda.identifiers import identifier, identifiers, key_of, number_of
from adapters.cda.node import Node
from adapters.contract import Resource

ANYONE = frozenset({"Patient", "Practitioner", "Device", "Organization"})
PERSON = frozenset({"Patient", "Practitioner"})
PROVIDER = frozenset({"Practitioner", "Organization"})
STAFF = frozenset({"Practitioner"})


def party(entity: Node, spot: Spot, allowed: frozenset[str] = ANYONE) -> Resource:
    """A reference to whoever an assignedAuthor or assignedEntity is, if FHIR allows that kind there."""
    kind = _kind_of_party(entity, spot.chart)
    if kind not in allowed:
        return {}
    if kind == "Patient":
        return _patient_again(entity, spot)
    if kind == "Device":
        return spot.chart.link(_device(entity, spot.chart))
    if kind == "Practitioner":
        return _practitioner(entity, spot)
    return organization(entity.first("representedOrganization"), spot)


def _kind_of_party(entity: Node, chart: Chart) -> str:
    if _is_patient(entity, chart):
        return "Patient"
    if entity.first("assignedAuthoringDevice"):
        return "Device"
    if entity.first("assignedPerson") or any(number_of(node) for node in entity.all("id")):
        return "Practitioner"
    if entity.first("representedOrganization"):
        return "Organization"
    return "Practitioner" if entity.first("code").get("code") else ""


def _is_patient(entity: Node, chart: Chart) -> bool:
    numbers = {(node.get("root"), node.get("extension")) for node in entity.all("id") if number_of(node)}
    return bool(numbers & chart.patient_ids)


def _patient_again(entity: Node, spot: Spot) -> Resource:
    for node in entity.all("id"):
        spot.attribute(node, "root", "reference")
        spot.attribute(node, "extension", "reference")
    return spot.chart.subject()


def _practitioner(entity: Node, spot: Spot) -> Resource:
    chart = spot.chart
    person = entity.first("assignedPerson")
    link = ("Practitioner", practitioner_key(entity, chart))
    place = chart.spot(link)
    elements = {
        "identifier": identifiers(entity.all("id"), place, chart.known(link, "identifier")),
        "name": names(person.all("name"), place, chart.known(link, "name")),
        "telecom": telecoms(entity.all("telecom"), place, known=chart.known(link, "telecom")),
        "address": addresses(entity.all("addr"), place, chart.known(link, "address")),
        "qualification": listed(
            entity.all("code"), (place, "qualification"), _qualification, chart.known(link, "qualification")
        ),
    }
    chart.add(link, elements)
    _role(entity, link, chart)
    return chart.link(link, spoken(person.first("name")))


def _qualification(node: Node, spot: Spot) -> Resource:
    code = concept(node, spot.at("code"))
    return {"code": code} if code else {}


def practitioner_key(entity: Node, chart: Chart) -> str:
    """The licence number, else the sender's own number, else the name within this document."""
    for node in entity.all("id"):
        if key_of(chart, node) == "practitioner" and node.get("extension"):
            return node.get("extension")
    for node in entity.all("id"):
        if node.get("extension") or root_uri(node.get("root")):
            return number_of(node)
    name = spoken(entity.first("assignedPerson", "name"))
    return f"{chart.scope}|{name.casefold() or entity.place}"


def _role(entity: Node, practitioner: Link, chart: Chart) -> None:
    employer = entity.first("representedOrganization")
    if not employer:
        return
    link = ("PractitionerRole", f"{practitioner[1]}|{_organization_key(employer, chart)}")
    where = organization(employer, chart.spot(link).at("organization"))
    if where:
        spot = chart.spot(link)
        elements = {
            "practitioner": chart.link(practitioner),
            "organization": where,
            "code": listed(entity.all("code"), (spot, "code"), concept, chart.known(link, "code")),
            "telecom": telecoms(entity.all("telecom"), spot, known=chart.known(link, "telecom")),
        }
        chart.add(link, elements)


def _device(entity: Node, chart: Chart) -> Link:
    device = entity.first("assignedAuthoringDevice")
    model, software = device.first("manufacturerModelName"), device.first("softwareName")
    link = ("Device", f"{model.text}|{software.text}")
    place = chart.spot(link)
    named = [
        {"name": place.text(node, f"deviceName[{n}].name"), "type": kind}
        for n, (node, kind) in enumerate(((model, "model-name"), (software, "other")))
        if node.text
    ]
    owner = organization(entity.first("representedOrganization"), place.at("owner"))
    elements = {
        "identifier": identifiers(entity.all("id"), place, chart.known(link, "identifier")),
        "deviceName": named,
        "owner": owner,
        "contact": telecoms(entity.all("telecom"), place, "contact", chart.known(link, "contact")),
    }
    chart.add(link, elements)
    return link


def organization(node: Node, spot: Spot) -> Resource:
    """A reference to an organisation: ours as a resource, another Vietnamese facility by its code alone.

    No hospital describes another one: the directory of the exchange does.
    """
    chart = spot.chart
    code = _facility_id(node, chart)
    if code and code.get("extension") != chart.hospital.facility_code:
        display = spot.text(node.first("name"), "display")
        return {"identifier": identifier(code, spot.at("identifier")), "display": display}
    key = _organization_key(node, chart)
    if not node or not key:
        return {}
    link = ("Organization", key)
    _add_organization(node, link, chart, ours=bool(code))
    return chart.link(link, node.first("name").text)


def _add_organization(node: Node, link: Link, chart: Chart, ours: bool) -> None:
    place = chart.spot(link)
    live = chart.draft.add(*link, {})
    live["name"] = live.get("name") or (chart.hospital.title if ours else node.first("name").text)
    elements = {
        "identifier": identifiers(node.all("id"), place, chart.known(link, "identifier")),
        "alias": _aliases(node.first("name"), place, live),
        "telecom": telecoms(node.all("telecom"), place, known=chart.known(link, "telecom")),
        "address": addresses(node.all("addr"), place, chart.known(link, "address")),
        "partOf": _whole(node, link, place),
    }
    chart.add(link, elements)


def _whole(node: Node, link: Link, place: Spot) -> Resource:
    """The organisation that this one is a part of, if that is another one."""
    whole = node.first("asOrganizationPartOf", "wholeOrganization")
    if not whole or ("Organization", _organization_key(whole, place.chart)) == link:
        return {}
    return organization(whole, place.at("partOf"))


def _aliases(written: Node, spot: Spot, live: Resource) -> list[str]:
    """Other names of the same organisation than the one it goes by here."""
    aliases: list[str] = list(live.get("alias", []))
    if not written.text or written.text == live["name"]:
        spot.text(written, "name")
        return aliases
    if written.text not in aliases:
        aliases.append(written.text)
    spot.text(written, f"alias[{aliases.index(written.text)}]")
    return aliases


def _facility_id(node: Node, chart: Chart) -> Node | None:
    coded = (one for one in node.all("id") if one.get("extension") and key_of(chart, one) == "facility")
    return next(coded, None)


def _organization_key(node: Node, chart: Chart) -> str:
    code = _facility_id(node, chart)
    if code is not None:
        return f"facility:{code.get('extension')}"
    numbers = [number_of(one) for one in node.all("id") if number_of(one)]
    return numbers[0] if numbers else node.first("name").text.casefold()
