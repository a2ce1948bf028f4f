"""The walk through a message: one patient after another, each segment to the function that maps it.

https://build.fhir.org/ig/HL7/v2-to-fhir/message_maps.html
"""

from collections.abc import Callable

from adapters.contract import Hospital, Resource, Untranslatable
from adapters.draft import Draft
from adapters.hl7v2.branches import Branches
from adapters.hl7v2.codes import rows
from adapters.hl7v2.map_allergy import map_allergy
from adapters.hl7v2.map_appointment import add_comment
from adapters.hl7v2.map_attachment import map_attachment
from adapters.hl7v2.map_condition import map_condition
from adapters.hl7v2.map_coverage import map_coverage
from adapters.hl7v2.map_encounter import add_event_time, add_visit_details, map_encounter, visit_number
from adapters.hl7v2.map_merge import link_persons, map_merge, unlink_persons
from adapters.hl7v2.map_moved import EVENTS as MOVED
from adapters.hl7v2.map_moved import map_moved
from adapters.hl7v2.map_note import annotation
from adapters.hl7v2.map_observation import add_line, continues, map_observation
from adapters.hl7v2.map_patient import add_primary_care, map_patient, patient_number
from adapters.hl7v2.map_problem import map_identified_allergy, map_problem
from adapters.hl7v2.map_procedure import map_procedure
from adapters.hl7v2.map_provenance import add_event_provenance
from adapters.hl7v2.map_referral import map_referral
from adapters.hl7v2.map_relative import map_mother, map_relative
from adapters.hl7v2.map_renumbering import EVENTS as RENUMBERED
from adapters.hl7v2.map_renumbering import map_renumbering
from adapters.hl7v2.map_report import Order, map_order
from adapters.hl7v2.map_role import map_guarantor
from adapters.hl7v2.map_specimen import map_specimen, map_specimen_source, tie_specimen
from adapters.hl7v2.read import IGNORED_SEGMENTS, Reading, Segment
from adapters.hl7v2.scene import Event, Scene

_EVENTS = {
    row["event"]: Event(
        code=row["event"].split("^")[0],
        trigger=row["event"].split("^")[1],
        encounter_status=row["encounter_status"],
        required=tuple(row["required"].split()),
        merges=bool(row["merges"]),
        known=True,
    )
    for row in rows("messages")
}
# Rows whose mapping needs only the scene; what builds on a row before is in Walk.
_SIMPLE: dict[str, Callable[[Scene, Segment], object]] = {
    "NK1": map_relative,
    "DG1": map_condition,
    "AL1": map_allergy,
    "IN1": map_coverage,
    "PR1": map_procedure,
    "PRB": map_problem,
    "IAM": map_identified_allergy,
    "GT1": map_guarantor,
}
# Rows that only add to the row before: a comment after them is about that row.
_TRANSPARENT = Branches.TRANSPARENT | {"TQ2", "CTD"}
# A person deleted, and two numbers that were linked by mistake: both are in use again.
_TIES: dict[str, Callable[[list[Scene]], None]] = {"A24": link_persons, "A37": unlink_persons}
_ACTIVITY = {"A29": False, "A37": True}
_REFERRALS = frozenset({"I12", "I13", "I14"})
# Messages that name a specimen before the orders on it; the others name it after the order it was taken for.
_SPECIMEN_FIRST = frozenset({("OUL", "R22"), ("OUL", "R23"), ("OML", "O33"), ("OML", "O35")})
# What may stand between an OBR and the ORC that belongs to it.
_OF_ORDER = frozenset({"NTE", "PRT", "ROL", "TQ1", "TQ2"})
MAPPED = (frozenset(_SIMPLE) | Branches.NAMES) | {
    *("MSH", "EVN", "PID", "PD1", "PV1", "PV2", "ORC", "OBR", "OBX", "SPM", "NTE", "MRG", "RF1", "PRD")
}
_NOTED = frozenset({"AllergyIntolerance", "Condition", "Observation", "Procedure", "ServiceRequest", "Specimen"})
_NOTED |= {"Immunization", "MedicationAdministration", "MedicationDispense", "MedicationRequest"}


def read_event(header: Segment, said: str = "") -> Event:
    """What MSH-9 says happened; versions before 2.2 leave the trigger to EVN-1 (``said``). Raises Untranslatable."""
    code, trigger = header.peek(9).upper(), (header.peek(9, 2) or said).upper()
    if not code:
        raise Untranslatable("the message type is missing", "MSH-9")
    event = _EVENTS.get(f"{code}^{trigger}")
    if event is None:
        header.notice(9, "this message type has no map of its own: what all messages share was mapped")
        return Event(code, trigger)
    return event


