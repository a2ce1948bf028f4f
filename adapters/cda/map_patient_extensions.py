"""What Patient has no element for: ethnic group, race, religion, place of birth.

https://hl7.org/fhir/R4/patient-profiles.html
"""

from adapters.cda.chart import Spot
from adapters.cda.datatypes import coding, concept, known_concept
from adapters.cda.demographics import address
from adapters.cda.node import NOTHING, Node
from adapters.contract import Resource

_VN_ETHNICITY = "http://fhir.hl7.org.vn/core/StructureDefinition/vn-ext-ethnicity"
_US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
_RELIGION = "http://hl7.org/fhir/StructureDefinition/patient-religion"
_BIRTH_PLACE = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
_CDC = "2.16.840.1.113883.6.238"
_TOP_CODES = frozenset({"1002-5", "2028-9", "2054-5", "2076-8", "2106-3", "2135-2", "2186-5"})


def extensions(person: Node, spot: Spot) -> list[Resource]:
    """The patient's extensions, each at its own index."""
    found: list[Resource] = []
    for make in (_race, _ethnic_group, _religion, _birth_place):
        one = make(person, spot.at(f"extension[{len(found)}]"))
        if one:
            found.append(one)
    return found


def _race(person: Node, spot: Spot) -> Resource:
    return _american("race", person.all("raceCode") + person.all("sdtc:raceCode"), spot)


def _ethnic_group(person: Node, spot: Spot) -> Resource:
    """The ethnic group in the Vietnamese extension, whatever table of the hospital it comes from."""
    groups = person.all("ethnicGroupCode") + person.all("sdtc:ethnicGroupCode")
    if any(node.get("codeSystem") == _CDC for node in groups):
        return _american("ethnicity", groups, spot)
    group = next((node for node in groups if node.get("code") or node.get("displayName")), NOTHING)
    value = concept(group, spot.at("valueCodeableConcept"))
    return {"url": _VN_ETHNICITY, "valueCodeableConcept": value} if value else {}


def _american(kind: str, codes: list[Node], spot: Spot) -> Resource:
    """US Core's extension, which the C-CDA guide asks for; only for codes of the American census."""
    parts: list[Resource] = []
    labels = []
    for node in codes:
        if node.get("codeSystem") == _CDC and node.get("code"):
            name = "ombCategory" if node.get("code") in _TOP_CODES else "detailed"
            parts.append({"url": name, "valueCoding": coding(node, spot.at(f"extension[{len(parts)}].valueCoding"))})
            labels.append(node.get("displayName") or node.get("code"))
    if not parts:
        return {}
    return {"url": f"{_US_CORE}{kind}", "extension": [*parts, {"url": "text", "valueString": ", ".join(labels)}]}


def _religion(person: Node, spot: Spot) -> Resource:
    value = known_concept(person.first("religiousAffiliationCode"), spot.at("valueCodeableConcept"))
    return {"url": _RELIGION, "valueCodeableConcept": value} if value else {}


def _birth_place(person: Node, spot: Spot) -> Resource:
    place = address(person.first("birthplace", "place", "addr"), spot.at("valueAddress"))
    return {"url": _BIRTH_PLACE, "valueAddress": place} if place else {}
