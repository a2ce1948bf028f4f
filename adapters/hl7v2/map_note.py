"""NTE to Annotation.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-nte-to-servicerequest.html
"""

from adapters.contract import Resource
from adapters.hl7v2.datatypes import coded, practitioner, time
from adapters.hl7v2.names import spoken_name
from adapters.hl7v2.read import Segment
from adapters.hl7v2.scene import Scene, extension

_CORE = "http://hl7.org/fhir/StructureDefinition/"


def annotation(scene: Scene, segment: Segment, at: str) -> Resource | None:
    """An NTE: its lines as one comment, with author and time where given."""
    lines = [" ".join(value.take_all(f"{at}.text")) for value in segment.values(3)]
    if not any(lines):
        return None
    numbered = practitioner(scene, segment.value(5), f"{at}.authorReference") if segment.peek(5) else None
    named = "" if numbered else spoken_name(segment.value(5), f"{at}.authorString", 2)
    when = time(scene, segment.value(6), f"{at}.time")
    author = {"authorReference": numbered, "authorString": named, "time": when}
    said = {name: part for name, part in author.items() if part}
    kinds = ((4, "annotationType", "v2-0364"), (9, "alternate-codes", "comment"))
    found = [(name, coded(scene, segment.value(n), f"{at}.extension.value", table)) for n, name, table in kinds]
    marks = [extension(f"{_CORE}{name}", valueCodeableConcept=concept) for name, concept in found if concept]
    return {**({"extension": marks} if marks else {}), **said, "text": "\n".join(lines)}
