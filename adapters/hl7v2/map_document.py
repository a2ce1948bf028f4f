"""TXA to DocumentReference, with the rows of content that follow it.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-txa-to-documentreference.html
"""

import base64
from dataclasses import dataclass, field

from adapters.contract import Resource
from adapters.hl7v2.codes import TERMINOLOGY, code, table
from adapters.hl7v2.datatypes import absent, coded, entity, exact_time, of_row, practitioner, time
from adapters.hl7v2.map_attachment import attachment, completion, media_type
from adapters.hl7v2.map_place import facility
from adapters.hl7v2.read import Segment, Value
from adapters.hl7v2.scene import Scene, extension

_ALTERNATE = "http://hl7.org/fhir/StructureDefinition/alternate-codes"
_RELATIONS = {"T05": "appends", "T06": "appends", "T07": "replaces", "T08": "replaces"}
_RELATIONS |= {"T09": "replaces", "T10": "replaces"}
_TEXT = frozenset({"TX", "FT", "ST"})


@dataclass(slots=True)
class Document:
    """A document whose content is being read; its text rows become one text at the end."""

    made: Resource
    listed: list[Resource] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    lines_place: int = 0
    heading: tuple[str, str, str] = ("", "", "")

    def close(self) -> None:
        """Put the content found into the DocumentReference; without any, its header alone stays."""
        if self.lines:
            text = base64.b64encode("\n".join(self.lines).encode()).decode("ascii")
            self.listed[self.lines_place]["attachment"].update(contentType="text/plain; charset=utf-8", data=text)
        if self.listed:
            header = self.made["content"][0]["attachment"]
            first = self.listed[0]["attachment"]
            for name in ("contentType", "creation"):
                if not first.get(name) and header.get(name):
                    first[name] = header[name]
            self.made["content"] = self.listed


def map_document(scene: Scene, txa: Segment) -> Document:
    key = _key(scene, txa)
    at = scene.at("DocumentReference", key)
    authors = txa.values(9) or txa.values(5)
    made = scene.add(
        "DocumentReference",
        key,
        {
            "masterIdentifier": entity(scene, txa.value(12), f"{at}masterIdentifier", scene.system("document")),
            "identifier": [{"value": txa.take(16, f"{at}identifier[0].value")}],
            **_status(scene, txa, at),
            "docStatus": _completion(scene, txa, at),
            "type": coded(scene, txa.value(2), f"{at}type", "v2-0270"),
            "subject": scene.patient(),
            "date": exact_time(scene, txa.value(6), f"{at}date"),
            "author": [practitioner(scene, who, f"{at}author[{n}]") for n, who in enumerate(authors)],
            "authenticator": _authenticator(scene, txa, at),
            "custodian": facility(scene),
            "relatesTo": _relation(scene, txa, at),
            "description": txa.take(25, f"{at}description"),
            "securityLabel": [_label(txa, at)],
            "content": [{"attachment": _header(scene, txa, at)}],
            "context": _context(scene, txa, at),
        },
    )
    return Document(made)


def add_content(scene: Scene, obx: Segment, document: Document) -> bool:
    """Whether the row holds a part of the document itself: a file, a pointer to one, or lines of its text."""
    kind = obx.peek(2).upper()
    at = f"DocumentReference/{document.made['id']}#content"
    if kind in _TEXT and obx.values(5):
        _add_lines(scene, obx, document, at)
        _add_completion(obx, document)
        return True
    values = [value for value in obx.values(5) if value.peek(5 if kind == "ED" else 1)]
    if kind not in ("ED", "RP") or not values:
        return False
    for value in values:
        here = f"{at}[{len(document.listed)}].attachment"
        made = attachment(scene, obx, value, here) if kind == "ED" else _pointer(obx, value, here)
        document.listed.append({"attachment": {**_heading(scene, obx, here), **made}})
    _add_completion(obx, document)
    return True


def add_remark(nte: Segment, document: Document) -> None:
    """NTE of a document: a text of its own beside the content, its code in words where NTE-9 has one."""
    at = f"DocumentReference/{document.made['id']}#content[{len(document.listed)}].attachment.data"
    lines = [value.take_text(at) for value in nte.values(3)]
    lines += [" - ".join(value.take(n, at) for n in (1, 2, 3) if value.peek(n)) for value in nte.values(9)]
    if any(lines):
        text = base64.b64encode("\n".join(lines).encode()).decode("ascii")
        content = {"contentType": "text/plain; charset=utf-8", "data": text, "title": "NTE"}
        document.listed.append({"attachment": content})


def _heading(scene: Scene, obx: Segment, at: str) -> Resource:
    """OBX-3 as a code: an attachment has room for its words alone, as the title."""
    concept = coded(scene, obx.value(3), f"{at}.extension[0].value", "observation")
    return {"extension": [extension(_ALTERNATE, valueCodeableConcept=concept)]} if concept else {}


def _add_completion(obx: Segment, document: Document) -> None:
    """OBX-11 says how complete the document is where TXA-17 does not."""
    said = completion(obx)
    if said and document.made.setdefault("docStatus", said) == said:
        obx.take(11, f"DocumentReference/{document.made['id']}#docStatus")


