"""What an observation found: value, interpretation, reference ranges; of a whole observation or one component.

https://hl7.org/fhir/R4/observation-definitions.html#Observation.component
"""

from typing import Any

from adapters.cda.chart import Spot
from adapters.cda.datatypes import concept, filled, required_concept, words
from adapters.cda.facts import is_negated
from adapters.cda.node import Node
from adapters.cda.quantities import range_
from adapters.cda.values import negated, value
from adapters.contract import Resource


def finding(statement: Node, spot: Spot) -> dict[str, Any]:
    """The value; several values, which FHIR has no room for, become components of the same code."""
    values = statement.all("value")
    found = _value(statement, spot)
    if len(values) > 1 and statement.get("negationInd") != "true":
        code = _plain_code(statement.first("code"))
        more = (value(node, spot.at(f"component[{n}]")) for n, node in enumerate(values[1:]))
        found["component"] = [{"code": code, **one} for one in more]
    return {**found, **_judged(statement, spot)}


def reading(statement: Node, spot: Spot) -> Resource:
    """One component: its code and what was found."""
    code = required_concept(statement.first("code"), spot.at("code"), statement.first("text"))
    return filled({"code": code, **_value(statement, spot), **_judged(statement, spot)})


def _value(statement: Node, spot: Spot) -> dict[str, Any]:
    first = statement.first("value")
    if statement.get("negationInd") != "true":
        is_negated(statement, spot, "value")
        return value(first, spot)
    found = negated(first, spot)
    is_negated(statement, spot, next(iter(found)))
    return found


def _judged(statement: Node, spot: Spot) -> dict[str, Any]:
    return {
        "interpretation": _interpretations(statement, spot),
        "referenceRange": _reference_ranges(statement, spot),
    }


def _plain_code(node: Node) -> Resource:
    return {"text": node.get("displayName") or node.get("code") or "value"}


def _interpretations(statement: Node, spot: Spot) -> list[Resource]:
    codes = [node for node in statement.all("interpretationCode") if node.get("code") or node.first("originalText")]
    return [concept(node, spot.at(f"interpretation[{n}]")) for n, node in enumerate(codes)]


def _reference_ranges(statement: Node, spot: Spot) -> list[Resource]:
    found: list[Resource] = []
    for relation in statement.all("referenceRange"):
        one = _reference_range(relation.first("observationRange"), spot.at(f"referenceRange[{len(found)}]"))
        found += [one] if one else []
    return found


def _reference_range(node: Node, spot: Spot) -> Resource:
    """Low and high, or words: FHIR wants one of the three."""
    limits = range_(node.first("value"), spot)
    text = words(node.first("text"), spot.at("text")) or spot.text(node.first("value"), "text")
    found: Resource = {**limits, **({"text": text} if text else {})}
    kind = concept(node.first("interpretationCode"), spot.at("type")) if found else {}
    return {**found, **({"type": kind} if kind else {})}
