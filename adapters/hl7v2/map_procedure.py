"""PR1 to Procedure.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-pr1-to-procedure.html
"""

from datetime import datetime, timedelta

from adapters.contract import Resource
from adapters.draft import pruned
from adapters.hl7v2.datatypes import coded, entity, practitioner, time
from adapters.hl7v2.map_place import location
from adapters.hl7v2.numbers import positive
from adapters.hl7v2.read import Segment
from adapters.hl7v2.scene import Scene
from adapters.hl7v2.times import date_time

_PERFORMERS = (8, 11, 12)
_DETAILS = frozenset({6, 16, 19, 23, 25})
_LONGEST_MINUTES = 100_000


def map_procedure(scene: Scene, pr1: Segment) -> Resource:
    where = scene.encounter_key or scene.patient_key
    key = scene.key("Procedure", where, pr1.peek(19) or pr1.peek(3) or pr1.peek(4), pr1.peek(5))
    at = scene.at("Procedure", key)
    people = [
        practitioner(scene, value, f"{at}performer[0].actor") for field in _PERFORMERS for value in pr1.values(field)
    ]
    concept = coded(scene, pr1.value(3), f"{at}code", "procedure")
    text = pr1.take(4, f"{at}code.text")
    made = scene.add(
        "Procedure",
        key,
        {
            # PR1 reports what was performed; it has no field that says how far it went.
            "status": "completed",
            "code": {**(concept or {}), "text": text or (concept or {}).get("text", "")},
            "subject": scene.patient(),
            "encounter": scene.encounter(),
            **_performed(scene, pr1, at),
            "performer": [{"actor": person} for person in people if person],
            "reasonCode": [coded(scene, pr1.value(15), f"{at}reasonCode[0]", "diagnosis")],
        },
    )
    if pr1.says(_DETAILS):
        _add_details(scene, pr1, made, at)
    return made


def _add_details(scene: Scene, pr1: Segment, made: Resource, at: str) -> None:
    """What sort of procedure, how long it took, its number, where it was done, what it is a part of."""
    for value in pr1.values(16):
        listed = made.setdefault("code", {}).setdefault("coding", [])
        modifier = coded(scene, value, f"{at}code", "procedure-modifier", len(listed))
        listed.extend(pruned((modifier or {}).get("coding", [])))
    sort = coded(scene, pr1.value(6), f"{at}category", "v2-0230")
    number = entity(scene, pr1.value(19), f"{at}identifier[0]", "")
    place = location(scene, pr1.value(23), f"{at}location")
    parent = entity(scene, pr1.value(25), f"{at}partOf[0].identifier", "")
    said = {
        "identifier": [number] if number else [],
        "category": sort,
        "location": place,
        "partOf": [{"type": "Procedure", "identifier": parent}] if parent else [],
    }
    made.update(pruned(said))


def _performed(scene: Scene, pr1: Segment, at: str) -> Resource:
    """A moment; a start with its length in minutes is a period."""
    minutes = positive(pr1.peek(7))
    start = date_time(pr1.peek(5), scene.hospital.offset) or ""
    if not minutes or "T" not in start or minutes > _LONGEST_MINUTES:
        return {"performedDateTime": time(scene, pr1.value(5), f"{at}performedDateTime")}
    pr1.take(5, f"{at}performedPeriod.start")
    pr1.take(7, f"{at}performedPeriod.end")
    end = (datetime.fromisoformat(start) + timedelta(minutes=minutes)).isoformat()
    return {"performedPeriod": {"start": start, "end": end}}