def _add_lines(scene: Scene, obx: Segment, document: Document, at: str) -> None:
    said = (obx.peek(3), obx.peek(3, 2), obx.peek(3, 3))
    if not document.lines:
        document.heading = said
        document.lines_place = len(document.listed)
        document.listed.append({"attachment": {}})
    here = f"{at}[{document.lines_place}].attachment"
    kept = document.listed[document.lines_place]["attachment"]
    # Lines under another heading stay lines of the one text; their heading stays in the ledger as unmapped.
    if said == document.heading:
        kept.update(_heading(scene, obx, here))
        kept["title"] = obx.value(3).take(2, f"{here}.title") or obx.take(3, f"{here}.title")
    document.lines += [value.take_text(f"{here}.data") for value in obx.values(5)]
    obx.take(2, f"{here}.contentType")
    if not kept.get("title"):
        kept.pop("title", None)


def _pointer(obx: Segment, value: Value, at: str) -> Resource:
    """RP: where the file lies, and what it is."""
    obx.value(2).take_all(f"{at}.url")
    main, sub = value.peek(3), value.peek(4)
    kind = media_type(main, sub or main)
    if kind:
        value.took(3, f"{at}.contentType")
        value.took(4, f"{at}.contentType")
    title = obx.value(3).take(2, f"{at}.title") or obx.take(3, f"{at}.title")
    return {"contentType": kind, "url": "%20".join(value.take(1, f"{at}.url").split()), "title": title}


def _key(scene: Scene, txa: Segment) -> str:
    number = txa.peek(12) or txa.peek(12, 3) or txa.peek(16)
    where = scene.encounter_key or scene.patient_key
    parts = ("TXA", number) if number else ("TXA", where, txa.peek(2), txa.peek(6) or txa.peek(4))
    return scene.key("DocumentReference", *parts)


def _status(scene: Scene, txa: Segment, at: str) -> Resource:
    """TXA-19 with the code as sent beside it; a cancelled document was entered in error."""
    if scene.event.trigger == "T11":
        txa.take(19, f"{at}status")
        return {"status": "entered-in-error"}
    said = txa.peek(19).upper()
    status = code("v2-0273", said)
    if not status:
        return {"status": "current"}
    txa.take(19, f"{at}status")
    if said == "AV":
        return {"status": status}
    concept = {"coding": [{"system": f"{TERMINOLOGY}v2-0273", "code": said}]}
    return {"status": status, "_status": {"extension": [extension(_ALTERNATE, valueCodeableConcept=concept)]}}


def _completion(scene: Scene, txa: Segment, at: str) -> str:
    status = code("v2-0271", txa.peek(17).upper())
    if status:
        txa.take(17, f"{at}docStatus")
    return "entered-in-error" if scene.event.trigger == "T11" else status


def _authenticator(scene: Scene, txa: Segment, at: str) -> Resource | None:
    people = [practitioner(scene, value, f"{at}authenticator") for value in (*txa.values(10)[:1], *txa.values(22)[:1])]
    return next((person for person in people if person), None)


def _relation(scene: Scene, txa: Segment, at: str) -> list[Resource]:
    """TXA-13, the document that this one follows: named by number, since it came in another message."""
    relation = _RELATIONS.get(scene.event.trigger, "") if scene.event.code == "MDM" else ""
    if not relation:
        return []
    target = entity(scene, txa.value(13), f"{at}relatesTo[0].target.identifier", scene.system("document"))
    return [{"code": relation, "target": {"type": "DocumentReference", "identifier": target}}] if target else []


def _label(txa: Segment, at: str) -> Resource | None:
    row = table("v2-0272").get(txa.peek(18).upper())
    if row is None:
        return None
    txa.take(18, f"{at}securityLabel[0]")
    return {"coding": [of_row(row), {"system": f"{TERMINOLOGY}v2-0272", "code": txa.peek(18).upper()}]}


def _header(scene: Scene, txa: Segment, at: str) -> Resource:
    """What is known of the file before its content: the sort, the title, when it was written."""
    here = f"{at}content[0].attachment"
    named = code("media-types", txa.peek(3).upper())
    if named:
        txa.take(3, f"{here}.contentType")
    title = txa.peek(25) or txa.peek(2, 2) or txa.peek(2)
    made = {"contentType": named, "title": title, "creation": time(scene, txa.value(6), f"{here}.creation")}
    return made if any(made.values()) else {**absent()}


def _context(scene: Scene, txa: Segment, at: str) -> Resource:
    encounter = scene.encounter()
    related: list[Resource] = []
    for value in (*txa.values(14), *txa.values(15)):
        number = entity(scene, value, f"{at}context.related[{len(related)}].identifier", scene.system("order"))
        related.extend([{"type": "ServiceRequest", "identifier": number}] if number else [])
    return {
        "encounter": [encounter] if encounter else [],
        "period": {"start": time(scene, txa.value(4), f"{at}context.period.start")},
        "related": related,
    }
