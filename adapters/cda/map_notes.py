"""Notes written inside a document: each a DocumentReference with its words.

https://hl7.org/fhir/R4/documentreference.html
"""

import base64
import re

from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import concept, decoded, known_concept, period, start, time, words
from adapters.cda.facts import Setting, keep_text, open_fact
from adapters.cda.identifiers import identifier
from adapters.cda.map_staff import party
from adapters.cda.node import Node
from adapters.cda.tables import translated
from adapters.cda.times import is_instant
from adapters.contract import Resource

CATEGORY = {
    "system": "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category",
    "code": "clinical-note",
}

_MEDIA_TYPE = re.compile(r"[a-z]+/[A-Za-z0-9.+-]+\Z")
_ANY_NOTE = "34109-9"


def clinical_note(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """One note; its kind is the translation of the code that all notes have."""
    link, spot, elements = open_fact(chart, "DocumentReference", statement, statement.first("code"))
    told = statement.first("statusCode")
    keep_text(statement, setting)
    elements |= {
        "status": "entered-in-error" if told.get("code") == "nullified" else "current",
        "docStatus": _doc_status(told, spot),
        "type": _type(statement.first("code"), spot),
        "category": [{"coding": [CATEGORY]}],
        "subject": chart.subject(),
        "date": _written(statement, spot),
        "author": _authors(statement, spot),
        "relatesTo": _related(statement, spot),
        "content": [{"attachment": _attachment(chart, statement.first("text"), spot.at("content[0].attachment"))}],
        "context": _context(chart, statement.first("effectiveTime"), spot.at("context")),
    }
    chart.add(link, elements)
    return [link]


def _doc_status(told: Node, spot: Spot) -> str:
    """How far the note is; what was nullified says so in its status."""
    found = translated("note_status", told.get("code"))
    if found or told.get("code") == "nullified":
        spot.attribute(told, "code", "docStatus" if found else "status")
    return found


def _type(node: Node, spot: Spot) -> Resource:
    translations = [one for one in node.all("translation") if one.get("code")]
    if node.get("code") != _ANY_NOTE or not translations:
        return concept(node, spot.at("type"))
    spot.attribute(node, "code", "type")
    spot.attribute(node, "codeSystem", "type")
    spot.attribute(node, "displayName", "type")
    return known_concept(node.altered({}, [*node.all("originalText"), *translations]), spot.at("type"))


def _written(statement: Node, spot: Spot) -> str:
    """When it was written, if that is known to the minute, which FHIR demands here."""
    node = statement.first("author", "time")
    return time(node, spot.at("date")) if is_instant(time(node, spot.silent())) else ""


def _authors(statement: Node, spot: Spot) -> list[Resource]:
    found: list[Resource] = []
    for node in statement.all("author"):
        one = party(node.first("assignedAuthor"), spot.at(f"author[{len(found)}]"))
        found += [one] if one else []
    return found


def _related(statement: Node, spot: Spot) -> list[Resource]:
    found: list[Resource] = []
    for node in statement.all("reference"):
        number = node.first("externalDocument", "id")
        one = identifier(number, spot.at(f"relatesTo[{len(found)}].target.identifier"))
        found += [{"code": "appends", "target": {"identifier": one}}] if one else []
    return found


def _attachment(chart: Chart, text: Node, spot: Spot) -> Resource:
    """The file in it, else the words: its own or those of the narrative it points at."""
    kind = text.get("mediaType")
    if text.get("representation") == "B64" and _MEDIA_TYPE.match(kind):
        content = decoded(chart, text, "file")
        if content is None:
            return {"contentType": "text/plain"}
        spot.attribute(text, "mediaType", "contentType")
        spot.attribute(text, "representation", "data")
        spot.text(text, "data")
        return {"contentType": kind, "data": base64.b64encode(content).decode()}
    told = words(text, spot.at("data"))
    return {"contentType": "text/plain; charset=utf-8", "data": base64.b64encode(told.encode()).decode()}


def _context(chart: Chart, node: Node, spot: Spot) -> Resource:
    """The stay it was written in and the time it speaks of."""
    when = period(node, spot.at("period"))
    begun = "" if when else start(node, spot.at("period.start"))
    return {
        "encounter": [chart.link(chart.encounter)] if chart.encounter else [],
        "period": when or ({"start": begun} if begun else {}),
    }
