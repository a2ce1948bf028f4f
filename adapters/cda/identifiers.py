"""Instance identifiers (root and extension) as FHIR identifiers of the systems the hospital's file names.

https://hl7.org/fhir/R4/datatypes.html#Identifier
"""

import re

from adapters.cda.chart import Chart, Spot, listed
from adapters.cda.datatypes import root_uri, system_uri
from adapters.cda.node import Node
from adapters.cda.tables import IDENTIFIER_TYPES
from adapters.contract import Resource

TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"

ABSENT_ID = "names a number that the sender states it does not have"

_CITIZEN, _FORMER_CITIZEN, _INSURED = re.compile("[0-9]{12}"), re.compile("[0-9]{9}"), re.compile("[0-9]{10}")
_PERSONAL = frozenset({"cccd", "cmnd", "passport"})
_INSURANCE = frozenset({"bhyt", "bhxh"})


def key_of(chart: Chart, node: Node) -> str:
    """Which of the hospital's identifier systems this is (``mrn``, ``cccd`` ...); empty when none.

    Senders put every kind of citizen number under one root, so its shape decides, not the root.
    """
    local = chart.hospital.codes.get("oid", {}).get(node.get("root"))
    key = local.code if local is not None else ""
    value = node.get("extension")
    if key in _PERSONAL:
        return _personal(value)
    if key in _INSURANCE:
        return "bhxh" if _INSURED.fullmatch(value) else "bhyt"
    return key


def _personal(value: str) -> str:
    if _CITIZEN.fullmatch(value):
        return "cccd"
    return "cmnd" if _FORMER_CITIZEN.fullmatch(value) else "passport"


def identifier(node: Node, spot: Spot) -> Resource:
    """One identifier; a root alone is its own value, and one with a reason for being absent has none."""
    root = node.get("root")
    if node.get("nullFlavor"):
        if root and "root" in node.lines:
            node.lines["root"].ignore(ABSENT_ID)
        return {}
    extension = spot.attribute(node, "extension", "value")
    if not extension:
        spot.attribute(node, "root", "value")
        uri = root_uri(root)
        # A root that the standard does not know is still the sender's own number.
        return {"system": "urn:ietf:rfc:3986", "value": uri} if uri else {"value": root} if root else {}
    key = key_of(spot.chart, node)
    system = spot.chart.hospital.systems.get(key) or system_uri(spot.chart, root)
    if system:
        spot.attribute(node, "root", "system")
    found = {**_type(key), "system": system, "value": extension} if system else {**_type(key), "value": extension}
    if "assigningAuthorityName" in node.attributes:
        found["assigner"] = {"display": spot.attribute(node, "assigningAuthorityName", "assigner.display")}
    return found


def identifiers(nodes: list[Node], spot: Spot, known: list[Resource] | None = None) -> list[Resource]:
    """All identifiers that have a value, each at its own index."""
    return listed(nodes, (spot, "identifier"), identifier, known or [])


def number_of(node: Node) -> str:
    """An id as one string that tells it from all others; empty when it names nothing."""
    said = node.attributes
    if "nullFlavor" in said:
        return ""
    root = said.get("root", "")
    return f"{root}^{said['extension']}" if "extension" in said else root


def _type(key: str) -> Resource:
    kind = IDENTIFIER_TYPES.get(key)
    if kind is None:
        return {}
    return {"use": kind.use, "type": {"coding": [{"system": TYPES, "code": kind.code, "display": kind.display}]}}
