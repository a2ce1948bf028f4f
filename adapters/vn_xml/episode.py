"""One episode of care being mapped: the keys, links and people that its tables share.

The key is MA_LK: unique in its hospital, the same on every re-send.
"""

from dataclasses import dataclass, field

from adapters.contract import Hospital, Resource
from adapters.draft import Draft
from adapters.reading import Reading
from adapters.vn_xml.codes import concept, is_listed, national
from adapters.vn_xml.identifiers import staff_identity, staff_key
from adapters.vn_xml.records import Dossier, Record
from adapters.vn_xml.times import date_of, instant_of, time_of

#: Types of which every table says a little: they outlive the rows that speak of them.
SHARED = frozenset({"Patient", "Encounter", "Practitioner", "Organization", "Coverage", "RelatedPerson"})


def own_key(hospital: Hospital) -> str:
    """The key of the sending hospital's own Organization."""
    return f"facility:{hospital.facility_code}"


@dataclass(slots=True)
class Episode:
    """A dossier with its Bundle; ``head`` is the row that tells about patient and visit: XML1, else a document."""

    hospital: Hospital
    draft: Draft
    reading: Reading
    dossier: Dossier
    key: str
    head: Record
    patient_key: str
    labels: set[str] = field(default_factory=set)
    made: dict[str, Resource] = field(default_factory=dict)
    part: str = ""
    parts: dict[str, dict[str, None]] = field(default_factory=dict)
    _row_keys: set[str] = field(default_factory=set)
    _staff: dict[str, list[Resource]] = field(default_factory=dict)
    _patient: str = field(init=False)
    _encounter: str = field(init=False)

    def __post_init__(self) -> None:
        self._patient = f"urn:uuid:{self.draft.id('Patient', self.patient_key)}"
        self._encounter = f"urn:uuid:{self.draft.id('Encounter', self.key)}"

    def target(self, resource_type: str, key: str) -> str:
        """``Type/id``, as the ledger names it."""
        return f"{resource_type}/{self.draft.id(resource_type, key)}"

    def link(self, resource_type: str, key: str, display: str | None = None) -> Resource:
        return self.draft.reference(resource_type, key, display)

    def add(self, resource_type: str, key: str, elements: Resource) -> Resource:
        """Add to the Bundle; what this episode made is remembered for its labels, and for which table it was made."""
        return self._remembered(resource_type, self.draft.add(resource_type, key, elements))

    def put(self, resource_type: str, key: str, elements: Resource) -> Resource:
        """As ``add`` of what was built for this resource alone and never holds anything empty below its first level."""
        return self._remembered(resource_type, self.draft.put(resource_type, key, elements, clean=True))

    def _remembered(self, resource_type: str, resource: Resource) -> Resource:
        self.made[resource["id"]] = resource
        if resource_type not in SHARED:
            self.parts.setdefault(self.part, {})[f"{resource_type}/{resource['id']}"] = None
        return resource

    def patient(self) -> Resource:
        return {"reference": self._patient}

    def encounter(self) -> Resource:
        return {"reference": self._encounter}

    def facility(self, code: str) -> Resource:
        """The own facility as a resource, any other by its code alone."""
        if not code or code == self.hospital.facility_code:
            return self.own_facility()
        return {"type": "Organization", "identifier": {"system": self.hospital.systems["facility"], "value": code}}

    def own_facility(self) -> Resource:
        code, key = self.hospital.facility_code, own_key(self.hospital)
        if not self.draft.has("Organization", key):
            number = {"system": self.hospital.systems["facility"], "value": code}
            self.add("Organization", key, {"identifier": [number], "name": self.hospital.title})
        return self.link("Organization", key)

    def department(self, code: str, kind: str = "Organization") -> Resource:
        """A department by its code alone; the files say nothing else of it."""
        return {"type": kind, "identifier": {"system": national(self.hospital, "MA_KHOA"), "value": code}}

    def practitioner(self, code: str) -> Resource:
        """The staff member of a code."""
        key = staff_key(code)
        if not self.draft.has("Practitioner", key):
            self.add("Practitioner", key, staff_identity(self.hospital, code))
        return self.link("Practitioner", key)

    def staff(self, record: Record, name: str, target: str) -> list[Resource]:
        """Everyone of a ``;`` list of staff codes."""
        text = record.text(name)
        if not text:
            return []
        people = self._staff.get(text)
        if people is None:
            people = self._staff[text] = [self.practitioner(code) for code in record.many(name) if code]
        if people:
            record.take(name, target)
        return [{**person} for person in people]

    def row_key(self, record: Record) -> str:
        """MA_LK, table and STT; a number given twice gets the place in the file as well."""
        first = f"{self.key}|{record.table}|{record.text('STT')}"
        key, number = first, 1
        while key in self._row_keys:
            number += 1
            key = f"{first}#{number}"
        self._row_keys.add(key)
        return key

    def begin(self, record: Record, resource_type: str, key: str, *, of_visit: bool = True) -> str:
        """Account for the fields that became the resource's identity and its link to the visit; returns Type/id."""
        target = self.target(resource_type, key)
        record.take("STT", f"{target}#id")
        record.take("MA_LK", f"{target}#{'encounter' if of_visit else 'id'}")
        return target

    def time(self, record: Record, name: str, target: str) -> str:
        """A dateTime; a text that is none is told and stays unmapped."""
        return self._timed(record, name, target, time_of(record.text(name), self.hospital.offset))

    def date(self, record: Record, name: str, target: str) -> str:
        return self._timed(record, name, target, date_of(record.text(name)))

    def instant(self, record: Record, name: str, target: str) -> str:
        return self._timed(record, name, target, instant_of(record.text(name), self.hospital.offset))

    def _timed(self, record: Record, name: str, target: str, value: str) -> str:
        if value:
            record.take(name, target)
        elif record.text(name):
            record.note(name, "not a time of the form yyyyMMddHHmm; left unmapped")
        return value

    def period(self, record: Record, start: str, end: str, target: str) -> Resource:
        """A Period of two fields; an end before its start is told and stays unmapped."""
        begin = time_of(record.text(start), self.hospital.offset)
        finish = time_of(record.text(end), self.hospital.offset)
        if begin and finish and finish < begin[: len(finish)]:
            record.note(end, f"before {start}; left unmapped")
            return {"start": self.time(record, start, f"{target}.start")}
        found = {
            "start": self.time(record, start, f"{target}.start"),
            "end": self.time(record, end, f"{target}.end"),
        }
        return {edge: time for edge, time in found.items() if time}

    def concept(self, record: Record, name: str, target: str, text: str = "") -> Resource:
        """A coded field in its national list; a code that the list does not hold is kept and told."""
        code = record.take(name, target)
        if code and not is_listed(name, code):
            record.note(name, "the code is not in its national list; kept as given")
        return concept(self.hospital, name, code, text)
