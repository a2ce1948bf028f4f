"""TQ1 of a medicine to its dosage instructions: one for each time it is to be taken.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-tq1-to-medicationrequest.html
"""

from dataclasses import dataclass

from adapters.contract import Resource
from adapters.hl7v2.codes import TERMINOLOGY
from adapters.hl7v2.datatypes import coded
from adapters.hl7v2.map_timing import priority, quantity, says, timing
from adapters.hl7v2.read import Segment, Value
from adapters.hl7v2.scene import Scene

ORDERED = {"coding": [{"system": f"{TERMINOLOGY}dose-rate-type", "code": "ordered", "display": "Ordered"}]}


@dataclass(slots=True)
class Treatment:
    """The request, dispensing or administration being read, its Medication where it has details, its order."""

    made: Resource
    drug: Resource | None
    order: str
    timings: int = 0


def instructed(scene: Scene, values: list[Value], at: str) -> Resource:
    """What the doctor or the pharmacy tells the patient: a code with its words is kept as such, words alone as text."""
    coded_ones = [value for value in values if 1 in value and 2 in value]
    words = [
        value.take(2, f"{at}.text") or value.take(1, f"{at}.text")
        for value in values
        if 1 not in value or 2 not in value
    ]
    concepts = [
        coded(scene, value, f"{at}.additionalInstruction[{n}]", "instruction") for n, value in enumerate(coded_ones)
    ]
    return {"text": "; ".join(word for word in words if word), "additionalInstruction": concepts}


def add_timing(scene: Scene, tq1: Segment, treatment: Treatment) -> None:
    """TQ1 of a request: how often; words of it that are no rhythm stay words. One more TQ1 is one more instruction."""
    made = treatment.made
    if made["resourceType"] != "MedicationRequest":
        return
    listed = made.setdefault("dosageInstruction", [{}])
    place = min(treatment.timings, len(listed))
    at = f"MedicationRequest/{made['id']}#dosageInstruction[{place}]"
    dose = listed[0] if place == 0 else _further(listed[0])
    if "timing" in dose:
        # The row's own timing (RXE-1) gives way to TQ1, which came after it into the standard.
        scene.draft.rewritten.add(f"MedicationRequest/{made['id']}")
    _add_dosing(scene, tq1, dose, at)
    urgency = priority(tq1, f"MedicationRequest/{made['id']}#priority")
    if urgency:
        made["priority"] = urgency
    kept = [*listed[:place], dose, *listed[place + 1 :]]
    treatment.timings += bool(dose)
    made["dosageInstruction"] = [{"sequence": n, **one} for n, one in enumerate(kept, 1)] if place else kept
    if not dose:
        del made["dosageInstruction"]


def _further(first: Resource) -> Resource:
    """The same dose by the same way, at another time."""
    return {name: first[name] for name in ("route", "site", "method", "doseAndRate") if name in first}


def _add_dosing(scene: Scene, tq1: Segment, dose: Resource, at: str) -> None:
    rhythm = timing(scene, tq1, f"{at}.timing")
    if says(rhythm):
        dose["timing"] = rhythm
    # The amount in the row of the drug says more: TQ1-2 often counts no more than "one".
    amount = None if "doseAndRate" in dose else quantity(tq1.value(2), f"{at}.doseAndRate[0].doseQuantity")
    if amount:
        dose["doseAndRate"] = [{"type": ORDERED, "doseQuantity": amount}]
    words = tq1.take(11, f"{at}.text")
    listed = dose.get("additionalInstruction", ())
    when = tq1.take(10, f"{at}.additionalInstruction[{len(listed)}].text")
    if when:
        dose["additionalInstruction"] = [*listed, {"text": when}]
    if words:
        dose["text"] = "; ".join(part for part in (dose.get("text", ""), words) if part)
