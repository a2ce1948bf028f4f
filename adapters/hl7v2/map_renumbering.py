"""MRG of visits and accounts: merged, given another number, or moved to another patient. No source is erased.

https://www.hl7.eu/HL7v2x/v251/std251/ch03.html#Heading27
"""

from adapters.contract import Resource
from adapters.hl7v2.datatypes import identifier, type_of
from adapters.hl7v2.map_encounter import UNKNOWN_CLASS
from adapters.hl7v2.map_moved import note_move, prior_number
from adapters.hl7v2.map_place import facility
from adapters.hl7v2.read import Segment, Value
from adapters.hl7v2.scene import Scene

_VISITS = frozenset({"A42", "A45", "A50"})
# A36 merges two patients, and an account of theirs.
_ACCOUNTS = frozenset({"A35", "A36", "A41", "A44", "A49"})
EVENTS = _VISITS | _ACCOUNTS | {"A51"}


def map_renumbering(scene: Scene, mrg: Segment) -> None:
    """Tie the number that goes to the one that stays, by the event: of the visit, of the account."""
    if scene.event.trigger in _VISITS:
        _visit(scene, mrg)
        _alternate(scene, mrg)
    elif scene.event.trigger == "A51":
        _alternate(scene, mrg)
    else:
        _account(scene, mrg)


def _visit(scene: Scene, mrg: Segment) -> None:
    """MRG-5: a number beside the visit's own; where another visit stays, the one that goes is a part of it."""
    old = mrg.value(5)
    pv1 = _after(scene, mrg)
    stays = (pv1.peek(19) if pv1 else "") or old.peek()
    if not old.peek():
        mrg.notice(5, "the number of the visit that goes is missing; nothing was tied")
        return
    at = scene.at("Encounter", stays)
    visit = _opened(scene, stays)
    if scene.event.trigger == "A45":
        visits = [f"Encounter/{scene.id('Encounter', number)}" for number in dict.fromkeys((old.peek(), stays))]
        note_move(scene, (prior_number(mrg), old), visits)
    if stays == old.peek():
        # Moved to another patient under its own number: the subject says so.
        _add(visit, _number(scene, old, f"{at}identifier[0]", "official"), 0)
        return
    if pv1 and not visit.get("identifier"):
        _add(visit, _number(scene, pv1.value(19), f"{at}identifier[0]", "official"), 0)
    place = len(visit["identifier"])
    _add(visit, _number(scene, old, f"{at}identifier[{place}]", "old"), place)
    gone = _opened(scene, old.peek())
    gone["identifier"] = [_number(scene, old, f"{scene.at('Encounter', old.peek())}identifier[0]", "old")]
    gone["partOf"] = scene.reference("Encounter", stays)


def _alternate(scene: Scene, mrg: Segment) -> None:
    """MRG-6: the alternate number that the visit had before (PV1-50 is the one it has)."""
    if not scene.encounter_key:
        return
    visit = _opened(scene, scene.encounter_key)
    for value in mrg.values(6):
        place = len(visit.get("identifier", ()))
        found = identifier(scene, value, f"{scene.at('Encounter', scene.encounter_key)}identifier[{place}]")
        if found:
            _add(visit, {"use": "old", **found}, place)


def _account(scene: Scene, mrg: Segment) -> None:
    """MRG-3 and PID-18: the account that stays has the patient, the one that goes is closed and a part of it."""
    pid = next(segment for segment in scene.segments if segment.name == "PID")
    old, new = mrg.value(3), pid.value(18)
    if not old.peek():
        mrg.notice(3, "the number of the account that goes is missing; nothing was tied")
        return
    stays = new.peek() or old.peek()
    at = scene.at("Account", stays)
    if scene.event.trigger == "A44":
        numbers = tuple(dict.fromkeys((old.peek(), stays)))
        note_move(scene, (prior_number(mrg), old), [f"Account/{scene.id('Account', n)}" for n in numbers], numbers)
    own = identifier(
        scene, new if new.peek() else old, f"{at}identifier[0]", "", {"use": "official", "type": type_of("AN")}
    )
    scene.add("Account", stays, {"identifier": [own], "status": "unknown", "subject": [scene.patient()]})
    if stays == old.peek():
        old.took(1, f"{at}identifier[0].value")
        return
    number = identifier(
        scene, old, f"{scene.at('Account', old.peek())}identifier[0]", "", {"use": "old", "type": type_of("AN")}
    )
    elements = {"identifier": [number], "status": "inactive", "subject": [scene.patient()]}
    scene.add("Account", old.peek(), {**elements, "partOf": scene.reference("Account", stays)})


def _after(scene: Scene, mrg: Segment) -> Segment | None:
    """The PV1 that follows this MRG, else the first: each of several visits has a pair of them."""
    place = next(n for n, segment in enumerate(scene.segments) if segment is mrg)
    later = [segment for segment in scene.segments[place:] if segment.name == "PV1"]
    return next(iter(later), None) or next((segment for segment in scene.segments if segment.name == "PV1"), None)


def _opened(scene: Scene, number: str) -> Resource:
    """The visit of that number; what this message does not say of it stays as it is stored."""
    if scene.has_made("Encounter", number):
        return scene.draft.live("Encounter", number)
    known = {"status": "unknown", "class": dict(UNKNOWN_CLASS), "subject": scene.patient()}
    return scene.add("Encounter", number, {**known, "serviceProvider": facility(scene)})


def _number(scene: Scene, value: Value, at: str, use: str) -> Resource:
    found = identifier(scene, value, at, scene.system("visit"), {"use": use, "type": type_of("VN")})
    return found or {}


def _add(visit: Resource, number: Resource, place: int) -> None:
    listed = list(visit.get("identifier", ()))
    visit["identifier"] = [*listed[:place], number, *listed[place + 1 :]]
