"""The document as a Composition: what it is, about whom, by whom, signed by whom, and its sections.

https://hl7.org/fhir/R4/composition.html
"""

from typing import Any

from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import absence, absent, required_concept, time
from adapters.cda.facts import link_reasons
from adapters.cda.identifiers import identifier, number_of
from adapters.cda.map_encounters import encompassing
from adapters.cda.map_header import event, extensions, language
from adapters.cda.map_people import general_practitioners, patient, relatives
from adapters.cda.map_sections import sections
from adapters.cda.map_staff import PERSON, PROVIDER, organization, party
from adapters.cda.map_teams import treating
from adapters.cda.map_unstructured import unstructured
from adapters.cda.node import Node
from adapters.cda.tables import DOCUMENT_TYPES, translated
from adapters.contract import Resource

_CONFIDENTIALITY = frozenset({"U", "L", "M", "N", "R", "V"})


def document_scope(root: Node) -> str:
    """What a document's resources are keyed under: its set, so that a new version updates and does not double them.

    The kind of document belongs to it: there are systems that put the same set on all that they write of a patient.
    """
    number = number_of(root.first("setId")) or number_of(root.first("id"))
    return f"{number}|{root.first('code').get('code')}" if number else ""


def is_revision(root: Node) -> bool:
    """Whether the document says that it comes after another one of its set."""
    replaced = any(node.get("typeCode") == "RPLC" for node in root.all("relatedDocument"))
    return replaced or root.first("versionNumber").get("value").strip() not in ("", "0", "1")


def composition_key(chart: Chart) -> str:
    """The set and version, which a re-send keeps; else the document's own number."""
    root = chart.document.root
    series, version = number_of(root.first("setId")), root.first("versionNumber").get("value")
    if series and version:
        return f"{chart.scope}|{version}"
    return f"{chart.scope}|{number_of(root.first('id'))}"


def document(chart: Chart) -> None:
    """Everything the document holds, the Composition first."""
    root = chart.document.root
    link = ("Composition", composition_key(chart))
    chart.add(link, {})
    spot = chart.spot(link)
    patient(root.first("recordTarget", "patientRole"), chart)
    relatives(chart)
    general_practitioners(chart)
    treating(chart)
    stay = encompassing(chart, root.first("componentOf", "encompassingEncounter"))
    elements = _header(chart, root, spot, stay)
    structured = root.first("component", "structuredBody")
    file = root.first("component", "nonXMLBody")
    elements["section"] = sections(chart, structured, spot)
    if file:
        elements["section"] += unstructured(chart, file, elements, spot)
    link_reasons(chart)
    chart.add(link, elements)


def _header(chart: Chart, root: Node, spot: Spot, stay: Link | None) -> Resource:
    code = root.first("code")
    kind = required_concept(code, spot.at("type"), root.first("title"))
    return {
        "language": language(root.first("languageCode"), spot),
        "extension": extensions(chart, root, spot),
        "identifier": identifier(root.first("id"), spot.at("identifier")),
        "status": "final",
        "type": kind,
        "subject": chart.subject(),
        "encounter": chart.link(stay) if stay else {},
        **_date(root.first("effectiveTime"), spot),
        "author": _authors(root, spot),
        "title": _title(root, kind, spot),
        "confidentiality": _confidentiality(root.first("confidentialityCode"), spot),
        "attester": _attesters(root, spot),
        "custodian": organization(_custodian(root), spot.at("custodian")),
        "relatesTo": _related(root, spot),
        "event": event(root, spot),
    }


def _custodian(root: Node) -> Node:
    return root.first("custodian", "assignedCustodian", "representedCustodianOrganization")


def _title(root: Node, kind: Resource, spot: Spot) -> str:
    """The document's own title, else the name of its type."""
    written = spot.text(root.first("title"), "title")
    known = DOCUMENT_TYPES.get(root.first("code").get("code"), {})
    return written or known.get("title") or kind.get("text") or "CDA"


def _date(node: Node, spot: Spot) -> dict[str, Any]:
    written = time(node, spot.at("date"))
    return {"date": written} if written else {"_date": absence(node, spot.at("date")) or absent()}


def _authors(root: Node, spot: Spot) -> list[Resource]:
    found: list[Resource] = []
    for node in root.all("author"):
        one = party(node.first("assignedAuthor"), spot.at("author"))
        if one and one not in found:
            found.append(one)
        time(node.first("time"), spot.at("date"))
    return found or [absent()]


def _confidentiality(node: Node, spot: Spot) -> str:
    if node.get("code") not in _CONFIDENTIALITY:
        return ""
    for name in ("codeSystem", "displayName"):
        spot.attribute(node, name, "confidentiality")
    return spot.attribute(node, "code", "confidentiality")


def _attesters(root: Node, spot: Spot) -> list[Resource]:
    signers = [("legal", node) for node in root.all("legalAuthenticator")]
    signers += [("professional", node) for node in root.all("authenticator")]
    return [_attester(mode, node, spot.at(f"attester[{n}]")) for n, (mode, node) in enumerate(signers)]


def _attester(mode: str, node: Node, spot: Spot) -> Resource:
    spot.attribute(node.first("signatureCode"), "code", "mode")
    return {
        "mode": mode,
        "time": time(node.first("time"), spot.at("time")),
        "party": party(node.first("assignedEntity"), spot.at("party"), PROVIDER | PERSON),
    }


def _related(root: Node, spot: Spot) -> list[Resource]:
    """The documents this one replaces, adds to or was made from, named by their numbers."""
    found: list[Resource] = []
    for node in root.all("relatedDocument"):
        place = spot.at(f"relatesTo[{len(found)}]")
        parent = node.first("parentDocument")
        code = translated("related_document", node.get("typeCode"))
        target = identifier(parent.first("id"), place.at("targetIdentifier")) if code else {}
        if target:
            place.attribute(node, "typeCode", "code")
            found.append({"code": code, "targetIdentifier": target})
    return found
