"""AL1 to AllergyIntolerance.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-al1-to-allergyintolerance.html
"""

from adapters.contract import Resource
from adapters.hl7v2.codes import TERMINOLOGY, code
from adapters.hl7v2.datatypes import coded, time
from adapters.hl7v2.read import Segment
from adapters.hl7v2.scene import Scene

# R4 wants a clinical status on every allergy that is not an error (ait-1); AL1 lists those the patient has.
_ACTIVE = {"system": f"{TERMINOLOGY}allergyintolerance-clinical", "code": "active"}


def map_allergy(scene: Scene, al1: Segment) -> Resource:
    key = scene.key("AllergyIntolerance", scene.patient_key, al1.peek(3) or al1.peek(3, 2))
    at = scene.at("AllergyIntolerance", key)
    category = code("v2-0127", al1.peek(2))
    kind = code("v2-0127-type", al1.peek(2))
    for name, known in (("category[0]", category), ("type", kind)):
        if known:
            al1.take(2, f"{at}{name}")
    return scene.put(
        "AllergyIntolerance",
        key,
        {
            "clinicalStatus": {"coding": [dict(_ACTIVE)]},
            "type": kind,
            "category": [category] if category else [],
            "code": coded(scene, al1.value(3), f"{at}code", "allergy"),
            "patient": scene.patient(),
            "encounter": scene.encounter(),
            "onsetDateTime": time(scene, al1.value(6), f"{at}onsetDateTime"),
            **_reaction(al1, at),
        },
    )


def _reaction(al1: Segment, at: str) -> Resource:
    """The reactions with their severity; a severity without a reaction is how critical the allergy is."""
    texts = [value.take(1, f"{at}reaction[0].manifestation[{n}]") for n, value in enumerate(al1.values(5))]
    severity = code("v2-0128", al1.peek(4).upper())
    criticality = code("v2-0128-criticality", al1.peek(4).upper())
    if any(texts):
        if severity:
            al1.take(4, f"{at}reaction[0].severity")
        shown = [{"text": text} for text in texts if text]
        told = {"manifestation": shown, "severity": severity} if severity else {"manifestation": shown}
        return {"reaction": [told]}
    if criticality:
        al1.take(4, f"{at}criticality")
    return {"criticality": criticality}
