"""What is known while one patient's segments are mapped: hospital, patient, visit, the Bundle being written."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cache

from adapters.contract import Hospital, Resource
from adapters.draft import Draft
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
    _made: dict[str, dict[str, Resource]] = field(default_factory=dict)
    _uses: Counter[tuple[str, str]] = field(default_factory=Counter)

    def id(self, resource_type: str, key: str) -> str:
        return self.draft.id(resource_type, key)

    def at(self, resource_type: str, key: str) -> str:
        """The start of a ledger target inside that resource."""
        return f"{resource_type}/{self.draft.id(resource_type, key)}#"

    def reference(self, resource_type: str, key: str) -> Resource:
        return {"reference": f"urn:uuid:{self.draft.id(resource_type, key)}"}

    def patient(self) -> Resource:
        return self.reference("Patient", self.patient_key)

    def encounter(self) -> Resource | None:
        return self.reference("Encounter", self.encounter_key) if self.encounter_key else None

    def add(self, resource_type: str, key: str, elements: Resource) -> Resource:
        """Add to the Bundle and remember that this message made it."""
        if self.draft.has(resource_type, key):
            _forget_choices(self.draft.live(resource_type, key), elements)
        resource = self.draft.add(resource_type, key, elements)
        self._made.setdefault(resource_type, {})[resource["id"]] = resource
        return resource

    def made(self, resource_type: str) -> list[Resource]:
        """What this message has made of that type, in order."""
        return list(self._made.get(resource_type, {}).values())

    def has_made(self, resource_type: str, key: str) -> bool:
        return self.draft.id(resource_type, key) in self._made.get(resource_type, ())

    def key(self, resource_type: str, *parts: str) -> str:
        """A local key of those parts; said a second time in the message it gets a number."""
        key = "|".join(parts)
        self._uses[resource_type, key] += 1
        count = self._uses[resource_type, key]
        return key if count == 1 else f"{key}#{count}"

    def system(self, name: str) -> str:
        return self.hospital.systems.get(name, "")


def _forget_choices(before: Resource, said: Resource) -> None:
    """Said twice in a message, the later choice wins: a resource holds one of deceasedBoolean and deceasedDateTime."""
    chosen = tuple({_choice(name) for name in said if _choice(name) and said[name] not in _NOTHING})
    if "component" in said or "value" in chosen or said.get("dataAbsentReason"):
        chosen = (*chosen, "value", "component", "dataAbsentReason")
    for name in [name for name in before if chosen and name.lstrip("_").startswith(chosen)]:
        del before[name]


@cache
def _choice(element: str) -> str:
    """The choice that an element's name belongs to: ``value`` of ``_valueString``; empty for one that is none."""
    name = element.lstrip("_")
    return next((choice for choice in _CHOICES if name.startswith(choice)), "")


def extension(url: str, **value: object) -> Resource:
    return {"url": url, **value}
