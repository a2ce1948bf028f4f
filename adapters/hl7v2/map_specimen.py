"""SPM to Specimen.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-spm-to-specimen.html
"""

from adapters.contract import Resource
from adapters.draft import pruned
from adapters.hl7v2.codes import TERMINOLOGY
from adapters.hl7v2.datatypes import (
    coded,
    coding_system,
    entity,
    identifier,
    is_local,
    moment_or_period,
    practitioner,
    time,
)
from adapters.hl7v2.map_report import Order
from adapters.hl7v2.map_timing import quantity
from adapters.hl7v2.numbers import number
from adapters.hl7v2.read import Segment, Value
from adapters.hl7v2.scene import Scene

_DETAILS = frozenset({3, 6, 14, 20, 27, 30, 31, 32})
_SOURCE = frozenset({9, 10, 14, 15, 39})


def map_specimen(scene: Scene, spm: Segment, order: Order | None) -> Resource:
    marks = [spm.value(2).peek(1, n) for n in (1, 2)] + [spm.value(2).peek(2)]
    number_of_it = next((mark for mark in marks if mark), spm.peek(1))
    key = scene.key("Specimen", order.key if order else scene.patient_key, number_of_it)
    at = scene.at("Specimen", key)
    taken = spm.value(17)
    collected = moment_or_period(scene, (taken, 1), (taken, 2), f"{at}collection.", "collected")
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
    if spm.says(_DETAILS):
        _add_details(scene, spm, made, at)
    if order:
        _link(made, order)
    return made


def tie_specimen(specimen: Resource, order: Order) -> None:
    """An order on a specimen that was named before it."""
    specimen.setdefault("request", []).append({"reference": f"urn:uuid:{order.request['id']}"})
    _link(specimen, order)


def _add_details(scene: Scene, spm: Segment, made: Resource, at: str) -> None:
    """Where it comes from, what was put to it, what it is in, its further numbers, whether it is there."""
    order = scene.system("order")
    parents: list[Resource] = []
    for value in spm.values(3):
        parents += _pair(scene, value, f"{at}parent", len(parents))
    held = {
        "type": coded(scene, spm.value(27), f"{at}container[0].type", "v2-9527"),
        "additiveCodeableConcept": coded(scene, spm.value(6), f"{at}container[0].additiveCodeableConcept", "v2-0371"),
    }
    there = {"Y": "available", "N": "unavailable"}.get(spm.peek(20).upper(), "")
    if there:
        spm.take(20, f"{at}status")
    words = spm.take(14, f"{at}note[0].text")
    further = [identifier(scene, value, f"{at}identifier", order) for value in spm.values(31)]
    shipped = entity(scene, spm.value(32), f"{at}identifier", order)
    ship = {"coding": [{"system": f"{TERMINOLOGY}v2-0203", "code": "SHIP"}]}
    known = [mark["value"] for mark in made.get("identifier", ())]
    marks = [mark for mark in further if mark and mark["value"] not in known]
    said = {
        "identifier": [*made.get("identifier", ()), *marks, {"type": ship, **shipped} if shipped else None],
        "accessionIdentifier": identifier(scene, spm.value(30), f"{at}accessionIdentifier", order),
        "status": there,
        "parent": [{"type": "Specimen", "identifier": mark} for mark in parents],
        "container": [held],
        "note": [{"text": words}] if words else [],
    }
    made.update(pruned(said))


def _pair(scene: Scene, value: Value, at: str, place: int) -> list[Resource]:
    """An EIP: the placer's and the filler's number of the same thing, each with who gave it."""
    made: list[Resource] = []
    for component in (1, 2):
        here = f"{at}[{place + len(made)}].identifier"
        number = value.take(component, f"{here}.value")
        giver = value.take(component, f"{here}.assigner", 2) if number else ""
        mark = {"system": scene.system("order"), "value": number, "assigner": {"display": giver}}
        made.extend([mark] if number and number not in [one["value"] for one in made] else [])
    return made


def map_specimen_source(scene: Scene, obr: Segment, order: Order) -> None:
    """OBR-15, where messages before 2.5 name the specimen, with OBR-14, when it arrived."""
    if not obr.says(_SOURCE) or (not obr.value(15) and "SPM" in scene.names):
        return
    key = scene.key("Specimen", order.key, "OBR-15")
    at = scene.at("Specimen", key)
    source = obr.value(15)
    received = {"subject": scene.patient(), "receivedTime": time(scene, obr.value(14), f"{at}receivedTime")}
    # Many write a coded element there, as SPM-4 is: its third component then names a list of codes, no free text.
    listed = 3 in source and not coding_system(scene, source.peek(3)).startswith("urn:vn:code:")
    if listed and (1, 2) not in source:
        said: Resource = {"type": coded(scene, source, f"{at}type", "v2-0070"), "note": []}
    else:
        said = _source(scene, source, at)
    taken = _collected(scene, obr, at, said)
    _link(scene.add("Specimen", key, {**received, **said, **taken}), order)


def _source(scene: Scene, source: Value, at: str) -> Resource:
    """The parts of an SPS: what it is, what was put to it, words about it, where it was taken, in what state it is."""
    words = source.take(3, f"{at}note[0].text")
    additive = _packed(scene, source, (2, "v2-0371"), f"{at}container[0].additiveCodeableConcept")
    return {
        "type": _packed(scene, source, (1, "v2-0070"), f"{at}type"),
        "container": [{"additiveCodeableConcept": additive}] if additive else [],
        "note": [{"text": words}] if words else [],
        "collection": {"bodySite": _packed(scene, source, (4, "body-site"), f"{at}collection.bodySite")},
        "condition": [_packed(scene, source, (6, "v2-0493"), f"{at}condition[0]")],
    }


def _packed(scene: Scene, value: Value, which: tuple[int, str], at: str) -> Resource | None:
    """A coded element packed into one component: code, text and list are its subcomponents."""
    component, local = which
    text, name = value.take(component, f"{at}.text", 2), value.take(component, f"{at}.coding[0].code")
    if not text and not name:
        return None
    listed = value.take(component, f"{at}.coding[0].system", 3) if name else ""
    system = coding_system(scene, local if not listed or is_local(listed) else listed)
    return {"coding": [{"system": system, "code": name}] if name else [], "text": text or name}


def _collected(scene: Scene, obr: Segment, at: str, said: Resource) -> Resource:
    """OBR-9, 10 and 39: how much was taken, by whom, and what he said, after what OBR-15 says."""
    notes = list(said["note"])
    for value in obr.values(39):
        notes.append({"text": " ".join(value.take_all(f"{at}note[{len(notes)}].text"))})
    amount = quantity(obr.value(9), f"{at}collection.quantity")
    collector = practitioner(scene, obr.value(10), f"{at}collection.collector")
    return {"collection": {**said.get("collection", {}), "quantity": amount, "collector": collector}, "note": notes}


def _link(specimen: Resource, order: Order) -> None:
    for resource in (order.request, order.report):
        if resource is not None:
            resource.setdefault("specimen", []).append({"reference": f"urn:uuid:{specimen['id']}"})


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
