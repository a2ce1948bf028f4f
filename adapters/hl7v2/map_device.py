"""PRT of a result: the device it was made with, and where.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-prt-to-device.html
"""

from adapters.contract import Resource
from adapters.hl7v2.contacts import address
from adapters.hl7v2.datatypes import coded, entity, time
from adapters.hl7v2.map_place import location
from adapters.hl7v2.read import Segment, Value
from adapters.hl7v2.scene import Scene, extension

DEVICE_FIELDS = frozenset({10, 16, 17, 18, 19, 20, 21, 22})
_EVENT_LOCATION = "http://hl7.org/fhir/StructureDefinition/event-location"


def add_device(scene: Scene, prt: Segment, about: Resource) -> None:
    """The Device, key: its number or serial number; the result points to it."""
    number = prt.peek(10) or prt.peek(20) or prt.peek(16) or prt.peek(21)
    if not number:
        return
    key = scene.key("Device", number)
    at = scene.at("Device", key)
    scene.add(
        "Device",
        key,
        {
            "identifier": [entity(scene, prt.value(10), f"{at}identifier[0]", "")],
            "udiCarrier": [_udi(prt.value(16), f"{at}udiCarrier[0]")],
            "distinctIdentifier": prt.take(21, f"{at}distinctIdentifier"),
            "manufactureDate": time(scene, prt.value(17), f"{at}manufactureDate"),
            "expirationDate": time(scene, prt.value(18), f"{at}expirationDate"),
            "lotNumber": prt.take(19, f"{at}lotNumber"),
            "serialNumber": prt.take(20, f"{at}serialNumber"),
            "type": coded(scene, prt.value(22), f"{at}type", "device-type"),
        },
    )
    # The number of OBX-18 stays beside the link.
    about["device"] = {**about.get("device", {}), **scene.reference("Device", key)}


def _udi(value: Value, at: str) -> Resource | None:
    """The device identifier of a UDI, and who issued it."""
    number = value.take(1, f"{at}.deviceIdentifier")
    issuer = value.take(3, f"{at}.issuer") if number and ":" in value.peek(3) else ""
    return {"deviceIdentifier": number, "issuer": issuer} if number else None


def add_places(scene: Scene, prt: Segment, about: Resource) -> None:
    """Where it was observed: the place, or an address that is a place of its own."""
    at = f"{about['resourceType']}/{about['id']}#extension"
    listed: list[Resource] = list(about.get("extension", ()))
    place = location(scene, prt.value(9), f"{at}[{len(listed)}].value")
    if place:
        listed.append(extension(_EVENT_LOCATION, valueReference=place))
    key = scene.key("Location", about["id"], "PRT-14")
    where = address(prt.value(14), f"{scene.at('Location', key)}address")
    if where:
        scene.add("Location", key, {"mode": "instance", "name": where.get("text", ""), "address": where})
        listed.append(extension(_EVENT_LOCATION, valueReference=scene.reference("Location", key)))
    if listed:
        about["extension"] = listed
