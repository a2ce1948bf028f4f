"""Sections: title, code, safe narrative, and links to what their entries became.

https://hl7.org/fhir/R4/composition-definitions.html#Composition.section
"""

from adapters.cda import narrative
from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import concept, filled
from adapters.cda.facts import Setting
from adapters.cda.map_plans import care_plan
from adapters.cda.map_staff import party
from adapters.cda.map_statements import statements
from adapters.cda.node import Node
from adapters.cda.tables import SECTION_TEMPLATES, SECTIONS, SectionKind
from adapters.contract import Resource

EMPTY_REASON = "http://terminology.hl7.org/CodeSystem/list-empty-reason"
LOINC = "2.16.840.1.113883.6.1"


def sections(chart: Chart, body: Node, spot: Spot) -> list[Resource]:
    """All sections of a body or of a section, whether their kind is known or not."""
    found = [component.first("section") for component in body.all("component") if component.first("section")]
    return [_section(chart, node, spot.at(f"section[{n}]")) for n, node in enumerate(found)]


def _section(chart: Chart, node: Node, spot: Spot) -> Resource:
    kind = _kind_of(node)
    title = spot.text(node.first("title"), "title")
    text = spot.narrative(node.first("text"), "text.div")
    setting = Setting(kind, spot.at("text.div"), is_told=bool(text))
    links = [link for entry in node.all("entry") for link in statements(chart, entry, setting)]
    if kind.kind == "plan":
        links = care_plan(chart, title or node.first("code").get("displayName"), node.place, links) + links
    code = concept(node.first("code"), spot.at("code"))
    inner = sections(chart, node, spot)
    writers = [party(one.first("assignedAuthor"), spot.at(f"author[{n}]")) for n, one in enumerate(node.all("author"))]
    section = {
        "title": title or code.get("text"),
        "code": code,
        "author": [writer for writer in writers if writer],
        "text": _text(text, title, bool(links or inner)),
        "entry": [chart.link(link) for link in _once(links)],
        "emptyReason": _empty_reason(node, spot, bool(links)),
        "section": inner,
    }
    return filled(section)


def _kind_of(node: Node) -> SectionKind:
    code = node.first("code")
    for one in (code, *code.all("translation")):
        kind = SECTIONS.get(one.get("code"))
        if kind and one.get("codeSystem") in {LOINC, ""}:
            return kind
    # A section whose entries are required has the same template with one step more.
    named = [template.get("root") for template in node.all("templateId")]
    roots = (root for one in named for root in (one, one.removesuffix(".1")))
    return next((SECTION_TEMPLATES[root] for root in roots if root in SECTION_TEMPLATES), SectionKind())


def _text(div: str, title: str, has_content: bool) -> Resource:
    """The narrative as it came; a section of nothing at all still says its title, which FHIR demands."""
    if div:
        return {"status": "additional", "div": div}
    return {} if has_content else {"status": "empty", "div": narrative.escaped(title or "-")}


def _empty_reason(node: Node, spot: Spot, has_entries: bool) -> Resource:
    if has_entries or not node.get("nullFlavor"):
        return {}
    spot.attribute(node, "nullFlavor", "emptyReason.coding[0].code")
    return {"coding": [{"system": EMPTY_REASON, "code": "unavailable"}]}


def _once(links: list[Link]) -> list[Link]:
    return list(dict.fromkeys(links))
