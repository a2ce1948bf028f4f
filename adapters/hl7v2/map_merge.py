"""MRG: two numbers of one patient; the one that goes points to the one that stays. Links change, no source is erased.

https://hl7.org/fhir/R4/patient-definitions.html#Patient.link
"""

from collections.abc import Iterable

from adapters.contract import LINK_ENDED, Untranslatable
from adapters.hl7v2.datatypes import identifier, type_of
from adapters.hl7v2.map_patient import OWN, kind_of
from adapters.hl7v2.names import person_name
from adapters.hl7v2.read import Segment, Value
from adapters.hl7v2.scene import Scene, extension


def map_merge(scene: Scene, mrg: Segment) -> None:
    """Close each prior Patient and link both. Raises Untranslatable when MRG names no prior number."""
    numbers = _numbers(mrg)
    if not numbers:
        raise Untranslatable("a merge without the number that goes", f"{mrg.place}-1")
    for value in numbers:
        prior = value.peek(1)
        # A Patient replaced by itself would vanish from every search.
        if prior == scene.patient_key:
            mrg.notice(1, "the number that goes is the number that stays; nothing was merged")
            continue
        _replace(scene, mrg, (prior, value))


def _numbers(mrg: Segment) -> list[Value]:
    """The hospital's own numbers of MRG-1 (all of them where none says its type once), else MRG-4."""
    given = [value for value in mrg.values(1) if value.peek(1)]
    own = [value for value in given if kind_of(value) in OWN]
    return own or given[:1] or [value for value in mrg.values(4) if value.peek(1)][:1]


def _replace(scene: Scene, mrg: Segment, gone: tuple[str, Value]) -> None:
    prior, value = gone
    at = scene.at("Patient", prior)
    own = identifier(scene, value, f"{at}identifier[0]", scene.system("mrn"), {"use": "old", "type": type_of("MR")})
    here, there = scene.patient(), scene.reference("Patient", prior)
    names = [person_name(given, f"{at}name[{n}]") for n, given in enumerate(mrg.values(7))]
    link = {"other": here, "type": "replaced-by"}
    scene.add("Patient", prior, {"identifier": [own], "active": False, "name": names, "link": [link]})
    # The number that stays may have been closed before by a merge the other way round, sent by mistake.
    survivor = scene.draft.add("Patient", scene.patient_key, {"active": True})
    survivor.setdefault("link", []).append({"other": there, "type": "replaces"})


def link_persons(scenes: list[Scene]) -> None:
    """A24: two numbers of one person, both in use; each points to the other."""
    for scene, others in _others(scenes):
        links = [{"other": scene.reference("Patient", key), "type": "seealso"} for key in others]
        if links:
            scene.draft.add("Patient", scene.patient_key, {"link": links})


def unlink_persons(scenes: list[Scene]) -> None:
    """A37: whatever tied the two numbers together, a link (A24) or a merge (A40), is taken back; both are in use."""
    for scene, others in _others(scenes):
        ended = [extension(LINK_ENDED, valueReference=scene.reference("Patient", key)) for key in others]
        patient = scene.draft.live("Patient", scene.patient_key)
        patient["extension"] = [*patient.get("extension", ()), *ended]


def _others(scenes: list[Scene]) -> Iterable[tuple[Scene, list[str]]]:
    for scene in scenes:
        keys = dict.fromkeys(other.patient_key for other in scenes if other.patient_key != scene.patient_key)
        yield scene, list(keys)
