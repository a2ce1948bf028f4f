"""What people hand in with a move, in words or as FHIR, made into the resources the case needs.

https://hl7.org/fhir/R4/appointment.html
"""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from fhir_gateway.exchange import parts
from fhir_gateway.exchange.cases import Brought
from fhir_gateway.exchange.dossier import Author, Dossier, Heading, Resolve, Section, assemble, composition
from fhir_gateway.exchange.house import House
from fhir_gateway.fhir import validation
from fhir_gateway.fhir.resource import Resource, instant
from fhir_gateway.problem import BadRequest

DOCUMENTS = {
    "discharge-summary": Heading("18842-5", "Tóm tắt ra viện", ""),
    "opinion": Heading("11488-4", "Biên bản hội chẩn từ xa", ""),
}
RESOURCES = ("appointment", "encounter")
VIRTUAL = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "VR", "display": "virtual"}
INPATIENT = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
    "code": "IMP",
    "display": "inpatient encounter",
}


def brought(house: House, task: Resource, given: Mapping[str, Any], facility: str, resolve: Resolve) -> Brought:
    """The resources and documents of a move. Raises BadRequest or Invalid, naming the input at fault.

    ``facility`` is the code of the hospital that makes the move; ``resolve`` finds what documents cite.
    """
    strange = sorted(set(given) - {*DOCUMENTS, *RESOURCES, "reason"})
    if strange:
        raise BadRequest(f"not known here: {', '.join(strange)}; a move takes {_known()}", strange[0])
    outputs = tuple((kind, _resource(kind, task, given[kind])) for kind in RESOURCES if kind in given)
    for kind, resource in outputs:
        _check(kind, resource)
    written = [kind for kind in DOCUMENTS if kind in given]
    document = (
        (written[0], _document(house, written[0], task, given[written[0]], (facility, resolve))) if written else None
    )
    return Brought(outputs, document, _words(given.get("reason", ""), "reason"))


def _known() -> str:
    return ", ".join([*RESOURCES, *DOCUMENTS, "reason"])


def _check(kind: str, resource: Resource) -> None:
    faults = validation.validate(resource)
    if faults:
        raise BadRequest(f"{kind}: {faults[0].where}: {faults[0].text}", kind)


def _words(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise BadRequest("must be text", where)
    return value.strip()


def _resource(kind: str, task: Resource, given: Any) -> Resource:
    if not isinstance(given, Mapping):
        raise BadRequest("must be an object: a FHIR resource or its main elements", kind)
    defaults = _appointment(task) if kind == "appointment" else _encounter(task)
    return {**defaults, **given, "resourceType": defaults["resourceType"], "id": defaults["id"]}


def _appointment(task: Resource) -> Resource:
    return {
        "resourceType": "Appointment",
        "id": str(uuid4()),
        "status": "booked",
        "basedOn": [task["focus"]],
        "description": task["owner"].get("display", parts.facility_code(task["owner"])),
        "participant": [{"actor": task["for"], "status": "accepted"}],
    }


def _encounter(task: Resource) -> Resource:
    virtual = task["instantiatesUri"].endswith("teleconsult")
    return {
        "resourceType": "Encounter",
        "id": str(uuid4()),
        "status": "in-progress",
        "class": VIRTUAL if virtual else INPATIENT,
        "subject": task["for"],
        "basedOn": [task["focus"]],
        "serviceProvider": task["owner"],
    }


def _document(house: House, kind: str, task: Resource, given: Any, place: tuple[str, Resolve]) -> Dossier:
    """A signed document from ``{"author": {"licence", "name"}, "sections": [{"title", "text"}]}``."""
    facility, resolve = place
    if not isinstance(given, Mapping):
        raise BadRequest("must be an object with author and sections", kind)
    author = _author(kind, given, facility)
    heading = DOCUMENTS[kind]
    subject, event = task["for"]["reference"], task["focus"]["reference"]
    about = Heading(heading.loinc, str(given.get("title", heading.title)), subject, event, _encounter_of(task))
    now = house.clock()
    key = f"{task['id']}|{kind}|{instant(now)}"
    written = composition(key, about, author, _sections(kind, given), now)
    practitioner = author.practitioner()
    own = {f"Practitioner/{practitioner['id']}": practitioner}
    return assemble(house, key, written, author, lambda ref: own.get(ref) or resolve(ref))


def _author(kind: str, given: Mapping[str, Any], facility: str) -> Author:
    author = given.get("author")
    if not isinstance(author, Mapping) or not author.get("licence"):
        raise BadRequest("the author's licence number is needed: the document is signed in that name", f"{kind}.author")
    return Author(
        _words(author["licence"], f"{kind}.author.licence"),
        _words(author.get("name", ""), f"{kind}.author.name"),
        facility,
    )


def _sections(kind: str, given: Mapping[str, Any]) -> list[Section]:
    rows = given.get("sections")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, Mapping) for row in rows):
        raise BadRequest("at least one section with title and text is needed", f"{kind}.sections")
    return [_section(f"{kind}.sections[{place}]", row) for place, row in enumerate(rows)]


def _section(where: str, row: Mapping[str, Any]) -> Section:
    title, text = _words(row.get("title", ""), f"{where}.title"), _words(row.get("text", ""), f"{where}.text")
    if not title or not text:
        raise BadRequest("a section needs a title and a text", where)
    return Section(title, text, _words(row.get("code", ""), f"{where}.code"))


def _encounter_of(task: Resource) -> str:
    rows = [row for row in task.get("output", ()) if row["type"].get("text") == "encounter"]
    return str(rows[-1]["valueReference"]["reference"]) if rows else ""
