"""What doctors and hospitals do with cases: look at them, move them, ask for a teleconsultation.

https://hl7.org/fhir/R4/servicerequest.html
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from fhir_gateway.exchange import cases, parts
from fhir_gateway.exchange.cases import Effect
from fhir_gateway.exchange.dossier import Author, Heading, Section, assemble, composition
from fhir_gateway.exchange.filing import changes_for, cited
from fhir_gateway.exchange.house import House
from fhir_gateway.exchange.inputs import brought
from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.resource import Resource, instant, reference
from fhir_gateway.problem import BadRequest, Forbidden, NotFound
from fhir_gateway.records.revision import revision
from fhir_gateway.search import query as search
from fhir_gateway.security.access import may
from fhir_gateway.security.audit import Act
from fhir_gateway.security.caller import Caller
from fhir_gateway.security.sight import Reader
from fhir_gateway.store.port import Change, Commit, Version
from fhir_gateway.store.sight import sees

# What a receiving doctor wants to see first, and how many of each at the most.
EVIDENCE = ("AllergyIntolerance", "Condition", "DiagnosticReport", "MedicationRequest", "Observation", "Procedure")
EVIDENCE_LIMIT = 50


@dataclass(frozen=True, slots=True)
class View:
    """A case as one party sees it: the Task, its version, and the moves open to that party."""

    version: Version
    task: Resource
    legal: tuple[Mapping[str, Any], ...]

    def plain(self) -> dict[str, Any]:
        return {"task": self.task, "version": self.version.number, "moves": list(self.legal)}


async def view(house: House, caller: Caller, task: str) -> View:
    """Raises NotFound where there is no such case or the caller may not see it."""
    access = may(caller, "read", "Task")
    version = await house.store.current(f"Task/{task}")
    if version is None or version.deleted or not sees(access.reader, version):
        raise NotFound("no such case", "Task.id")
    content = decode_resource(version.body)
    sides = cases.roles(house.directory, caller.organization, content)
    legal = cases.workflow_of(content).legal(content["status"], sides)
    rows = tuple({"move": m.name, "to": m.target, "needs": list(m.needs)} for m in legal)
    return View(version, content, rows)


async def make_move(house: House, caller: Caller, task: str, name: str, given: Mapping[str, Any]) -> View:
    """Move a case. Raises IllegalMove, Forbidden or BadRequest naming the legal moves, Conflict when overtaken."""
    may(caller, "move", "Task")
    seen = await view(house, caller, task)
    resolve = await _resolver(house, [seen.task["for"]["reference"], *cases.outputs(seen.task)])
    facility = _facility_of(house, caller, seen.task)
    cases.step_of(house, seen.task, name, caller.organization, given)
    effect = cases.move(
        house, seen.task, name, caller.organization, brought(house, seen.task, given, facility, resolve)
    )
    await _commit(house, caller, effect, "move", seen.version)
    return await view(house, caller, task)


def _facility_of(house: House, caller: Caller, task: Resource) -> str:
    own = house.directory.facilities_of(caller.organization)
    mine = [code for code in cases.facilities(task) if code in own]
    if not mine:
        raise Forbidden("only the requesting and the receiving hospital may move this case", "Task")
    return mine[0]


async def ask_consultation(house: House, caller: Caller, asked: Mapping[str, Any]) -> View:
    """Open a teleconsultation about a patient: ``patient``, ``to``, ``question``, ``author`` and perhaps ``evidence``.

    Raises BadRequest naming what is missing, NotFound for an unknown patient or hospital.
    """
    may(caller, "create", "ServiceRequest")
    patient, question = _text(asked, "patient"), _text(asked, "question")
    if not patient.startswith("Patient/"):
        raise BadRequest("'patient' is a reference: Patient/id", "patient")
    sides = _sides(house, caller, _text(asked, "to"))
    author = _author(asked, sides[0])
    evidence, held = await _gathered(house, caller, patient, asked.get("evidence"))
    request = _request(patient, question, sides, author, house)
    sections = [
        Section("Câu hỏi hội chẩn", question, "42349-1"),
        Section("Hồ sơ gửi kèm", _listed(evidence), "", evidence),
    ]
    heading = Heading("57133-1", "Yêu cầu hội chẩn từ xa", patient, reference(request))
    now = house.clock()
    written = composition(request["id"], heading, author, sections, now)
    practitioner = author.practitioner()
    known = {**held, reference(request): request, reference(practitioner): practitioner}
    dossier = assemble(house, request["id"], written, author, known.get)
    effect = cases.open_case(house, request, sides, dossier, [])
    await _commit(house, caller, effect, "create", None)
    return await view(house, caller, effect.task["id"])


def _sides(house: House, caller: Caller, to: str) -> tuple[str, str]:
    own = house.directory.facilities_of(caller.organization)
    there = house.directory.facilities_of(to) or ((to,) if house.directory.party_of(to) else ())
    if not own:
        raise Forbidden("only a hospital's own doctors may ask for a consultation", "Authorization")
    if not there:
        raise NotFound(f"no hospital of that name; known: {', '.join(sorted(house.directory.partners))}", "to")
    return own[0], there[0]


def _text(asked: Mapping[str, Any], name: str) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or not value.strip():
        raise BadRequest(f"'{name}' is needed, as text", name)
    return value.strip()


def _author(asked: Mapping[str, Any], facility: str) -> Author:
    author = asked.get("author")
    if not isinstance(author, Mapping):
        raise BadRequest("'author' is needed: an object with licence and name of the asking doctor", "author")
    return Author(_text(author, "licence"), str(author.get("name", "")), facility)


def _request(patient: str, question: str, sides: tuple[str, str], author: Author, house: House) -> Resource:
    return {
        "resourceType": "ServiceRequest",
        "id": str(uuid4()),
        "status": "active",
        "intent": "order",
        "category": [parts.coded("Hội chẩn từ xa", ("http://snomed.info/sct", "11429006", "Consultation"))],
        "subject": {"reference": patient},
        "authoredOn": instant(house.clock()),
        "requester": {"reference": f"Practitioner/{author.practitioner()['id']}"},
        "performer": [parts.facility(sides[1], house.directory.title_of(sides[1]))],
        "note": [{"text": question}],
    }


def _listed(evidence: Iterable[str]) -> str:
    kinds = [ref.partition("/")[0] for ref in evidence]
    return "\n".join(f"{kind}: {kinds.count(kind)}" for kind in dict.fromkeys(kinds)) or "không có"


async def _gathered(
    house: House, caller: Caller, patient: str, named: Any
) -> tuple[tuple[str, ...], dict[str, Resource]]:
    """What is sent along (the resources named, or the patient's record as the caller sees it), with all it cites."""
    reader = may(caller, "search-type", "Observation").reader
    if named is not None and not (isinstance(named, list) and all(isinstance(ref, str) for ref in named)):
        raise BadRequest("'evidence' is a list of references", "evidence")
    chosen = named if named is not None else await _record(house, patient, reader)
    found = await house.store.currents([patient, *chosen])
    missing = [ref for ref in (patient, *chosen) if ref not in found or found[ref].deleted]
    missing += [ref for ref, version in found.items() if not sees(reader, version)]
    if missing:
        raise NotFound("no such resource, or not yours to send", missing[0])
    resources = {ref: decode_resource(version.body) for ref, version in found.items()}
    return tuple(chosen), {**resources, **await cited(house.store, resources, reader)}


async def _record(house: House, patient: str, reader: Reader) -> list[str]:
    found: list[str] = []
    for kind in EVIDENCE:
        query = search.parse(kind, [("patient", patient), ("_count", str(EVIDENCE_LIMIT))])
        found += [version.reference for version in await house.store.find(query, reader)]
    return found


async def _resolver(house: House, wanted: Iterable[str]) -> Any:
    found = await house.store.currents(list(dict.fromkeys(wanted)))
    held = {ref: decode_resource(version.body) for ref, version in found.items() if not version.deleted}
    return {**held, **await cited(house.store, held, None)}.get


async def _commit(house: House, caller: Caller, effect: Effect, interaction: str, task: Version | None) -> None:
    """One commit for a step of a case; the Task must still be at the version the step was decided on."""
    readers = (caller.organization,)
    now = house.clock()
    act = Act(interaction, caller, entities=tuple(reference(r) for r in effect.resources))
    moved: tuple[Change, ...] = (revision(effect.task, reference(effect.task), task, now, readers),)
    beside = [*effect.resources[1:], *await _unstored(house, effect), *await _ended(house, effect)]
    rest = await changes_for(house.store, beside, readers, now)
    await house.store.commit(
        Commit(
            changes=moved + rest,
            grants=effect.grants,
            notes=tuple(note for delivery in effect.deliveries for note in delivery.notes),
            jobs=tuple(delivery.job for delivery in effect.deliveries),
            events=(house.event(act),),
        )
    )


async def _ended(house: House, effect: Effect) -> list[Resource]:
    """The request, appointment and visit of a case that ends with this step, in their last state."""
    brought_now = {reference(resource) for resource in effect.resources}
    versions = await house.store.currents([ref for ref in cases.concerned(effect.task) if ref not in brought_now])
    return cases.ended(effect.task, [decode_resource(v.body) for v in versions.values() if not v.deleted])


async def _unstored(house: House, effect: Effect) -> list[Resource]:
    """What the document holds and nobody stored yet: its Composition, its author."""
    written = {reference(resource): resource for resource in effect.contents}
    known = {*await house.store.currents(list(written)), *map(reference, effect.resources)}
    return [resource for ref, resource in written.items() if ref not in known]
