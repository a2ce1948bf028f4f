"""Which Person a hospital's patient is: found by number, suspected by name, recorded with its evidence.

Every number that proves identity is claimed by one Person, so two messages at once cannot make two people of one.
Nothing is merged: a link is a row on Person, ``unlink`` takes it back, and both stay in the Person's history.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.identity import person as people
from fhir_gateway.identity.compare import Evidence, Systems, Verdict, compare, same_name, strong
from fhir_gateway.identity.namesakes import namesakes
from fhir_gateway.problem import NotFound
from fhir_gateway.store.port import Claim, Records, Version

Patient = Mapping[str, Any]
FIRST = Verdict("level4", Evidence(("own record",), ()))
MERGED = Verdict("level4", Evidence(("hospital's own merge",), ()))


@dataclass(frozen=True, slots=True)
class Linking:
    """What linking asks to be committed: new Person contents with the versions they replace, and the claims."""

    persons: tuple[tuple[Resource, Version | None], ...]
    claims: tuple[Claim, ...]


@dataclass(slots=True)
class _Register:
    """The Persons touched while the patients of one message are linked."""

    owners: dict[str, str]
    versions: dict[str, Version]
    persons: dict[str, Resource] = field(default_factory=dict)
    changed: dict[str, None] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)

    def put(self, person: Resource) -> str:
        reference = f"Person/{person['id']}"
        if self.persons.get(reference) != person:
            self.persons[reference] = person
            self.changed[reference] = None
        return reference

    def claim(self, key: str, owner: str) -> None:
        before = self.owners.get(key)
        if before != owner:
            earlier = self.claims.get(key)
            self.claims[key] = Claim(key, owner, instead_of=earlier.instead_of if earlier else before)
            self.owners[key] = owner

    def result(self) -> Linking:
        persons = tuple((self.persons[ref], self.versions.get(ref)) for ref in self.changed)
        return Linking(persons, tuple(self.claims.values()))


def record_key(patient: str) -> str:
    """The claim that says whose record ``Patient/id`` is."""
    return f"person-of|{patient}"


def number_key(systems: Systems, number: tuple[str, str]) -> str:
    """The claim that says whose number this is: by what it proves, since a card may be sent as regular or temporary."""
    return f"person|{systems.kind(number[0])}|{number[1]}"


async def link(store: Records, systems: Systems, patients: Mapping[str, Patient]) -> Linking:
    """Find or make the Person of each patient (``Patient/id`` → content)."""
    register = await _open(store, systems, patients)
    for reference, patient in patients.items():
        await _place(store, systems, register, reference, patient)
    for reference, patient in patients.items():
        _follow_merge(register, reference, patient)
    return register.result()


async def _open(store: Records, systems: Systems, patients: Mapping[str, Patient]) -> _Register:
    keys = [record_key(ref) for ref in patients]
    keys += [record_key(other) for patient in patients.values() for other in _merges(patient)]
    keys += [number_key(systems, pair) for patient in patients.values() for pair in strong(patient, systems)]
    owners = await store.claimed(list(dict.fromkeys(keys)))
    register = _Register(owners, {})
    await _load(store, register, owners.values())
    return register


async def _load(store: Records, register: _Register, references: Any) -> None:
    wanted = [ref for ref in dict.fromkeys(references) if ref not in register.persons]
    for reference, version in (await store.currents(wanted)).items() if wanted else ():
        register.versions[reference] = version
        register.persons[reference] = decode_resource(version.body)


async def _place(store: Records, systems: Systems, register: _Register, reference: str, patient: Patient) -> None:
    numbers = strong(patient, systems)
    current = register.owners.get(record_key(reference))
    candidates = _candidates(systems, register, reference, patient, numbers)
    if current is None:
        chosen = next((ref for ref, verdict in candidates.items() if verdict.certain), None)
        if chosen is None:
            candidates |= await _namesakes(store, register, reference, patient)
        current = _attach(register, chosen, reference, patient, candidates)
    _note_suspects(register, current, candidates)
    unowned = [pair for pair in numbers if register.owners.get(number_key(systems, pair)) in (None, current)]
    register.put(people.numbered(people.named(register.persons[current], patient), unowned))
    for pair in unowned:
        register.claim(number_key(systems, pair), current)


def _candidates(
    systems: Systems, register: _Register, reference: str, patient: Patient, numbers: list[tuple[str, str]]
) -> dict[str, Verdict]:
    """The Persons that hold one of the patient's numbers, each with its verdict, surest first."""
    shared: dict[str, list[str]] = {}
    for system, value in numbers:
        owner = register.owners.get(number_key(systems, (system, value)))
        kind = systems.kind(system)
        if owner in register.persons and kind and not people.is_apart(register.persons[owner], reference):
            shared.setdefault(owner, []).append(kind)
    verdicts = {ref: compare(patient, register.persons[ref], dict.fromkeys(kinds)) for ref, kinds in shared.items()}
    return dict(sorted(verdicts.items(), key=lambda item: item[1].assurance, reverse=True))


