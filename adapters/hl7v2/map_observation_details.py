"""What OBX says beside the value: who is answerable, with which specimen, analysed when, how abnormal in nature.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-obx-to-observation.html
"""

from adapters.contract import Resource
from adapters.hl7v2.codes import TERMINOLOGY
from adapters.hl7v2.datatypes import entity, practitioner, time
from adapters.hl7v2.map_organization import addresses, organization, organization_key, practitioner_role, role_code
from adapters.hl7v2.names import name_text
from adapters.hl7v2.read import Segment, Value
from adapters.hl7v2.scene import Scene, extension

DETAILS = frozenset({10, 19, 21, 24, 25, 29, 30, 33})
_BASE = "http://hl7.org/fhir/StructureDefinition/observation-"
_MORE_SPECIMENS = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Observation.specimen"
_NATURES = {"A": "Age-based population", "N": "None - generic normal range", "R": "Race-based population"}
_NATURES |= {"S": "Sex-based population", "SP": "Species", "B": "Breed", "ST": "Strain"}
_FILLER = {"coding": [{"system": f"{TERMINOLOGY}v2-0203", "code": "FILL", "display": "Filler Identifier"}]}


def add_result_details(scene: Scene, obx: Segment, made: Resource) -> None:
    """Complete an Observation with what few senders say."""
    at = f"Observation/{made['id']}#"
    number = entity(scene, obx.value(21), f"{at}identifier[0]", "")
    if number:
        made["identifier"] = [{"type": _FILLER, **number}]
    _add_extensions(scene, obx, made, at)
    _add_category(obx, made, at)
    if obx.value(24) or obx.value(25):
        _add_laboratory(scene, obx, made)
    _add_specimens(scene, obx, made, at)


def _add_extensions(scene: Scene, obx: Segment, made: Resource, at: str) -> None:
    listed: list[Resource] = list(made.get("extension", ()))
    for value in obx.values(10):
        said = value.take(1, f"{at}extension[{len(listed)}].value")
        coding = {"system": f"{TERMINOLOGY}v2-0080", "code": said, "display": _NATURES.get(said, "")}
        listed.append(extension(f"{_BASE}nature-of-abnormal-test", valueCodeableConcept={"coding": [coding]}))
    analysed = time(scene, obx.value(19), f"{at}extension[{len(listed)}].value")
    if analysed:
        listed.append(extension(f"{_BASE}analysis-date-time", valueDateTime=analysed))
    if obx.peek(30):
        said = obx.take(30, f"{at}extension[{len(listed)}].value")
        coding = {"system": f"{TERMINOLOGY}v2-0937", "code": said}
        listed.append(extension(f"{_BASE}structure-type", valueCodeableConcept={"coding": [coding]}))
    if listed:
        made["extension"] = listed


def _add_category(obx: Segment, made: Resource, at: str) -> None:
    if obx.peek(29):
        coding = {"system": f"{TERMINOLOGY}v2-0936", "code": obx.take(29, f"{at}category[0].coding[0].code")}
        made["category"] = [*made.get("category", ()), {"coding": [coding]}]


def _add_laboratory(scene: Scene, obx: Segment, made: Resource) -> None:
    """OBX-23 to 25: the laboratory with its address, and the director who answers for it."""
    title = obx.peek(23, 10) or obx.peek(23, 3) or obx.peek(23) or "laboratory"
    # An address without the name of the laboratory is nobody's: it stays unmapped.
    named = organization_key(obx.value(23))
    more = {"address": addresses(obx, 24, scene.at("Organization", named)) if named else []}
    people = made.get("performer", [])
    key = "|".join((obx.peek(25), title))
    asked = scene.at("PractitionerRole", key) if obx.peek(25) or name_text(obx.value(25), 2) else ""
    own = f"Observation/{made['id']}#performer[{len(people)}]"
    where = organization(scene, obx.value(23), f"{asked}organization" if asked else own, more)
    director = practitioner(scene, obx.value(25), own)
    if director:
        known = director if "reference" in director else None
        elements = {"practitioner": known, "organization": where, "code": [role_code("MDIR", "Medical Director")]}
        link = practitioner_role(scene, key, elements)
        made["performer"] = [*people, {**link, "display": director.get("display", "")}]
    elif where:
        made["performer"] = [*people, where]


def _add_specimens(scene: Scene, obx: Segment, made: Resource, at: str) -> None:
    """OBX-33: the specimen by its number; R4 has room for one, any other stands in R5's extension."""
    for place, value in enumerate(obx.values(33)):
        link = _specimen(scene, value, f"{at}specimen" if place == 0 else f"{at}extension.value")
        if link and place == 0:
            made["specimen"] = link
        elif link:
            made["extension"] = [*made.get("extension", ()), extension(_MORE_SPECIMENS, valueReference=link)]


def _specimen(scene: Scene, value: Value, at: str) -> Resource | None:
    number = value.peek(2) or value.peek(1)
    for component in (1, 2):
        for sub in (1, 2, 3, 4):
            value.took(component, f"{at}.identifier", sub)
    mark = {"system": scene.system("order"), "value": number}
    return {"type": "Specimen", "identifier": mark} if number else None
