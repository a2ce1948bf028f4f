"""PL to Location, and the sending hospital itself.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-datatype-pl-to-location.html
"""

from adapters.contract import Resource
from adapters.hl7v2.codes import TERMINOLOGY
from adapters.hl7v2.read import Value
from adapters.hl7v2.scene import Scene

# Facility, building, floor, point of care, room, bed, description.
_PL = (4, 7, 8, 1, 2, 3, 9)
_NAMED = tuple(sorted(_PL))
# As it is said: point of care, room, bed, description, building, floor, facility.
_SPOKEN = (1, 2, 3, 9, 7, 8, 4)


def location_key(value: Value) -> str:
    """What names the place of a PL; empty for one that names none."""
    parts = [value.peek(component) for component in _PL]
    return "|".join(parts) if any(parts) else ""


def location(scene: Scene, value: Value, at: str) -> Resource | None:
    """A PL: one Location for the point of care, room and bed named."""
    key = location_key(value) if value else ""
    if not key:
        return None
    here = f"{scene.at('Location', key)}name"
    for component in _NAMED:
        if component in value:
            value.took(component, here)
    name = ", ".join(filter(None, [value.peek(component) for component in _SPOKEN]))
    kind = "bd" if 3 in value else "ro" if 2 in value else "wa"
    physical: Resource = {"coding": [{"system": f"{TERMINOLOGY}location-physical-type", "code": kind}]}
    if 6 in value:
        physical["text"] = value.take(6, f"{scene.at('Location', key)}physicalType.text")
    scene.put("Location", key, {"name": name, "mode": "instance", "physicalType": physical}, clean=True)
    return {**scene.reference("Location", key), "display": name}


def facility(scene: Scene) -> Resource:
    """The sending hospital itself."""
    hospital = scene.hospital
    key = f"facility:{hospital.facility_code}"
    if not scene.has_made("Organization", key):
        mark = {"system": scene.system("facility"), "value": hospital.facility_code}
        scene.add("Organization", key, {"identifier": [mark], "active": True, "name": hospital.title})
    link = scene.reference("Organization", key)
    return {**link, "display": hospital.title} if hospital.title else link
