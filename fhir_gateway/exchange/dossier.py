"""The document that travels with a case: its Composition, what it cites, and the signatures over it.

https://hl7.org/fhir/R4/documents.html
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any

from fhir_gateway.exchange import parts
from fhir_gateway.exchange.house import House
from fhir_gateway.fhir import document
from fhir_gateway.fhir.canonical import canonical
from fhir_gateway.fhir.resource import Resource, instant
from fhir_gateway.security.seal import sign

Resolve = Callable[[str], Resource | None]


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes a document: a licensed doctor of a facility."""

    licence: str
    name: str
    facility: str

    def practitioner(self) -> Resource:
        return {
            "resourceType": "Practitioner",
            "id": parts.part_id("practitioner", self.facility, self.licence),
            "identifier": [{"system": parts.LICENCE, "value": self.licence}],
            **({"name": [{"text": self.name}]} if self.name else {}),
        }


@dataclass(frozen=True, slots=True)
class Section:
    """One section of a document written by hand: a title and plain text; ``entries`` are cited resources."""

    title: str
    text: str
    code: str = ""
    entries: tuple[str, ...] = ()

    def resource(self) -> Resource:
        body = escape(self.text).replace("\n", "<br/>")
        narrative = {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{body}</p></div>'}
        section: Resource = {"title": self.title, "text": narrative}
        if self.code:
            section["code"] = parts.coded(self.title, (parts.LOINC, self.code, ""))
        if self.entries:
            section["entry"] = [{"reference": reference} for reference in self.entries]
        return section


@dataclass(frozen=True, slots=True)
class Heading:
    """What a hand-written document is: LOINC type, title, subject, and the request or answer it belongs to."""

    loinc: str
    title: str
    subject: str
    event: str = ""
    encounter: str = ""


def composition(key: str, heading: Heading, author: Author, sections: Sequence[Section], now: datetime) -> Resource:
    """A Composition from sections of plain text."""
    resource: Resource = {
        "resourceType": "Composition",
        "id": parts.part_id("composition", key),
        "status": "final",
        "type": parts.coded(heading.title, (parts.LOINC, heading.loinc, "")),
        "subject": {"reference": heading.subject},
        "date": instant(now),
        "author": [{"reference": f"Practitioner/{author.practitioner()['id']}"}],
        "title": heading.title,
        "custodian": parts.facility(author.facility),
        "section": [section.resource() for section in sections],
    }
    if heading.encounter:
        resource["encounter"] = {"reference": heading.encounter}
    if heading.event:
        resource["event"] = [{"detail": [{"reference": heading.event}]}]
    return resource


@dataclass(frozen=True, slots=True)
class Dossier:
    """A signed document and the Provenance that carries its signatures."""

    bundle: Resource
    signatures: Resource

    @property
    def reference(self) -> str:
        return f"Bundle/{self.bundle['id']}"

    @property
    def contents(self) -> list[Resource]:
        """The resources inside the document."""
        return [entry["resource"] for entry in self.bundle["entry"]]


def assemble(house: House, key: str, written: Resource, author: Author, resolve: Resolve) -> Dossier:
    """Build the document Bundle of a Composition and sign it as doctor and as facility.

    Raises Invalid when something the Composition cites cannot be found.
    """
    now = house.clock()
    bundle = document.build(
        written,
        resolve,
        identity=parts.part_id("document", key),
        timestamp=instant(now),
        base_url=house.base_url,
    )
    payload = canonical(bundle)
    signed = [_doctor(house, payload, author, now)] if author.licence else []
    signed.append(_facility(house, payload, author.facility, now))
    return Dossier(bundle, parts.signature_provenance(f"Bundle/{bundle['id']}", instant(now), signed))


def _doctor(house: House, payload: bytes, author: Author, now: datetime) -> parts.Signed:
    who = {"identifier": {"system": parts.LICENCE, "value": author.licence}}
    return parts.Signed(parts.AUTHOR_SIGNATURE, who, sign(payload, house.keys.practitioner(author.licence), now))


def _facility(house: House, payload: bytes, code: str, now: datetime) -> parts.Signed:
    who = parts.facility(code, house.directory.title_of(code))
    return parts.Signed(parts.FACILITY_SIGNATURE, who, sign(payload, house.keys.facility(code), now))


def author_of(written: Mapping[str, Any], resolve: Resolve, facility: str) -> Author:
    """The doctor who wrote a Composition: licence number and name of its first Practitioner author."""
    for reference in written.get("author", ()):
        found = resolve(reference.get("reference", ""))
        if found and found["resourceType"] == "Practitioner":
            return Author(_licence(found), _name(found), facility)
    return Author("", "", facility)


def _licence(practitioner: Resource) -> str:
    return next((str(i["value"]) for i in practitioner.get("identifier", ()) if i.get("value")), "")


def _name(practitioner: Resource) -> str:
    return next((str(n["text"]) for n in practitioner.get("name", ()) if n.get("text")), "")
