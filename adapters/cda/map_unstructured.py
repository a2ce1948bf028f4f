"""A body that is a file (PDF, image, text): kept whole as Binary, found through a DocumentReference.

https://hl7.org/fhir/R4/documentreference.html
"""

import base64
import hashlib
import re

from adapters.cda import narrative
from adapters.cda.chart import Chart, Spot
from adapters.cda.datatypes import decoded
from adapters.cda.node import Node
from adapters.contract import Resource

_MEDIA_TYPE = re.compile(r"[a-z]+/[A-Za-z0-9.+-]+\Z")
_LINK = re.compile(r"\S+\Z")


def unstructured(chart: Chart, body: Node, composition: Resource, spot: Spot) -> list[Resource]:
    """One section that leads to the file."""
    file = body.first("text")
    link = ("DocumentReference", chart.scope)
    place = chart.spot(link)
    title = composition["title"]
    attachment = {"title": title, **_attachment(chart, file, place.at("content[0].attachment"))}
    elements = {
        "status": "current",
        "type": composition["type"],
        "subject": chart.subject(),
        "author": [one for one in composition["author"] if "reference" in one],
        "custodian": composition.get("custodian"),
        "description": title,
        "content": [{"attachment": attachment}],
    }
    chart.add(link, elements)
    text = {"status": "generated", "div": narrative.escaped(title)}
    return [{"title": title, "code": composition["type"], "text": text, "entry": [chart.link(link)]}]


def _attachment(chart: Chart, file: Node, spot: Spot) -> Resource:
    """Where the file is, how long it is and its SHA-1, which is what FHIR has there."""
    declared = spot.attribute(file, "mediaType", "contentType")
    media_type = declared if _MEDIA_TYPE.match(declared) else "application/octet-stream"
    reference = file.first("reference")
    if _LINK.match(reference.get("value")):
        return {"contentType": media_type, "url": spot.attribute(reference, "value", "url")}
    content = _content(chart, file, spot)
    if content is None:
        return {"contentType": media_type}
    binary = ("Binary", chart.scope)
    text = base64.b64encode(content).decode()
    chart.add(binary, {"contentType": media_type, "data": text})
    chart.spot(binary).text(file, "data")
    digest = base64.b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode()
    url = f"urn:uuid:{chart.draft.id(*binary)}"
    return {"contentType": media_type, "url": url, "size": len(content), "hash": digest}


def _content(chart: Chart, file: Node, spot: Spot) -> bytes | None:
    """The file's bytes; base64 that is not base64 stays unmapped and is told to the sender."""
    if not file.text:
        return None
    if file.get("representation") != "B64":
        spot.attribute(file, "representation", "url")
        return file.text.encode()
    content = decoded(chart, file, "file")
    if content is not None:
        spot.attribute(file, "representation", "url")
    return content
