"""MRG: two numbers of one patient; the one that goes points to the one that stays.

https://hl7.org/fhir/R4/patient-definitions.html#Patient.link
"""

from adapters.contract import Untranslatable
from adapters.hl7v2.datatypes import identifier, person_name, type_of
from adapters.hl7v2.read import Segment
from adapters.hl7v2.scene import Scene


def map_merge(scene: Scene, mrg: Segment) -> None:
    """Close the prior Patient and link both. Raises Untranslatable when MRG names no prior number."""
    prior = mrg.value(1).peek(1) or mrg.value(4).peek(1)
    if not prior:
        raise Untranslatable("a merge without the number that goes", f"{mrg.place}-1")
    # A Patient replaced by itself would vanish from every search.
    if prior == scene.patient_key:
        mrg.notice(1, "the number that goes is the number that stays; nothing was merged")
        return
    at = scene.at("Patient", prior)
    field = 1 if mrg.value(1).peek(1) else 4
    number = identifier(scene, mrg.value(field), f"{at}identifier[0]")
    own = {"use": "old", **(number or {}), "type": type_of("MR"), "system": scene.system("mrn")}
    link = {"other": scene.patient(), "type": "replaced-by"}
    names = [person_name(value, f"{at}name[{n}]") for n, value in enumerate(mrg.values(7))]
    scene.add("Patient", prior, {"identifier": [own], "active": False, "name": names, "link": [link]})
    survivor = scene.draft.add("Patient", scene.patient_key, {})
    survivor.setdefault("link", []).append({"other": scene.reference("Patient", prior), "type": "replaces"})


def link_persons(scenes: list[Scene]) -> None:
    """A24: two numbers of one person, both in use; each points to the other. A37 sends both without the link."""
    for scene in scenes:
        patient = scene.draft.add("Patient", scene.patient_key, {})
        others = dict.fromkeys(other.patient_key for other in scenes if other.patient_key != scene.patient_key)
        links = [{"other": scene.reference("Patient", key), "type": "seealso"} for key in others]
        if links:
            patient["link"] = links