def check_whole(reading: Reading, event: Event, segments: list[Segment]) -> None:
    """Raises Untranslatable for a message that lacks what its type cannot do without, or breaks off."""
    names = {segment.name for segment in segments}
    if "PID" not in names:
        # In a batch the header says which message it is.
        where = "PID" if segments[0].place == "MSH[1]" else f"{segments[0].place}: PID"
        raise Untranslatable("there is no PID segment: no patient to file the message under", where)
    # HL7 v2 has no end mark of its own: only the missing segment end and a missing required field show the cut.
    last = reading.segments[-1]
    if not reading.source.closed and last.name == "OBX" and not last.peek(11):
        raise Untranslatable("the message breaks off inside this segment", f"{last.place}-11")
    for name in event.required:
        if name in names:
            continue
        if event.merges or not reading.source.closed:
            raise Untranslatable(f"an {event.code}^{event.trigger} message needs this segment", name)
        reading.notice(name, f"an {event.code}^{event.trigger} message should have this segment")


def map_message(reading: Reading, hospital: Hospital, draft: Draft) -> None:
    """Put everything the message, or each message of a batch, says into the draft."""
    for message in _by_header(reading.segments):
        _map_one(reading, hospital, draft, message)
    _notice_unmapped(reading)


def _map_one(reading: Reading, hospital: Hospital, draft: Draft, message: list[Segment]) -> None:
    header = message[0]
    event = read_event(header, next((row.peek(1) for row in message if row.name == "EVN"), ""))
    check_whole(reading, event, message)
    people: list[Scene] = []
    for segments in _by_patient(message):
        names = frozenset(segment.name for segment in segments)
        scene = Scene(hospital, reading, draft, event, header, segments=segments, names=names)
        Walk(scene).go()
        people.append(scene)
    if event.code == "ADT" and event.trigger in _TIES:
        _TIES[event.trigger](people)


def _by_header(segments: list[Segment]) -> list[list[Segment]]:
    """The messages of the file, each from its MSH on; the envelope around them is no part of one."""
    groups: list[list[Segment]] = []
    for segment in segments:
        if segment.name == "MSH":
            groups.append([])
        if groups and segment.name not in IGNORED_SEGMENTS:
            groups[-1].append(segment)
    return groups


def _by_patient(segments: list[Segment]) -> list[list[Segment]]:
    """The segments from one PID to the next; what stands before the first PID is with the first."""
    groups: list[list[Segment]] = [[]]
    named = False
    for segment in segments:
        if segment.name == "PID":
            groups.extend([[]] if named else [])
            named = True
        groups[-1].append(segment)
    return groups


