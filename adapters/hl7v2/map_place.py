"""PL to Location, and the sending hospital itself.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-datatype-pl-to-location.html
"""

from adapters.contract import Resource
from adapters.hl7v2.codes import TERMINOLOGY
from adapters.hl7v2.read import Value
from adapters.hl7v2.scene import Scene

# Facility, building, floor, point of care, room, bed, description.
_PL = (4, 7, 8, 1, 2, 3, 9)


def location_key(value: Value) -> str:
    """What names the place of a PL; empty for one that names none."""
    parts = [value.peek(component) for component in _PL]
    return "|".join(parts) if any(parts) else ""


def location(scene: Scene, value: Value, at: str) -> Resource | None:
    """A PL: one Location for the point of care, room and bed named."""
    if not value:
        return None
    parts = [value.peek(component) for component in _PL]
    key = location_key(value)
    if not key:
        return None
    here = scene.at("Location", key)
    for component, path in ((1, "name"), (2, "name"), (3, "name"), (4, "name"), (7, "name"), (8, "name"), (9, "name")):
        value.took(component, f"{here}{path}")
    names = [part for part in (parts[3], parts[4], parts[5], parts[6], parts[1], parts[2], parts[0]) if part]
    kind = "bd" if parts[5] else "ro" if parts[4] else "wa"
    coding = {"system": f"{TERMINOLOGY}location-physical-type", "code": kind}
    physical = {"coding": [coding], "text": value.take(6, f"{here}physicalType.text")}
    scene.add("Location", key, {"name": ", ".join(names), "mode": "instance", "physicalType": physical})
    return {**scene.reference("Location", key), "display": ", ".join(names)}


def facility(scene: Scene) -> Resource:
    """The sending hospital itself."""
    key = f"facility:{scene.hospital.facility_code}"
    if not scene.has_made("Organization", key):
        mark = {"system": scene.system("facility"), "value": scene.hospital.facility_code}
        scene.add("Organization", key, {"identifier": [mark], "active": True, "name": scene.hospital.title})
    return {**scene.reference("Organization", key), "display": scene.hospital.title}
