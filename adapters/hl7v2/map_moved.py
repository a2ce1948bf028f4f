"""MRG of numbers that leave a patient without a merge: a number moved to another person, an alternate one changed.

http://www.hl7.eu/HL7v2x/v251/std251/ch03.html#Heading46
"""

from collections.abc import Sequence

from adapters.contract import Move
from adapters.hl7v2.map_patient import OWN, kind_of, patient_identifier
from adapters.hl7v2.read import Segment, Value
from adapters.hl7v2.scene import Scene

# A43: MRG-1 in the company of the person's other numbers; A48: the alternate number alone.
_LEAVING = {"A43": (1, 2, 4), "A48": (2,)}
EVENTS = frozenset(_LEAVING)


def map_moved(scene: Scene, mrg: Segment) -> None:
    """What MRG says and PID does not is a number that the patient had; what PID says stays as PID says it."""
    fields = _LEAVING[scene.event.trigger]
    numbers = [value for field in fields for value in mrg.values(field) if value.peek(1)]
    if not numbers:
        mrg.notice(fields[0], "the number that goes is missing; nothing was moved")
    for value in numbers:
        _had(scene, value)
    own = [value for value in mrg.values(1) if kind_of(value) in OWN]
    if scene.event.trigger == "A43" and all(value.peek(1) != scene.patient_key for value in own):
        for value in own:
            # A move is no merge: another person may go on under the number that was wrong here.
            note_move(scene, (value.peek(1), value))


def note_move(scene: Scene, said: tuple[str, Value], under: Sequence[str] = (), accounts: Sequence[str] = ()) -> None:
    """What is filed of that number (with those visits and accounts) goes to the patient of this message."""
    whence, value = said
    theirs = f"Patient/{scene.id('Patient', whence)}" if whence else ""
    to = f"Patient/{scene.id('Patient', scene.patient_key)}"
    leaf = value.get(1)
    if leaf is not None and theirs != to:
        scene.reading.moves.append(Move(theirs, to, leaf[0].place, tuple(under), tuple(accounts)))


def prior_number(mrg: Segment) -> str:
    """The hospital's own number of who had it before: of MRG-1, as far as it is said."""
    given = [value for value in mrg.values(1) if value.peek(1)]
    own = [value for value in given if kind_of(value) in OWN]
    return next((value.peek(1) for value in (*own, *given)), "")


def _had(scene: Scene, value: Value) -> None:
    listed = scene.draft.live("Patient", scene.patient_key).setdefault("identifier", [])
    known = next((n for n, row in enumerate(listed) if row.get("value") == value.peek(1)), None)
    at = scene.at("Patient", scene.patient_key)
    if known is not None:
        value.took(1, f"{at}identifier[{known}].value")
        return
    number = patient_identifier(scene, value, f"{at}identifier[{len(listed)}]")
    if number:
        listed.append({**number, "use": "old"})
