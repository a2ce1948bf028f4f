"""What is known while one patient's segments are mapped: hospital, patient, visit, the Bundle being written."""

from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from adapters.contract import Hospital, Resource
from adapters.draft import Draft, pruned
from adapters.hl7v2.leaves import Key
from adapters.hl7v2.read import Reading, Segment

_CHOICES = (
    "value",
    "effective",
    "deceased",
    "multipleBirth",
    "onset",
    "abatement",
    "occurrence",
    "performed",
    "medication",
)

_NOTHING: tuple[object, ...] = (None, "", [], {})


@dataclass(frozen=True, slots=True)
class Event:
    """What MSH-9 says happened; the rest is the event's row in ``codes/messages.csv``."""

    code: str
    trigger: str
    encounter_status: str = ""
    required: tuple[str, ...] = ()
    merges: bool = False
    known: bool = False


class Known(NamedTuple):
    """Somebody with a number as the message named him last: its words, his name, and where each word went."""

    texts: dict[Key, str]
    name: str
    targets: dict[Key, tuple[str, ...]]


@dataclass(slots=True)
class Scene:
    """One patient of one message."""

    hospital: Hospital
    reading: Reading
    draft: Draft
    event: Event
    header: Segment
    patient_key: str = ""
    encounter_key: str = ""
    segments: list[Segment] = field(default_factory=list)
    names: frozenset[str] = frozenset()
    staff: dict[str, Known] = field(default_factory=dict)
    _made: dict[str, dict[str, Resource]] = field(default_factory=dict)
    _uses: dict[tuple[str, str], int] = field(default_factory=dict)

    def id(self, resource_type: str, key: str) -> str:
        return self.draft.id(resource_type, key)

    def at(self, resource_type: str, key: str) -> str:
        """The start of a ledger target inside that resource."""
        return f"{resource_type}/{self.draft.id(resource_type, key)}#"

    def reference(self, resource_type: str, key: str) -> Resource:
        return {"reference": f"urn:uuid:{self.draft.id(resource_type, key)}"}

    def patient(self) -> Resource:
        return {"reference": f"urn:uuid:{self.draft.id('Patient', self.patient_key)}"}

    def encounter(self) -> Resource | None:
        if not self.encounter_key:
            return None
        return {"reference": f"urn:uuid:{self.draft.id('Encounter', self.encounter_key)}"}

    def add(self, resource_type: str, key: str, elements: Resource) -> Resource:
        """Add a copy to the Bundle and remember that this message made it."""
        self._forget(resource_type, key, elements)
        resource = self.draft.put(resource_type, key, pruned(elements))
        self._made.setdefault(resource_type, {})[resource["id"]] = resource
        return resource

    def put(self, resource_type: str, key: str, elements: Resource, *, clean: bool = False) -> Resource:
        """As ``add`` of what was built for this resource alone and holds nothing empty below its first level.

        ``clean`` says that whoever completes it writes nothing empty either.
        """
        if resource_type == "Practitioner" or self.draft.has(resource_type, key):
            self._forget(resource_type, key, elements)
        resource = self.draft.put(resource_type, key, elements, clean=clean)
        self._made.setdefault(resource_type, {})[resource["id"]] = resource
        return resource

    def _forget(self, resource_type: str, key: str, elements: Resource) -> None:
        """Said a second time: a choice that was made before gives way."""
        if resource_type == "Practitioner":
            self.staff.pop(key, None)
        if self.draft.has(resource_type, key):
            before = self.draft.live(resource_type, key)
            # Two members are type and id: a resource that was only opened has no choice to give up.
            if len(before) > 2 and _forget_choices(before, elements):
                self.draft.rewritten.add(f"{resource_type}/{before['id']}")

    def made(self, resource_type: str) -> list[Resource]:
        """What this message has made of that type, in order."""
        return list(self._made.get(resource_type, {}).values())

    def has_made(self, resource_type: str, key: str) -> bool:
        return self.draft.id(resource_type, key) in self._made.get(resource_type, ())

    def key(self, resource_type: str, *parts: str) -> str:
        """A local key of those parts; said a second time in the message it gets a number."""
        key = "|".join(parts)
        count = self._uses[resource_type, key] = self._uses.get((resource_type, key), 0) + 1
        return key if count == 1 else f"{key}#{count}"

    def system(self, name: str) -> str:
        return self.hospital.systems.get(name, "")


def _forget_choices(before: Resource, said: Resource) -> bool:
    """Said twice in a message, the later choice wins: a resource holds one of deceasedBoolean and deceasedDateTime."""
    chosen = tuple({_choice(name) for name in said if _choice(name) and said[name] not in _NOTHING})
    if "component" in said or "value" in chosen or said.get("dataAbsentReason"):
        chosen = (*chosen, "value", "component", "dataAbsentReason")
    gone = [name for name in before if chosen and name.lstrip("_").startswith(chosen)]
    for name in gone:
        del before[name]
    return bool(gone)


@cache
def _choice(element: str) -> str:
    """The choice that an element's name belongs to: ``value`` of ``_valueString``; empty for one that is none."""
    name = element.lstrip("_")
    return next((choice for choice in _CHOICES if name.startswith(choice)), "")


def extension(url: str, **value: object) -> Resource:
    return {"url": url, **value}