class Walk:
    """One patient's segments in order, with what a later segment builds on."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._firsts: dict[str, Segment] = {}
        for segment in scene.segments:
            self._firsts.setdefault(segment.name, segment)
        self._orc: Segment | None = None
        self._order: Order | None = None
        self._obx: Segment | None = None
        self._latest: Resource | None = None
        self._branches = Branches(scene)
        self._specimen_first = (scene.event.code, scene.event.trigger) in _SPECIMEN_FIRST
        self._held: Resource | None = None
        order = [name for name in self._firsts if name in ("OBR", "ORC")]
        self._order_first = scene.event.code == "OUL" and order == ["OBR", "ORC"]
        self._heard: Segment | None = None

    def go(self) -> None:
        """Patient and visit are named first, since any segment may stand before PID or PV1 and link to them."""
        scene = self._scene
        scene.patient_key = patient_number(scene, self._firsts["PID"])
        pv1 = self._firsts.get("PV1")
        scene.encounter_key = visit_number(scene, pv1) if pv1 else ""
        for segment in scene.segments:
            step = _STEPS.get(segment.name)
            if step:
                step(self, segment)
            elif segment.name in _SIMPLE:
                self._simple(segment)
            elif segment.name in Branches.NAMES:
                self._branch(segment)
            elif segment.name not in _TRANSPARENT:
                self._latest, self._obx = None, None
        self._finish()

    def _finish(self) -> None:
        scene = self._scene
        evn, rf1, mrg = self._firsts.get("EVN"), self._firsts.get("RF1"), self._firsts.get("MRG")
        # A scene ends where the next PID begins.
        map_mother(scene, self._firsts["PID"])
        if evn and scene.encounter_key:
            add_event_time(scene, evn)
        if evn:
            add_event_provenance(scene, evn)
        self._branches.close()
        for gone in [segment for segment in scene.segments if segment.name == "MRG"] if mrg else ():
            self._gone(gone)
        if scene.event.trigger in _ACTIVITY and scene.event.code == "ADT":
            scene.draft.add("Patient", scene.patient_key, {"active": _ACTIVITY[scene.event.trigger]})
        if rf1 and scene.event.code == "REF" and scene.event.trigger in _REFERRALS:
            map_referral(scene, rf1)

    def _gone(self, mrg: Segment) -> None:
        """A number that is replaced, renumbered or moved, by the event."""
        scene = self._scene
        if scene.event.merges:
            map_merge(scene, mrg)
        if scene.event.code == "ADT" and scene.event.trigger in RENUMBERED:
            map_renumbering(scene, mrg)
        if scene.event.code == "ADT" and scene.event.trigger in MOVED:
            map_moved(scene, mrg)

    def _simple(self, segment: Segment) -> None:
        made = _SIMPLE[segment.name](self._scene, segment)
        self._latest = made if isinstance(made, dict) else None
        self._obx = None

    def _branch(self, segment: Segment) -> None:
        made = self._branches.step(segment)
        if segment.name not in _TRANSPARENT:
            self._latest, self._obx = made, None

    def _timing(self, segment: Segment) -> None:
        self._branches.time(segment, self._order)

    def _role(self, segment: Segment) -> None:
        self._branches.role(segment, self._latest)

    def _patient(self, segment: Segment) -> None:
        map_patient(self._scene, segment)
        self._latest = None

    def _primary_care(self, segment: Segment) -> None:
        add_primary_care(self._scene, segment)
        self._latest = None

    def _visit(self, segment: Segment) -> None:
        if self._scene.encounter_key and segment is self._firsts["PV1"]:
            map_encounter(self._scene, segment, self._firsts["PID"])
        self._latest = None

    def _visit_details(self, segment: Segment) -> None:
        if self._scene.encounter_key and segment is self._firsts["PV2"]:
            add_visit_details(self._scene, segment)
        self._latest = None

    def _order_control(self, segment: Segment) -> None:
        if segment is self._heard:
            return
        self._orc, self._order, self._obx = segment, None, None
        self._branches.begin_order(segment)

    def _request(self, segment: Segment) -> None:
        self._order = map_order(self._scene, self._orc or self._control_after(segment), segment)
        if self._held:
            tie_specimen(self._held, self._order)
        map_specimen_source(self._scene, segment, self._order)
        self._latest, self._obx = self._order.request, None
        self._orc = None
        self._branches.timed(self._order)

    def _control_after(self, obr: Segment) -> Segment | None:
        """OUL names the order (OBR) first and then, in ORC, what is to be done with it."""
        if not self._order_first:
            return None
        place = next(n for n, segment in enumerate(self._scene.segments) if segment is obr)
        later = [segment for segment in self._scene.segments[place + 1 :] if segment.name not in _OF_ORDER]
        self._heard = later[0] if later and later[0].name == "ORC" else None
        return self._heard

    def _result(self, segment: Segment) -> None:
        if self._branches.content(segment):
            self._latest, self._obx = None, None
        elif continues(segment, self._obx) and self._latest is not None:
            add_line(self._scene, segment, self._latest)
        elif map_attachment(self._scene, segment, self._order):
            self._latest, self._obx = None, None
        else:
            self._latest, self._obx = map_observation(self._scene, segment, self._order), segment
            self._branches.observed(self._latest)
            if self._held:
                # Before the order, what is seen of the specimen itself; after it, what was found in it.
                self._latest.setdefault("specimen", {"reference": f"urn:uuid:{self._held['id']}"})

    def _specimen(self, segment: Segment) -> None:
        if self._specimen_first:
            self._orc, self._order = None, None
        self._latest, self._obx = map_specimen(self._scene, segment, self._order), None
        self._held = self._latest if self._specimen_first else None

    def _note(self, segment: Segment) -> None:
        """A comment belongs to the segment before it."""
        if self._latest and self._latest["resourceType"] == "Appointment":
            add_comment(self._scene, segment, self._latest)
        self._branches.remarked(segment, self._latest)
        if self._latest is None or self._latest["resourceType"] not in _NOTED:
            return
        notes = self._latest.get("note", ())
        at = f"{self._latest['resourceType']}/{self._latest['id']}#note[{len(notes)}]"
        made = annotation(self._scene, segment, at)
        if made:
            self._latest["note"] = [*notes, made]


# Not a part of each Walk: methods bound to it would keep it, and the message with it, in a circle.
_STEPS: dict[str, Callable[[Walk, Segment], None]] = {
    "PID": Walk._patient,
    "PD1": Walk._primary_care,
    "PV1": Walk._visit,
    "PV2": Walk._visit_details,
    "ORC": Walk._order_control,
    "OBR": Walk._request,
    "OBX": Walk._result,
    "SPM": Walk._specimen,
    "NTE": Walk._note,
    "TQ1": Walk._timing,
    "ROL": Walk._role,
    "PRT": Walk._role,
}


def _notice_unmapped(reading: Reading) -> None:
    """One notice for each segment type that nothing maps."""
    for name in dict.fromkeys(segment.name for segment in reading.segments):
        if name not in MAPPED and name not in IGNORED_SEGMENTS:
            reading.notice(name, "this segment has no map; its fields are listed as unmapped")
