"""PR1 to Procedure.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-pr1-to-procedure.html
"""

from adapters.contract import Resource
from adapters.hl7v2.datatypes import coded, practitioner, time
from adapters.hl7v2.read import Segment
from adapters.hl7v2.scene import Scene

_PERFORMERS = (8, 11, 12)


def map_procedure(scene: Scene, pr1: Segment) -> Resource:
    where = scene.encounter_key or scene.patient_key
    key = scene.key("Procedure", where, pr1.peek(19) or pr1.peek(3) or pr1.peek(4), pr1.peek(5))
    at = scene.at("Procedure", key)
    people = [
        practitioner(scene, value, f"{at}performer[0].actor") for field in _PERFORMERS for value in pr1.values(field)
    ]
    concept = coded(scene, pr1.value(3), f"{at}code", "procedure")
    text = pr1.take(4, f"{at}code.text")
    return scene.add(
        "Procedure",
        key,
        {
            # PR1 reports what was performed; it has no field that says how far it went.
            "status": "completed",
            "code": {**(concept or {}), "text": text or (concept or {}).get("text", "")},
            "subject": scene.patient(),
            "encounter": scene.encounter(),
            "performedDateTime": time(scene, pr1.value(5), f"{at}performedDateTime"),
            "performer": [{"actor": person} for person in people if person],
            "reasonCode": [coded(scene, pr1.value(15), f"{at}reasonCode[0]", "diagnosis")],
        },
    )
