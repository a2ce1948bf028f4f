"""Who keyed an order or an event in, who checked it, on whose behalf and where: a Provenance of the sender's own.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-orc-to-provenance.html
The gateway writes its own for every message (source, transformation); this one is made only where the message names
somebody whom no other element has room for.
"""

from adapters.contract import Resource
from adapters.hl7v2.codes import TERMINOLOGY
from adapters.hl7v2.datatypes import coded, coding_system, exact_time, practitioner, time
from adapters.hl7v2.map_organization import addresses, telecoms
from adapters.hl7v2.map_place import facility
from adapters.hl7v2.read import Segment, Value
from adapters.hl7v2.scene import Scene

_OF_ORDER = frozenset({10, 11, 17, 18, 19})
_OF_EVENT = frozenset({4, 5, 7})
_ACTIVITIES = {"NW": "CREATE", "SC": "UPDATE", "XO": "UPDATE", "OC": "CANCEL", "CA": "CANCEL"}
_AGENTS = ((10, "enterer"), (11, "verifier"), (12, "author"), (19, "performer"))


def add_order_provenance(scene: Scene, orc: Segment, made: Resource) -> None:
    """ORC-10, 11, 17, 18, 19: who entered, verified and did it, beside who ordered."""
    if not orc.says(_OF_ORDER):
        return
    key = scene.key("Provenance", "ORC", made["id"])
    at = scene.at("Provenance", key)
    agents: list[Resource] = []
    for field, kind in _AGENTS:
        for value in orc.values(field):
            who = practitioner(scene, value, f"{at}agent[{len(agents)}].who")
            agents.extend([{"type": _kind(kind), "who": who}] if who else [])
    behalf = _unit(scene, orc.value(17), f"{at}agent[0].onBehalfOf", "Organization") if agents else None
    if behalf:
        agents[0]["onBehalfOf"] = behalf
    device = _unit(scene, orc.value(18), f"{at}agent[{len(agents)}].who", "Device")
    if device:
        agents.append({"type": _kind("assembler"), "who": device})
    activity = _ACTIVITIES.get(orc.peek(1).upper(), "")
    if activity:
        orc.take(1, f"{at}activity")
    elements: Resource = {
        "occurredDateTime": time(scene, orc.value(9), f"{at}occurredDateTime"),
        "activity": {"coding": [{"system": f"{TERMINOLOGY}v3-DataOperation", "code": activity}]} if activity else None,
        "location": _place(scene, orc, key),
        "agent": agents,
    }
    _add(scene, key, (made, exact_time(scene, orc.value(9), f"{at}recorded")), elements)


def _place(scene: Scene, orc: Segment, key: str) -> Resource | None:
    """ORC-21 to 23: the place that ordered, with address and telephone."""
    title = orc.peek(21)
    if not title:
        return None
    here = scene.at("Location", f"ORC-21|{title}|{key}")
    orc.take(21, f"{here}name")
    where, phones = addresses(orc, 22, here), telecoms(orc, 23, here)
    elements = {"name": title, "mode": "instance", "address": where[0] if where else None, "telecom": phones}
    scene.add("Location", f"ORC-21|{title}|{key}", elements)
    return scene.reference("Location", f"ORC-21|{title}|{key}")


def add_event_provenance(scene: Scene, evn: Segment) -> None:
    """EVN-4, 5 and 7: why, by whom and where the event was recorded, of the visit or of the patient."""
    if not evn.says(_OF_EVENT):
        return
    encounter = scene.encounter_key
    target = scene.draft.live("Encounter", encounter) if encounter else None
    target = target or scene.draft.live("Patient", scene.patient_key)
    key = scene.key("Provenance", "EVN", target["id"], scene.event.trigger)
    at = scene.at("Provenance", key)
    people = [practitioner(scene, value, f"{at}agent[{n}].who") for n, value in enumerate(evn.values(5))]
    recorded = exact_time(scene, evn.value(2), f"{at}recorded")
    elements: Resource = {
        "occurredDateTime": time(scene, evn.value(6), f"{at}occurredDateTime"),
        "reason": [coded(scene, evn.value(4), f"{at}reason[0]", "v2-0062")],
        "location": _facility_of_event(evn, f"{at}location"),
        "agent": [{"type": _kind("enterer"), "who": person} for person in people if person],
    }
    _add(scene, key, (target, recorded), elements)


def _facility_of_event(evn: Segment, at: str) -> Resource | None:
    """EVN-7, an HD: where it happened, by name or number."""
    name, number = evn.take(7, f"{at}.display"), evn.value(7).take(2, f"{at}.identifier.value")
    kind = evn.value(7).take(3, f"{at}.identifier.type.text") if number else ""
    mark = {"type": {"text": kind}, "value": number} if number else None
    return {"type": "Location", "identifier": mark, "display": name} if name or mark else None


def _add(scene: Scene, key: str, about: tuple[Resource, str | None], elements: Resource) -> None:
    """Recorded at the time the row says, else at that of the message; without a person, by the sending hospital."""
    target, recorded = about
    at = scene.at("Provenance", key)
    moment = recorded or exact_time(scene, scene.header.value(7), f"{at}recorded")
    agents = elements["agent"] or [{"type": _kind("author"), "who": facility(scene)}]
    when = {"recorded": moment} if moment else {"_recorded": _UNKNOWN}
    link = {"reference": f"urn:uuid:{target['id']}"}
    scene.add("Provenance", key, {"target": [link], **when, **elements, "agent": agents})


_UNKNOWN = {
    "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
}


def _kind(code: str) -> Resource:
    return {"coding": [{"system": f"{TERMINOLOGY}provenance-participant-type", "code": code}]}


def _unit(scene: Scene, value: Value, at: str, kind: str) -> Resource | None:
    """The department for which, or the device on which it was entered, by its code."""
    code, title = (
        value.take(1, f"{at}.identifier.value"),
        value.take(9, f"{at}.display") or value.take(2, f"{at}.display"),
    )
    named = value.take(3, f"{at}.identifier.system") if code else ""
    if not code and not title:
        return None
    mark = {"system": coding_system(scene, named) if named else "", "value": code} if code else None
    return {"type": kind, "identifier": mark, "display": title}
