"""The value of an observation, in whichever of FHIR's value types the sender's type becomes.

https://hl7.org/fhir/R4/observation-definitions.html#Observation.value_x_
"""

from collections.abc import Callable
from typing import Any

from adapters.cda.chart import Spot
from adapters.cda.datatypes import absence_code, concept, period, system_uri, time, words
from adapters.cda.node import Node
from adapters.cda.quantities import interval, number, quantity, ratio
from adapters.contract import Resource


def value(node: Node, spot: Spot) -> dict[str, Any]:
    """``value[x]`` or the reason it is absent; what cannot be read as its own type is kept as text."""
    if not node:
        return {}
    if node.get("nullFlavor") and not (node.first("originalText") or node.first("translation")):
        return _absent(node, spot)
    kind = node.get("xsi:type").rpartition(":")[2]
    if kind == "ED" and node.get("representation") == "B64":
        # A file: Observation has no value for it, it becomes a Media.
        return {}
    found = _READERS.get(kind, _by_content)(node, spot)
    return found or _as_text(node, spot)


def negated(node: Node, spot: Spot) -> dict[str, Any]:
    """A finding that is stated not to be there, in words only, so that no machine reads it as present."""
    place = spot.at("valueCodeableConcept.text")
    name = place.attribute(node, "displayName") or words(node.first("originalText"), place)
    code = place.attribute(node, "code")
    label = f"{name} ({code})" if name and code else name or code
    if not label:
        return {"dataAbsentReason": _reason("not-performed")}
    place.attribute(node, "codeSystem")
    return {"valueCodeableConcept": {"text": f"negated: {label}"}}


def _absent(node: Node, spot: Spot) -> dict[str, Any]:
    return {"dataAbsentReason": _reason(absence_code(node, spot, "dataAbsentReason.coding[0].code"))}


def _reason(code: str) -> Resource:
    return {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": code}]}


def _by_content(node: Node, spot: Spot) -> dict[str, Any]:
    """A value without a type, judged by what it has."""
    if node.get("code") or node.first("originalText"):
        return _concept(node, spot)
    if node.first("low") or node.first("high"):
        return interval(node, spot, "value")
    return _quantity(node, spot) if node.get("value") else {}


def _as_text(node: Node, spot: Spot) -> dict[str, Any]:
    text = words(node, spot.at("valueString"))
    if text:
        return {"valueString": text}
    raw = spot.attribute(node, "value", "valueString")
    unit = spot.attribute(node, "unit", "valueString") if raw else ""
    return {"valueString": f"{raw} {unit}".strip()} if raw else {}


def _quantity(node: Node, spot: Spot) -> dict[str, Any]:
    """A number; ``<0,3`` keeps its sign as a comparator."""
    comparator = next((sign for sign in ("<=", ">=", "<", ">") if node.get("value").startswith(sign)), "")
    if not comparator:
        amount = quantity(node, spot.at("valueQuantity")) or _in_other_units(node, spot.at("valueQuantity"))
        return {"valueQuantity": amount} if amount else {}
    number_alone = node.get("value").removeprefix(comparator).strip()
    bare = node.altered({**node.attributes, "value": number_alone}, ())
    amount = quantity(bare, spot.at("valueQuantity"))
    return {"valueQuantity": {"comparator": comparator, **amount}} if amount else {}


def _in_other_units(node: Node, spot: Spot) -> Resource:
    """An amount whose unit is not UCUM's, which CDA writes as a translation of a value it does not have."""
    for other in node.all("translation"):
        amount = number(other.get("value"))
        if amount is not None:
            spot.attribute(other, "value", "value")
            named = words(other.first("originalText"), spot.at("unit")) or spot.attribute(other, "displayName", "unit")
            system = system_uri(spot.chart, other.get("codeSystem"))
            code = spot.attribute(other, "code", "code" if system else "unit")
            if not system:
                return {"value": amount, "unit": named or code}
            spot.attribute(other, "codeSystem", "system")
            return {"value": amount, "unit": named or code, "system": system if code else "", "code": code}
    return {}


def _concept(node: Node, spot: Spot) -> dict[str, Any]:
    found = concept(node, spot.at("valueCodeableConcept"))
    return {"valueCodeableConcept": found} if found else {}


def _text(node: Node, spot: Spot) -> dict[str, Any]:
    return _as_text(node, spot)


def _integer(node: Node, spot: Spot) -> dict[str, Any]:
    """A count or score."""
    found = number(node.get("value"))
    if found is None or found != found.to_integral_value() or abs(found) > 2**31 - 1:
        return {}
    return {"valueInteger": int(spot.attribute(node, "value", "valueInteger"))}


def _boolean(node: Node, spot: Spot) -> dict[str, Any]:
    if node.get("value") not in {"true", "false"}:
        return {}
    return {"valueBoolean": spot.attribute(node, "value", "valueBoolean") == "true"}


def _time(node: Node, spot: Spot) -> dict[str, Any]:
    found = time(node, spot.at("valueDateTime"))
    return {"valueDateTime": found} if found else {}


def _period(node: Node, spot: Spot) -> dict[str, Any]:
    found = period(node, spot.at("valuePeriod"))
    return {"valuePeriod": found} if found else _time(node, spot)


def _interval(node: Node, spot: Spot) -> dict[str, Any]:
    return interval(node, spot, "value")


def _ratio(node: Node, spot: Spot) -> dict[str, Any]:
    found = ratio(node, spot.at("valueRatio"))
    return {"valueRatio": found} if found else {}


_READERS: dict[str, Callable[[Node, Spot], dict[str, Any]]] = {
    **dict.fromkeys(("PQ", "REAL", "MO"), _quantity),
    **dict.fromkeys(("CD", "CE", "CV", "CO", "CS"), _concept),
    **dict.fromkeys(("ST", "ED", "SC"), _text),
    **dict.fromkeys(("IVL_PQ", "IVL_REAL", "IVL_INT"), _interval),
    "INT": _integer,
    "BL": _boolean,
    "TS": _time,
    "IVL_TS": _period,
    "RTO": _ratio,
    "RTO_PQ_PQ": _ratio,
}
