"""Supplements: what a code system says of the codes of another one, such as their names in a language.

https://hl7.org/fhir/R4/codesystem.html#supplements

They are used where they are named: by ``useSupplement`` of an operation, or by the extension ``valueset-supplement``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import NotFound, Unprocessable
from fhir_gateway.terminology.library import Edition, Library
from fhir_gateway.terminology.system import Concept, Element, System, read

ASKED = "useSupplement"
EXTENSION = "http://hl7.org/fhir/StructureDefinition/valueset-supplement"


async def editions(library: Library, canonicals: Iterable[str]) -> list[Edition]:
    """The supplements of these addresses. Raises NotFound for one that is not held, Unprocessable for what is none."""
    found = []
    for canonical in canonicals:
        edition = await library.find("CodeSystem", canonical)
        if edition is None:
            raise NotFound("no supplement of this address is held", ASKED)
        if edition.resource.get("content") != "supplement":
            raise Unprocessable("the code system of this address is no supplement", ASKED)
        found.append(edition)
    return found


def named_by(value_set: Resource) -> list[str]:
    """The supplements that a value set itself asks for."""
    listed = (one for one in value_set.get("extension", ()) if one.get("url") == EXTENSION)
    return [str(one["valueCanonical"]) for one in listed if "valueCanonical" in one]


def supplemented(system: System, supplements: Sequence[Edition]) -> System:
    """The system with what those of them say that are about it."""
    for edition in supplements:
        resource = edition.resource
        if _without_version(resource.get("supplements", "")) == system.url:
            system = _joined(system, read(resource), str(resource.get("language", "")))
    return system


def _without_version(canonical: str) -> str:
    return canonical.partition("|")[0]


def _joined(system: System, extra: System, language: str) -> System:
    """A supplement adds no codes and changes none."""
    concepts = {
        code: _richer(concept, said, language) if (said := extra.get(code)) else concept
        for code, concept in system.concepts.items()
    }
    return replace(system, concepts=concepts, declared=system.declared | extra.declared)


def _richer(concept: Concept, said: Concept, language: str) -> Concept:
    own: tuple[Element, ...] = ()
    if said.display and said.display != concept.display:
        own = ({**({"language": language} if language else {}), "value": said.display},)
    return replace(
        concept,
        definition=concept.definition or said.definition,
        designations=(*concept.designations, *own, *said.designations),
        properties=(*concept.properties, *said.properties),
    )
