"""Definitions against others that are held: what they are derived from, compose, map and report on.

https://hl7.org/fhir/R4/searchparameter-definitions.html#SearchParameter.derivedFrom,
https://hl7.org/fhir/R4/conceptmap.html, https://hl7.org/fhir/R4/codesystem.html#supplements
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any

from fhir_gateway.fhir.profile.tree import Node, elements
from fhir_gateway.fhir.prose.rule import Element, listed
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import Issue
from fhir_gateway.search import registry
from fhir_gateway.terminology.library import Library
from fhir_gateway.terminology.shelf import codes_of
from fhir_gateway.terminology.system import System

Found = list[tuple[str, str]]


async def faults(library: Library, resource: Resource) -> AsyncIterator[Issue]:
    """What a definition does against those it refers to."""
    kind = resource["resourceType"]
    if kind in _CHECKS:
        for place, text in await _CHECKS[kind](library, resource):
            yield Issue(text, f"{kind}.{place}", "value")


async def _parameter(library: Library, url: Any) -> Mapping[str, Any] | None:
    if not isinstance(url, str):
        return None
    edition = await library.find("SearchParameter", url)
    return edition.resource if edition else registry.definition(url.partition("|")[0])


async def _capabilities(library: Library, statement: Resource) -> Found:
    found: Found = []
    for rest, facts in listed(statement, "rest"):
        for place, resource in listed(facts, "resource"):
            for where, one in listed(resource, "searchParam"):
                known = await _parameter(library, one.get("definition"))
                if known and known.get("type") != one.get("type"):
                    found.append((f"{rest}.{place}.{where}.type", f"by its definition it is of type {known['type']}"))
    return found


async def _search_parameter(library: Library, parameter: Resource) -> Found:
    origin = await _parameter(library, parameter.get("derivedFrom"))
    if origin is None:
        return []
    found: Found = []
    if origin.get("type") != parameter.get("type"):
        found.append(("type", f"what it is derived from is of type {origin.get('type')}"))
    bases = set(origin.get("base", ()))
    if not bases & {"Resource", "DomainResource"} and not set(parameter.get("base", ())) <= bases:
        found.append(("base", f"what it is derived from is for {', '.join(sorted(bases))}"))
    return found


async def _concept_map(library: Library, mapping: Resource) -> Found:
    source = mapping.get("sourceCanonical") or mapping.get("sourceUri")
    holds = (await codes_of(library, [source])).get(source) if isinstance(source, str) else None
    found: Found = []
    for place, group in listed(mapping, "group"):
        for where, one in listed(group, "element"):
            if holds and "code" in one and holds(group.get("source"), one["code"]) is False:
                found.append((f"{place}.{where}.code", "is no code of the source value set"))
    return found


async def _code_system(library: Library, system: Resource) -> Found:
    base = system.get("supplements")
    held = await library.system(base) if isinstance(base, str) else None
    return [
        (where, "the supplemented system has no such code") for where, one in _concepts(system) if _lacks(held, one)
    ]


def _lacks(system: System | None, concept: Element) -> bool:
    return system is not None and system.complete and system.get(str(concept.get("code"))) is None


def _concepts(element: Element, path: str = "") -> Iterator[tuple[str, Element]]:
    for place, one in listed(element, "concept"):
        yield f"{path}{place}.code", one
        yield from _concepts(one, f"{path}{place}.")


async def _value_set(library: Library, value_set: Resource) -> Found:
    found: Found = []
    compose = value_set.get("compose", {})
    for name in ("include", "exclude"):
        for place, part in listed(compose, name):
            found += [(f"compose.{place}.{where}", text) for where, text in await _part(library, part)]
    return found


async def _part(library: Library, part: Element) -> Found:
    url, version = part.get("system"), part.get("version")
    system = await library.system(url, version) if isinstance(url, str) else None
    unknown = [f"{place}.code" for place, one in listed(part, "concept") if _lacks(system, one)]
    found = [(place, "the code system has no such code") for place in unknown]
    for place, one in listed(part, "filter"):
        text = await _filter_fault(library, system, one)
        found += [(f"{place}.value", text)] if text else []
    return found


async def _filter_fault(library: Library, system: System | None, facts: Element) -> str:
    """What is filtered by has to exist: a concept in the system, a Coding (``system#code``) in its own."""
    name, value = facts.get("property"), facts.get("value")
    if (
        system is None
        or not isinstance(value, str)
        or facts.get("op") not in ("=", "is-a", "is-not-a", "descendent-of")
    ):
        return ""
    if name == "concept":
        return "the code system has no such code" if _lacks(system, {"code": value}) else ""
    kinds = {kind for concept in system.concepts.values() for given, kind, _ in concept.properties if given == name}
    other, mark, code = value.partition("#")
    if kinds != {"Coding"} or not mark:
        return ""
    held = await library.system(other.partition("|")[0], other.partition("|")[2] or None)
    return "its code system has no such code" if _lacks(held, {"code": code}) else ""


async def _report(library: Library, report: Resource) -> Found:
    edition = await library.find("Measure", str(report.get("measure", "")))
    if edition is None:
        return []
    known = {code for _, group in listed(edition.resource, "group") for code in _populations(group)}
    return [
        (f"{place}.{where}.code", "the measure has no population of this code")
        for place, group in listed(report, "group")
        for where, one in listed(group, "population")
        if known and _codes(one) and not known & _codes(one)
    ]


async def _structure(library: Library, structure: Resource) -> Found:
    """What a profile fixes, a profile that builds on it cannot fix otherwise; elements are the same by their id."""
    edition = await library.find("StructureDefinition", str(structure.get("baseDefinition", "")))
    if edition is None or structure.get("derivation") != "constraint":
        return []
    fixed = {
        str(one["id"]): found
        for one in elements(edition.resource)
        if "id" in one and (found := Node("", one).chosen("fixed"))
    }
    places = [each for each in listed(structure.get("differential", {}), "element") if "id" in each[1]]
    return [
        (f"differential.{place}", "the profile that this one builds on fixes another value")
        for place, one in places
        if (own := Node("", one).chosen("fixed")) and own != fixed.get(str(one["id"]), own)
    ]


def _populations(group: Element) -> Iterator[tuple[Any, Any]]:
    for _, one in listed(group, "population"):
        yield from _codes(one)


def _codes(element: Element) -> set[tuple[Any, Any]]:
    code = element.get("code")
    return (
        {(one.get("system"), one.get("code")) for _, one in listed(code, "coding")} if isinstance(code, dict) else set()
    )


_CHECKS: dict[str, Callable[[Library, Resource], Awaitable[Found]]] = {
    "CapabilityStatement": _capabilities,
    "CodeSystem": _code_system,
    "ConceptMap": _concept_map,
    "MeasureReport": _report,
    "SearchParameter": _search_parameter,
    "StructureDefinition": _structure,
    "ValueSet": _value_set,
}