async def _namesakes(store: Records, register: _Register, reference: str, patient: Patient) -> dict[str, Verdict]:
    """Persons of the same name, birth date and sex: suspects only. A newborn under its mother's name has none."""
    if len(patient.get("birthDate", "")) < len("yyyy-mm-dd") or patient.get("gender") not in ("male", "female"):
        return {}
    found = await namesakes(store, patient)
    suspects = {version.reference: decode_resource(version.body) for version in found}
    same = {ref: person for ref, person in suspects.items() if same_name(patient, person)}
    for version in found:
        if version.reference in same and version.reference not in register.persons:
            register.versions[version.reference] = version
            register.persons[version.reference] = same[version.reference]
    free = {ref: person for ref, person in same.items() if not people.is_apart(person, reference)}
    return {ref: compare(patient, person, ()) for ref, person in free.items()}


def _attach(
    register: _Register, chosen: str | None, reference: str, patient: Patient, candidates: Mapping[str, Verdict]
) -> str:
    if chosen is None:
        person = people.linked(people.born(reference, patient), reference, FIRST)
    else:
        person = people.linked(register.persons[chosen], reference, candidates[chosen])
    current = register.put(person)
    register.claim(record_key(reference), current)
    return current


def _note_suspects(register: _Register, current: str, candidates: Mapping[str, Verdict]) -> None:
    """A Person that may be the same human is linked Person to Person at level2: shown, never followed."""
    linked_already = {row["target"]["reference"] for row in register.persons[current].get("link", ())}
    for suspect, verdict in candidates.items():
        if suspect not in (current, *linked_already) and verdict.assurance:
            probable = Verdict("level2", verdict.evidence)
            register.put(people.linked(register.persons[current], suspect, probable))


def _follow_merge(register: _Register, reference: str, patient: Patient) -> None:
    """A patient number that its hospital replaced by another belongs to the other's Person (HL7 v2 A40)."""
    for survivor in _merges(patient):
        target = register.owners.get(record_key(survivor))
        current = register.owners.get(record_key(reference))
        if target is None or target == current or target not in register.persons:
            continue
        if current in register.persons:
            register.put({**people.unlinked(register.persons[current], reference), "active": False})
        register.put(people.linked(register.persons[target], reference, MERGED))
        register.claim(record_key(reference), target)


def _merges(patient: Patient) -> list[str]:
    return [row["other"]["reference"] for row in patient.get("link", ()) if row.get("type") == "replaced-by"]


async def unlink(store: Records, systems: Systems, person: str, patient: str) -> Linking:
    """Take a patient record from a Person and give it a Person of its own. Raises NotFound when there is no such link.

    Numbers that only this record brought go with it; the two are kept apart from then on.
    """
    versions = await store.currents([person, patient])
    if person not in versions or patient not in versions:
        raise NotFound("no such person or patient", "link")
    holder = decode_resource(versions[person].body)
    if patient not in people.patients(holder):
        raise NotFound("this person has no link to that patient", "Person.link")
    rest = await store.currents([ref for ref in people.patients(holder) if ref != patient])
    kept = {pair for v in rest.values() for pair in strong(decode_resource(v.body), systems)}
    return _separated(systems, versions, (person, patient), kept)


def _separated(
    systems: Systems, versions: Mapping[str, Version], pair: tuple[str, str], kept: set[tuple[str, str]]
) -> Linking:
    person, patient = pair
    holder, record = decode_resource(versions[person].body), decode_resource(versions[patient].body)
    moved = [number for number in strong(record, systems) if number not in kept]
    owners = {number_key(systems, number): person for number in moved} | {record_key(patient): person}
    register = _Register(owners, dict(versions), {person: holder})
    numbers = [i for i in holder.get("identifier", ()) if (i.get("system"), i.get("value")) not in moved]
    register.put(people.unlinked({**holder, "identifier": numbers}, patient))
    single = people.linked(
        people.born(patient, record, versions[person].reference + str(versions[person].number)), patient, FIRST
    )
    alone = register.put(people.numbered(single, moved))
    for key in owners:
        register.claim(key, alone)
    return register.result()
