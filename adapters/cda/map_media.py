"""Pictures and recordings that a section shows.

https://hl7.org/fhir/R4/media.html
"""

import base64
import re

from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import decoded, first_time, timing
from adapters.cda.facts import Setting, open_fact, performers
from adapters.cda.node import Node
from adapters.contract import Resource

_MEDIA_TYPE = re.compile(r"[a-z]+/[A-Za-z0-9.+-]+\Z")
_LINK = re.compile(r"https?://\S+\Z")


def media(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """One picture; kept whole where the document holds it, else by its address."""
    silent = chart.spot(("Media", "")).silent()
    if not _content(chart, statement.first("value"), silent):
        return []
    link, spot, elements = open_fact(chart, "Media", statement, statement.first("code"))
    content = _content(chart, statement.first("value"), spot.at("content"))
    created = timing(statement.first("effectiveTime"), spot, "created")
    by = performers(statement, spot, "operator")[:1]
    elements |= {
        "status": "completed",
        "subject": chart.subject(),
        "encounter": chart.encounter_at(first_time(created, "created")),
        **created,
        "operator": by[0] if by else {},
        "content": content,
    }
    chart.add(link, elements)
    return [link]


def _content(chart: Chart, node: Node, spot: Spot) -> Resource:
    kind = node.get("mediaType")
    found: Resource = {}
    if _MEDIA_TYPE.match(kind):
        found["contentType"] = spot.attribute(node, "mediaType", "contentType")
    address = node.first("reference")
    if _LINK.match(address.get("value")):
        return {**found, "url": spot.attribute(address, "value", "url")}
    if node.get("representation") != "B64" or not node.text:
        return {}
    content = decoded(chart, node, "picture")
    if content is None:
        return {}
    spot.attribute(node, "representation", "data")
    spot.text(node, "data")
    return {**found, "data": base64.b64encode(content).decode()}
