"""SPM to Specimen.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-spm-to-specimen.html
"""

from adapters.contract import Resource
from adapters.hl7v2.datatypes import coded, coding_system, entity, period, time
from adapters.hl7v2.map_report import Order
from adapters.hl7v2.numbers import number
from adapters.hl7v2.read import Segment
from adapters.hl7v2.scene import Scene


def map_specimen(scene: Scene, spm: Segment, order: Order | None) -> Resource:
    marks = [spm.value(2).peek(1, n) for n in (1, 2)] + [spm.value(2).peek(2)]
    number_of_it = next((mark for mark in marks if mark), spm.peek(1))
    key = scene.key("Specimen", order.key if order else scene.patient_key, number_of_it)
    at = scene.at("Specimen", key)
    span = period(scene, (spm.value(17), 1), (spm.value(17), 2), f"{at}collection.collected")
    collected = {"collectedPeriod": span} if span.get("end") else {"collectedDateTime": span.get("start")}
    made = scene.add(
        "Specimen",
        key,
        {
            "identifier": _identifiers(scene, spm, at),
            "type": coded(scene, spm.value(4), f"{at}type", "specimen"),
            "subject": scene.patient(),
            "receivedTime": time(scene, spm.value(18), f"{at}receivedTime"),
            "request": [scene.reference("ServiceRequest", order.key)] if order else [],
            "collection": {
                **collected,
                "method": coded(scene, spm.value(7), f"{at}collection.method", "collection-method"),
                "bodySite": coded(scene, spm.value(8), f"{at}collection.bodySite", "body-site"),
                "quantity": _quantity(spm, at),
            },
            "condition": [
                coded(scene, value, f"{at}condition[{n}]", "v2-0493") for n, value in enumerate(spm.values(24))
            ],
        },
    )
    add_specimen(scene, key, order)
    return made


def map_specimen_source(scene: Scene, obr: Segment, order: Order) -> None:
    """OBR-15, where messages before 2.5 name the specimen, with OBR-14, when it arrived."""
    if not obr.value(15) and ("SPM" in scene.names or not obr.value(14)):
        return
    key = scene.key("Specimen", order.key, "OBR-15")
    at = scene.at("Specimen", key)
    source = obr.value(15)
    text = source.take(1, f"{at}type.text", 2)
    name = source.take(1, f"{at}type.coding[0].code")
    system = coding_system(scene, "v2-0070")
    elements = {
        "type": {"coding": [{"system": system, "code": name}] if name else [], "text": text or name},
        "subject": scene.patient(),
        "receivedTime": time(scene, obr.value(14), f"{at}receivedTime"),
    }
    scene.add("Specimen", key, elements)
    add_specimen(scene, key, order)


def add_specimen(scene: Scene, key: str, order: Order | None) -> None:
    if order is None:
        return
    for resource in (order.request, order.report):
        if resource is not None:
            resource.setdefault("specimen", []).append(scene.reference("Specimen", key))


def _identifiers(scene: Scene, spm: Segment, at: str) -> list[Resource]:
    """SPM-2 is a pair: the placer's and the filler's number of the specimen, each an EI packed into a component."""
    made: list[Resource] = []
    for component in (1, 2):
        value = spm.value(2).take(component, f"{at}identifier[{len(made)}].value")
        if value:
            assigner = spm.value(2).take(component, f"{at}identifier[{len(made)}].assigner", 2)
            made.append({"system": scene.system("order"), "value": value, "assigner": {"display": assigner}})
    if not made:
        return [found for found in [entity(scene, spm.value(31), f"{at}identifier[0]", scene.system("order"))] if found]
    return made


def _quantity(spm: Segment, at: str) -> Resource | None:
    read = number(spm.peek(12))
    if read is None:
        return None
    spm.take(12, f"{at}collection.quantity.value")
    return {"value": read.value, "unit": spm.value(12).take(2, f"{at}collection.quantity.unit")}
