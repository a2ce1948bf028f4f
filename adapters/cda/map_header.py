"""The header's smaller parts: set and version, language, who else took part, what was ordered, the service documented.

https://hl7.org/fhir/us/ccda/STU1.2/
"""

import re
from collections.abc import Iterator

from adapters.cda.chart import Chart, Spot
from adapters.cda.datatypes import concept, period
from adapters.cda.demographics import spoken
from adapters.cda.identifiers import identifier
from adapters.cda.map_people import related_person
from adapters.cda.map_staff import organization, party
from adapters.cda.node import Node
from adapters.contract import Resource

VERSION = "http://hl7.org/fhir/StructureDefinition/composition-clinicaldocument-versionNumber"
SET_ID = "urn:hl7-org:v3:setId"

_GUIDE = "http://hl7.org/fhir/us/ccda/StructureDefinition/"
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*\Z")


def language(node: Node, spot: Spot) -> str:
    return spot.attribute(node, "code", "language") if _LANGUAGE.match(node.get("code")) else ""


def extensions(chart: Chart, root: Node, spot: Spot) -> list[Resource]:
    """Each at its own index, as its source fields are entered under it."""
    found: list[Resource] = []
    for url, node in _extended(root):
        place = spot.at(f"extension[{len(found)}]")
        value = _value(chart, url, node, place)
        if value:
            found.append({"url": url, **value})
    return found


def _extended(root: Node) -> Iterator[tuple[str, Node]]:
    yield SET_ID, root.first("setId")
    yield VERSION, root.first("versionNumber")
    for name, extension in (
        ("dataEnterer", "DataEntererExtension"),
        ("informant", "InformantExtension"),
        ("informationRecipient", "InformationRecipientExtension"),
        ("participant", "ParticipantExtension"),
        ("inFulfillmentOf", "OrderExtension"),
        ("authorization", "AuthorizationExtension"),
    ):
        yield from ((_GUIDE + extension, node) for node in root.all(name))
    for service in root.all("documentationOf"):
        yield from ((f"{_GUIDE}PerformerExtension", node) for node in service.first("serviceEvent").all("performer"))


def _value(chart: Chart, url: str, node: Node, spot: Spot) -> Resource:
    if url == SET_ID:
        number = identifier(node, spot.at("valueIdentifier"))
        return {"valueIdentifier": number} if number else {}
    if url == VERSION:
        version = spot.attribute(node, "value", "valueString")
        return {"valueString": version} if version else {}
    reference = _participant(chart, node, spot.at("valueReference"))
    return {"valueReference": reference} if reference else {}


def _participant(chart: Chart, node: Node, spot: Spot) -> Resource:
    """Whom or what a header participation names."""
    if node.name == "inFulfillmentOf":
        return _logical("ServiceRequest", node.first("order"), spot)
    if node.name == "authorization":
        return _logical("Consent", node.first("consent"), spot)
    if node.name == "informationRecipient":
        return _recipient(node.first("intendedRecipient"), spot)
    relative = node.first("relatedEntity") or node.first("associatedEntity")
    if relative:
        return _relative(chart, relative, node.first("time"), spot)
    return party(node.first("assignedEntity"), spot)


def _relative(chart: Chart, relative: Node, when: Node, spot: Spot) -> Resource:
    link = related_person(relative, when, chart)
    return chart.link(link) if link else organization(relative.first("scopingOrganization"), spot)


def _logical(kind: str, node: Node, spot: Spot) -> Resource:
    """A thing this document only names: by its number and what kind it is."""
    number = identifier(node.first("id"), spot.at("identifier"))
    if not number:
        return {}
    name = spot.attribute(node.first("code"), "displayName", "display")
    return {"type": kind, "identifier": number, "display": name}


def _recipient(node: Node, spot: Spot) -> Resource:
    """A receiver is named, not described: the directory of the exchange knows it."""
    where = organization(node.first("receivedOrganization"), spot)
    name = node.first("informationRecipient", "name")
    if not spoken(name):
        return where
    for part in (name, *name.children):
        spot.text(part, "display")
    number = identifier(node.first("id"), spot.at("identifier")) or where.get("identifier", {})
    named = ", ".join(filter(None, (spoken(name), where.get("display"))))
    return {**where, "identifier": number, "display": named}


def event(root: Node, spot: Spot) -> list[Resource]:
    """The services that the document is about."""
    found: list[Resource] = []
    for node in root.all("documentationOf"):
        service = node.first("serviceEvent")
        place = spot.at(f"event[{len(found)}]")
        code = concept(service.first("code"), place.at("code[0]"))
        when = period(service.first("effectiveTime"), place.at("period"))
        if code or when:
            found.append({"code": [code] if code else [], "period": when})
    return found
