"""Trims the profiles, extensions, value sets and code systems of HL7's R4 package to what a check by them reads.

https://hl7.org/fhir/R4/profilelist.html, https://hl7.org/fhir/R4/extensibility-registry.html
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

Definition = dict[str, Any]
Definitions = Mapping[str, Mapping[str, Definition]]

FHIR = "http://hl7.org/fhir/"
_LONGEST = 20_000
_DEMANDS = ("id", "path", "sliceName", "min", "max", "maxLength", "slicing")
_VALUES = ("fixed", "pattern", "minValue", "maxValue")


# R4's own definitions put these where their contexts do not say.
_FURTHER = {
    "structuredefinition-fhir-type": "ElementDefinition.type",
    "structuredefinition-normative-version": "Element",
    "regex": "ElementDefinition.type",
}


# Flow rates and modes stand in components too; R4B corrected it.
_LOOSENED = ("http://hl7.org/fhir/StructureDefinition/vitalsigns", "Observation.component.value[x]")


def trimmed_profiles(structures: Mapping[str, Definition]) -> dict[str, Definition]:
    """``{url: profile}`` of all that constrain a type of R4, each with what its differential demands."""
    constraining = (one for one in structures.values() if one.get("derivation") == "constraint")
    return {one["url"]: _profile(one) for one in sorted(constraining, key=lambda one: str(one["url"]))}


def _profile(structure: Definition) -> Definition:
    kept = ("type", "baseDefinition", "context", "contextInvariant")
    elements = [_element(one) for one in structure.get("differential", {}).get("element", ())]
    for one in elements:
        if (structure["url"], one["path"]) == _LOOSENED and "binding" in one:
            one["binding"]["strength"] = "extensible"
    facts = {name: structure[name] for name in kept if name in structure}
    if further := _FURTHER.get(structure["url"].rpartition("/")[2]):
        facts["context"] = [*facts.get("context", ()), {"type": "element", "expression": further}]
    return {
        **facts,
        "differential": {"element": [one for one in elements if len(one) > 1]},
    }


def _element(element: Definition) -> Definition:
    found = {name: element[name] for name in _DEMANDS if name in element}
    if found.get("id") == found["path"]:
        del found["id"]
    if "slicing" in found:
        found["slicing"] = {name: item for name, item in found["slicing"].items() if name != "description"}
    found |= {name: item for name, item in element.items() if name.startswith(_VALUES)}
    if types := [_type(item) for item in element.get("type", ())]:
        found["type"] = types
    binding = element.get("binding", {})
    if binding.get("strength") in ("required", "extensible") and "valueSet" in binding:
        found["binding"] = {name: binding[name] for name in ("strength", "valueSet")}
    kept = ("key", "severity", "expression", "source")
    if rules := [{name: one[name] for name in kept if name in one} for one in element.get("constraint", ())]:
        found["constraint"] = rules
    return found


def _type(item: Definition) -> Definition:
    return {name: item[name] for name in ("code", "profile", "targetProfile") if name in item}


def trimmed_systems(systems: Mapping[str, Definition]) -> dict[str, list[str]]:
    """``{url: codes}`` of the code systems that FHIR itself defines, which no later release may add to."""
    own = (one for url, one in sorted(systems.items()) if url.startswith(FHIR) and _is_whole(one))
    return {one["url"]: list(_codes(one)) for one in own}


def _is_whole(system: Definition) -> bool:
    return system.get("content") == "complete" and bool(system.get("concept"))


def _codes(owner: Definition) -> Iterator[str]:
    for concept in owner.get("concept", ()):
        yield concept["code"]
        yield from _codes(concept)


def trimmed_lists(definitions: Definitions, listed_already: Mapping[str, Any]) -> dict[str, dict[str, list[str]]]:
    """``{url: {system: codes}}`` of the other value sets that R4 lists, code by code or by its own code systems.

    Those that a profile requires in the version of R4 may draw on the code systems of terminology.hl7.org too.
    """
    fixed = set(_required(definitions["StructureDefinition"]))
    others = [url for url in sorted(definitions["ValueSet"]) if url not in listed_already]
    found = {url: _listed(url, definitions, (), "http" if url in fixed else FHIR) for url in others}
    return {url: codes for url, codes in found.items() if codes and len(json.dumps(codes)) < _LONGEST}


def _required(structures: Mapping[str, Definition]) -> Iterator[str]:
    for structure in structures.values():
        for element in structure.get("differential", {}).get("element", ()):
            binding = element.get("binding", {})
            if binding.get("strength") == "required" and str(binding.get("valueSet")).endswith("|4.0.1"):
                yield binding["valueSet"].removesuffix("|4.0.1")


def _listed(url: str, definitions: Definitions, above: tuple[str, ...], owner: str) -> dict[str, list[str]] | None:
    """None when any part of it is open."""
    compose = definitions["ValueSet"].get(url.partition("|")[0], {}).get("compose")
    if compose is None or "exclude" in compose or url in above:
        return None
    found: dict[str, list[str]] = {}
    for include in compose["include"]:
        for part in _parts(include, definitions, (*above, url), owner):
            if part is None:
                return None
            for system, codes in part.items():
                found.setdefault(system, []).extend(codes)
    return found


def _parts(
    include: Definition, definitions: Definitions, above: tuple[str, ...], owner: str
) -> Iterator[dict[str, list[str]] | None]:
    if "filter" in include or ("system" in include and "valueSet" in include):
        yield None
    elif "concept" in include:
        yield {include["system"]: [concept["code"] for concept in include["concept"]]}
    elif "system" in include:
        url, system = include["system"], definitions["CodeSystem"].get(include["system"], {})
        yield {url: list(_codes(system))} if _is_whole(system) and url.startswith(owner) else None
    for url in include.get("valueSet", ()):
        yield _listed(url, definitions, above, owner)
