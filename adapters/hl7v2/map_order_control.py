"""What ORC says of an order that has no OBR: numbers, status, who asked, when.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-orc-to-servicerequest.html
"""

from adapters.contract import Resource
from adapters.hl7v2.codes import TERMINOLOGY, code
from adapters.hl7v2.datatypes import coded, entity, practitioner, time
from adapters.hl7v2.read import Segment
from adapters.hl7v2.scene import Scene

_KINDS = ((2, "PLAC", "Placer Identifier"), (3, "FILL", "Filler Identifier"))


def order_number(orc: Segment | None) -> str:
    """The number of the department that answers, else of the one that asks."""
    return (orc.peek(3) or orc.peek(2)) if orc else ""


def numbers(scene: Scene, orc: Segment | None, at: str) -> list[Resource]:
    made: list[Resource] = []
    for field, kind, title in _KINDS if orc else ():
        number = entity(scene, orc.value(field), f"{at}identifier[{len(made)}]", scene.system("order")) if orc else None
        if number:
            concept = {"coding": [{"system": f"{TERMINOLOGY}v2-0203", "code": kind, "display": title}]}
            made.append({"type": concept, **number})
    return made


def group(scene: Scene, orc: Segment | None, at: str) -> Resource | None:
    """ORC-4, the number of the sheet that several orders stand on."""
    return entity(scene, orc.value(4), at, scene.system("order")) if orc else None


def request_status(orc: Segment | None, at: str, default: str = "unknown") -> str:
    """ORC-5, else what the order control ORC-1 asks for, in the codes of a request."""
    if orc is None:
        return default
    said = code("v2-0038", orc.peek(5).upper())
    if said:
        orc.take(5, f"{at}status")
        return said
    return code("v2-0119", orc.take(1, f"{at}status").upper(), default)


def asked(scene: Scene, orc: Segment | None, at: str) -> Resource:
    """Who asked, who wrote it down, when, and why."""
    if orc is None:
        return {}
    return {
        "authoredOn": time(scene, orc.value(9), f"{at}authoredOn"),
        "requester": practitioner(scene, orc.value(12), f"{at}requester"),
        "reasonCode": [coded(scene, value, f"{at}reasonCode[{n}]", "reason") for n, value in enumerate(orc.values(16))],
    }
