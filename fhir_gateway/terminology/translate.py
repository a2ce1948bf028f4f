"""ConceptMap/$translate: what a code of one system is called in another, by the concept maps that are stored.

https://hl7.org/fhir/R4/conceptmap-operation-translate.html
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fhir_gateway.fhir.parameters import answer, parameter
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.terminology.codes import Coded

Element = dict[str, Any]

KNOWN = frozenset(
    {"url", "conceptMap", "conceptMapVersion", "code", "system", "version", "source", "coding", "codeableConcept",
     "target", "targetsystem", "reverse"}
)  # fmt: skip
LATER = frozenset({"dependency"})

_BACKWARDS = {"wider": "narrower", "narrower": "wider", "subsumes": "specializes", "specializes": "subsumes"}
_NO_MATCH = frozenset({"unmatched", "disjoint"})


@dataclass(frozen=True, slots=True)
class Match:
    """One answer of one map."""

    equivalence: str
    concept: Element
    source: str
    products: tuple[Element, ...] = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """What to translate: any of ``codes``, into ``target`` (a system) where it is said; backwards or not."""

    codes: tuple[Coded, ...]
    target: str = ""
    reverse: bool = False


def translated(maps: list[Resource], wish: Wish) -> Resource:
    """All matches of all maps; ``result`` says whether one of them is a translation."""
    found = [match for one in maps for match in _matches(one, wish)]
    result = any(match.equivalence not in _NO_MATCH for match in found)
    said = [parameter("result", "Boolean", result)]
    if not result:
        text = "no map translates this code" if maps else "there is no concept map for this"
        said.append(parameter("message", "String", text))
    return answer(*said, *(parameter("match", "part", _parts(match)) for match in found))


def _matches(concept_map: Resource, wish: Wish) -> Iterator[Match]:
    for group in concept_map.get("group", ()):
        source, target = group.get("source", ""), group.get("target", "")
        here, there = (target, source) if wish.reverse else (source, target)
        if wish.target and there and there != wish.target:
            continue
        for code in wish.codes:
            if code.system in (None, here):
                yield from _grouped(concept_map, group, code.code, wish.reverse)


def _grouped(concept_map: Resource, group: Element, code: str, reverse: bool) -> Iterator[Match]:
    url = concept_map.get("url", "")
    if reverse:
        yield from _backwards(url, group, code)
        return
    elements = [element for element in group.get("element", ()) if element.get("code") == code]
    for element in elements:
        for target in element.get("target", ()):
            concept = _coding(group.get("target"), group.get("targetVersion"), target)
            yield Match(target["equivalence"], concept, url, tuple(target.get("product", ())))
    if not elements and (match := _unmapped(url, group, code)):
        yield match


def _backwards(url: str, group: Element, code: str) -> Iterator[Match]:
    for element in group.get("element", ()):
        for target in element.get("target", ()):
            if target.get("code") == code:
                equivalence = _BACKWARDS.get(target["equivalence"], target["equivalence"])
                yield Match(equivalence, _coding(group.get("source"), group.get("sourceVersion"), element), url)


def _unmapped(url: str, group: Element, code: str) -> Match | None:
    """What the map says of codes that it does not list."""
    rule = group.get("unmapped", {})
    if rule.get("mode") == "provided":
        return Match("equal", _coding(group.get("target"), None, {"code": code}), url)
    if rule.get("mode") == "fixed" and "code" in rule:
        return Match("inexact", _coding(group.get("target"), None, rule), url)
    return None


def _coding(system: str | None, version: str | None, item: Element) -> Element:
    coding = {"system": system, "version": version, "code": item.get("code"), "display": item.get("display")}
    return {name: value for name, value in coding.items() if value}


def _parts(match: Match) -> list[Element]:
    parts = [parameter("equivalence", "Code", match.equivalence)]
    if match.concept.get("code"):
        parts.append(parameter("concept", "Coding", match.concept))
    for product in match.products:
        concept = {"system": product.get("system"), "code": product.get("value"), "display": product.get("display")}
        coding = {name: value for name, value in concept.items() if value}
        inner = [parameter("element", "Uri", product["property"]), parameter("concept", "Coding", coding)]
        parts.append(parameter("product", "part", inner))
    return [*parts, parameter("source", "Uri", match.source)] if match.source else parts
