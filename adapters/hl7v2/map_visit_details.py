"""What PV1 and PV2 say beside the visit itself: passing places, plans, the episode it belongs to.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-pv2-to-encounter.html
"""

from adapters.contract import Resource
from adapters.hl7v2.codes import TERMINOLOGY, table
from adapters.hl7v2.datatypes import absent, coding, identifier, of_row, practitioner, time
from adapters.hl7v2.map_place import location, location_key
from adapters.hl7v2.read import Segment
from adapters.hl7v2.scene import Scene, extension

PV1_DETAILS = frozenset({11, 40, 43, 53, 54})
PV2_DETAILS = frozenset({1, 8, 9, 13, 22, 38})
_CLASSIFIED = "http://hl7.org/fhir/StructureDefinition/subject-locationClassification"
_R5 = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Encounter."
_ARRIVAL = "http://hl7.org/fhir/StructureDefinition/encounter-modeOfArrival"
_DESCRIPTION = "http://hl7.org/fhir/StructureDefinition/resource-instance-description"
_TEMPORARY = {"coding": [{"system": "http://hl7.org/fhir/subject-location", "code": "temporary"}]}
_REFERRER = {"system": f"{TERMINOLOGY}v3-ParticipationType", "code": "REF", "display": "referrer"}


def add_visit_places(scene: Scene, pv1: Segment, encounter: Resource) -> None:
    """PV1-11 and PV1-43, the temporary places now and before; PV1-40, the state of the bed; PV1-53 and 54."""
    at = f"{scene.at('Encounter', scene.encounter_key)}location"
    listed = list(encounter.get("location", ()))
    for field, status in ((11, "active"), (43, "completed")):
        place = location(scene, pv1.value(field), f"{at}[{len(listed)}].location")
        if place:
            mark = extension(_CLASSIFIED, valueCodeableConcept=_TEMPORARY)
            listed.append({"extension": [mark], "location": place, "status": status})
    if listed:
        encounter["location"] = listed
    bed = location_key(pv1.value(3))
    if bed and pv1.peek(40):
        said = pv1.take(40, f"{scene.at('Location', bed)}operationalStatus")
        coding = {"system": f"{TERMINOLOGY}v2-0116", "code": said.upper()}
        scene.add("Location", bed, {"operationalStatus": coding})
    if pv1.value(54) or pv1.peek(53):
        _add_episode(scene, pv1, encounter)


def _add_episode(scene: Scene, pv1: Segment, encounter: Resource) -> None:
    """The episode is known by its number; how far it has come nobody says."""
    key = pv1.peek(54) or f"{scene.encounter_key}|{pv1.peek(53)}"
    at = scene.at("EpisodeOfCare", key)
    words = pv1.take(53, f"{at}extension[0].value")
    elements: Resource = {
        "extension": [extension(_DESCRIPTION, valueString=words)] if words else [],
        "identifier": [identifier(scene, pv1.value(54), f"{at}identifier[0]", scene.system("episode"))],
        "_status": absent(),
        "patient": scene.patient(),
    }
    scene.add("EpisodeOfCare", key, elements)
    encounter["episodeOfCare"] = [scene.reference("EpisodeOfCare", key)]


def add_episode_diagnosis(scene: Scene, entry: Resource, places: tuple[Segment, str]) -> None:
    """A diagnosis of the visit is one of its episode too, in the same role and of the same rank."""
    dg1, condition = places
    for episode in scene.made("EpisodeOfCare"):
        listed = episode.setdefault("diagnosis", [])
        at = f"EpisodeOfCare/{episode['id']}#diagnosis[{len(listed)}]"
        for field, said, path in ((6, "use", "role"), (15, "rank", "rank")):
            if said in entry:
                dg1.take(field, f"{at}.{path}")
        role = {"role": entry["use"]} if "use" in entry else {}
        rank = {"rank": entry["rank"]} if "rank" in entry else {}
        listed.append({"condition": {"reference": condition}, **role, **rank})


def add_plans(scene: Scene, pv2: Segment, encounter: Resource) -> None:
    """PV2: the place waited for, the times planned, who referred, how the patient came, who may know."""
    at = scene.at("Encounter", scene.encounter_key)
    place = location(scene, pv2.value(1), f"{at}location")
    if place:
        encounter["location"] = [*encounter.get("location", ()), {"location": place, "status": "planned"}]
    for value in pv2.values(13):
        person = practitioner(scene, value, f"{at}participant.individual")
        entry = {"type": [{"coding": [_REFERRER], "text": "referrer"}], "individual": person}
        encounter["participant"] = [*encounter.get("participant", ()), *([entry] if person else [])]
    listed = list(encounter.get("extension", ()))
    for field, name in ((8, "plannedStartDate"), (9, "plannedEndDate")):
        moment = time(scene, pv2.value(field), f"{at}extension[{len(listed)}].value")
        listed.extend([extension(f"{_R5}{name}", valueDateTime=moment)] if moment else [])
    came = pv2.value(38)
    if came.peek(1) or came.peek(4):
        which = (1 if came.peek(1) else 4, "v2-0430")
        arrival = coding(scene, came, which, f"{at}extension[{len(listed)}].value")
        row = table("v2-0430").get(arrival["code"])
        if row and which[0] + 2 not in came:
            arrival = {**of_row(row), **arrival, "system": row.system}
        listed.append(extension(_ARRIVAL, valueCoding=arrival))
    if listed:
        encounter["extension"] = listed
    if pv2.peek(22).upper() == "Y":
        pv2.take(22, f"{at}meta.security[0]")
        label = {"system": f"{TERMINOLOGY}v3-Confidentiality", "code": "R", "display": "restricted"}
        encounter.setdefault("meta", {}).setdefault("security", []).append(label)
