"""The codes in a resource against the code systems that are held here: that they exist, and are called what is said.

https://hl7.org/fhir/R4/terminologies.html, https://hl7.org/fhir/R4/codesystem.html#supplements
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from fhir_gateway.fhir.elements import nodes, spelt
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import Issue
from fhir_gateway.terminology.library import Library
from fhir_gateway.terminology.system import Concept, System

Element = dict[str, Any]

SYSTEM_LIMIT = 5_000
"""So many code systems are looked up for one resource."""


async def faults(library: Library, path: str, resource: Resource) -> AsyncIterator[Issue]:
    """What the codings of the resource, and of those inside it, do against held code systems."""
    known: dict[tuple[str, str | None], tuple[System | None, str]] = {}
    for place, coding in _codings(path, resource):
        system, version = coding["system"], coding.get("version")
        key = (system, version if isinstance(version, str) else None)
        if key not in known and len(known) < SYSTEM_LIMIT:
            known[key] = await _system(library, *key)
        held, supplemented = known.get(key, (None, ""))
        if supplemented:
            text = f"is a supplement; codes are of the system {supplemented}"
            yield Issue(text, f"{place}.system", "code-invalid")
        elif held is not None:
            for issue in _against(held, coding, place):
                yield issue


def _codings(path: str, resource: Resource) -> Iterator[tuple[str, Element]]:
    waiting = [(path, resource)]
    for where, one in waiting:
        for place, kind, element in nodes((None, where, None), one["resourceType"], one):
            if kind == "Resource":
                waiting.append((spelt(place), element))
            elif kind == "Coding" and isinstance(element.get("system"), str) and isinstance(element.get("code"), str):
                yield spelt(place), element


async def _system(library: Library, url: str, version: str | None) -> tuple[System | None, str]:
    """The system, and what it supplements where it is none of its own."""
    edition = await library.find("CodeSystem", url, version)
    if edition is not None and "supplements" in edition.resource:
        return None, str(edition.resource["supplements"])
    return await library.system(url, version), ""


def _against(system: System, coding: Element, place: str) -> Iterator[Issue]:
    concept = system.get(coding["code"])
    if concept is None:
        if system.complete:
            yield Issue(f"is no code of {system.url}", f"{place}.code", "code-invalid")
    elif isinstance(display := coding.get("display"), str) and not _is_called(concept, display):
        yield Issue(f"the code system {system.url} has other words for this code", f"{place}.display", "invalid")


def _is_called(concept: Concept, display: str) -> bool:
    """By one of its names; of a system that only lists its codes nobody can say."""
    words = {" ".join(word.split()).casefold() for word in concept.words if word}
    return not words - {concept.code.casefold()} or " ".join(display.split()).casefold() in words
