"""What ORC and OBR say beside the order itself: numbers, parents, where to call, whose place of work, how secret.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-orc-to-servicerequest.html
"""

from adapters.contract import Resource
from adapters.hl7v2.codes import TERMINOLOGY
from adapters.hl7v2.contacts import telecom
from adapters.hl7v2.datatypes import coded, coding, entity, identifier
from adapters.hl7v2.map_organization import addresses, organization, organization_key, practitioner_role, telecoms
from adapters.hl7v2.map_timing import old_timing, says
from adapters.hl7v2.numbers import number, unit_of
from adapters.hl7v2.read import Segment, Value
from adapters.hl7v2.scene import Scene, extension

_CALLBACK = "http://hl7.org/fhir/StructureDefinition/servicerequest-order-callback-phone-number"
_EVENT = "http://hl7.org/fhir/StructureDefinition/businessEvent"
_ORC = frozenset({7, 14, 21, 22, 23, 24, 28, 29, 33, 38})
_OBR = frozenset({11, 17, 27, 29, 46, 47, 53})
_PLACE = frozenset({21, 22, 23, 24})


def add_order_details(scene: Scene, segments: tuple[Segment | None, Segment], request: Resource) -> None:
    """Complete the ServiceRequest of an order with what few senders say."""
    orc, obr = segments
    at = f"ServiceRequest/{request['id']}#"
    if orc:
        add_control(orc, request, at)
    if obr.says(_OBR):
        _add_of_obr(scene, obr, request, at)
    if orc and orc.says(_ORC):
        _add_of_orc(scene, segments, request, at)


def add_control(orc: Segment, made: Resource, at: str) -> None:
    """ORC-1, what was asked for: a status alone does not tell a change from a repeat."""
    said = orc.take(1, f"{at}extension[0].value")
    if said:
        concept = {"coding": [{"system": f"{TERMINOLOGY}v2-0119", "code": said}]}
        made["extension"] = [extension(_EVENT, valueCodeableConcept=concept), *made.get("extension", ())]


def add_secrecy(scene: Scene, value: Value, made: Resource) -> None:
    """A confidentiality code becomes a security label of the resource."""
    for first in (1, 4, 10):
        if not value.peek(first):
            continue
        labels = made.setdefault("meta", {}).setdefault("security", [])
        row = coding(scene, value, (first, "v2-0177"), f"{made['resourceType']}/{made['id']}#meta.security")
        label = {name: part for name, part in row.items() if part}
        labels.extend([label] if label not in labels else [])


def _add_of_obr(scene: Scene, obr: Segment, request: Resource, at: str) -> None:
    if obr.peek(11).upper() == "G":
        request["intent"] = "reflex-order"
    obr.take(11, f"{at}intent")
    _add_callback(obr.value(17), request, at)
    _add_old_timing(scene, obr.value(27), request, at)
    parents = [_parent(scene, value, f"{at}basedOn") for value in obr.values(29)]
    details = [coded(scene, v, f"{at}orderDetail", "v2-0411") for n in (46, 47) for v in obr.values(n)]
    _extend(request, "basedOn", [one for pair in parents for one in pair])
    _extend(request, "orderDetail", details)
    _extend(request, "identifier", [_placer(scene, obr.value(53), f"{at}identifier")])


def _add_of_orc(scene: Scene, segments: tuple[Segment | None, Segment], request: Resource, at: str) -> None:
    orc, obr = segments
    assert orc is not None
    if not obr.value(17):
        _add_callback(orc.value(14), request, at)
    if not obr.value(27):
        _add_old_timing(scene, orc.value(7), request, at)
    if not obr.value(53):
        _extend(request, "identifier", [_placer(scene, orc.value(33), f"{at}identifier")])
    group = entity(scene, orc.value(38), f"{at}identifier", scene.system("order"))
    kind = {"coding": [{"system": f"{TERMINOLOGY}v2-0203", "code": "FGN"}]}
    _extend(request, "identifier", [{"type": kind, **group} if group else None])
    _extend(request, "locationCode", [coded(scene, orc.value(29), f"{at}locationCode[0]", "v2-0482")])
    add_secrecy(scene, orc.value(28), request)
    if orc.says(_PLACE):
        asker = request.get("requester", {}) if orc.value(12) or obr.value(16) else {}
        _add_place(scene, orc, request, asker)


def _extend(request: Resource, name: str, rows: list[Resource | None]) -> None:
    kept = [row for row in rows if row]
    if kept:
        request[name] = [*request.get(name, ()), *kept]


def _add_callback(value: Value, request: Resource, at: str) -> None:
    number = telecom(value, f"{at}extension[{len(request.get('extension', ()))}].value")
    if number:
        _extend(request, "extension", [extension(_CALLBACK, valueContactPoint=number)])


def _add_old_timing(scene: Scene, value: Value, request: Resource, at: str) -> None:
    """OBR-27 and ORC-7 of messages before 2.5: how much, and when where OBR-6 has not said the time already."""
    amount = number(value.peek(1)) if "quantityQuantity" not in request and 1 in value else None
    if amount:
        value.took(1, f"{at}quantityQuantity.value")
        scale = unit_of(value.take(1, f"{at}quantityQuantity.unit", 2))
        request["quantityQuantity"] = {"value": amount.value, **scale}
    if any(name.startswith("occurrence") for name in request):
        return
    rhythm = old_timing(scene, value, f"{at}occurrenceTiming")
    if says(rhythm):
        request["occurrenceTiming"] = rhythm


def _parent(scene: Scene, value: Value, at: str) -> list[Resource]:
    """An EIP: the parent order by the placer's and by the filler's number."""
    made: list[Resource] = []
    for component, kind in ((1, "PLAC"), (2, "FILL")):
        number = value.take(component, f"{at}.identifier.value")
        for sub in (2, 3, 4):
            value.took(component, f"{at}.identifier.assigner", sub)
        typed = {"coding": [{"system": f"{TERMINOLOGY}v2-0203", "code": kind}]}
        mark = {"type": typed, "system": scene.system("order"), "value": number}
        made.extend([{"type": "ServiceRequest", "identifier": mark}] if number else [])
    return made


def _placer(scene: Scene, value: Value, at: str) -> Resource | None:
    kind = {"coding": [{"system": f"{TERMINOLOGY}v2-0203", "code": "PLAC"}]}
    return identifier(scene, value, at, scene.system("order"), {"type": kind})


def _add_place(scene: Scene, orc: Segment, request: Resource, person: Resource) -> None:
    """ORC-21 to 24: the requester as one who works at a place, that place's address and telephone, and his own."""
    number = orc.peek(12)
    if number and orc.value(24):
        scene.add("Practitioner", number, {"address": addresses(orc, 24, scene.at("Practitioner", number))})
    if not orc.value(21) and not orc.value(22) and not orc.value(23):
        return
    title = orc.peek(21, 10) or orc.peek(21, 3) or orc.peek(21) or "place"
    key = "|".join((number or "order", title))
    named = organization_key(orc.value(21))
    here = scene.at("Organization", named)
    more = {"address": addresses(orc, 22, here), "telecom": telecoms(orc, 23, here)} if named else {}
    at = scene.at("PractitionerRole", key)
    where = organization(scene, orc.value(21), f"{at}organization", more)
    elements = {"practitioner": person if "reference" in person else None, "organization": where}
    shown = {"display": person["display"]} if person.get("display") else {}
    request["requester"] = {**practitioner_role(scene, key, elements), **shown}
