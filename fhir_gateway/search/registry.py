"""Every search parameter of every R4 type, from the published definitions: what is not here cannot be searched.

https://hl7.org/fhir/R4/searchparameter-registry.html
"""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from fhir_gateway.fhir.definitions import resource_types
from fhir_gateway.search.paths import Path, compile_paths

INDEXED = frozenset({"token", "reference", "date", "string", "uri", "quantity", "number", "special"})
"""Kinds that have a module under ``kinds/``; a composite is made of them."""

NARRATIVE = frozenset({"_text", "_content"})
"""Parameters whose words are looked for in the record's own text, among few records."""

_UNITED = frozenset({"token", "quantity"})
"""Kinds whose questions are put to several keys at once: of references the key itself goes on its way."""

_PARTS = frozenset({"city", "country", "district", "family", "given", "line", "postalCode", "state"})


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of one type. ``key`` names its keys in a record, which another parameter may have made.

    ``part`` then picks among them: the target type of a reference, the contact system, the element of a name.
    ``also`` are further keys, of a parameter whose values are those of several others together.
    ``components`` of a composite are its parts: the parameter's definition, and its expression within the element.
    """

    code: str
    kind: str
    definition: str
    key: str
    part: str = ""
    targets: tuple[str, ...] = ()
    paths: tuple[Path, ...] = ()
    expression: str = ""
    components: tuple[tuple[str, str], ...] = ()
    also: tuple[str, ...] = ()

    @property
    def each(self) -> "tuple[Parameter, ...]":
        """The parameter once for each of its keys."""
        return (self, *(replace(self, key=key, also=()) for key in self.also)) if self.also else (self,)

    @property
    def searchable(self) -> bool:
        return bool(self.components) or self.code in NARRATIVE or self.sortable

    @property
    def sortable(self) -> bool:
        """Whether the record holds a value of it."""
        return bool(self.paths) and self.kind in INDEXED


@cache
def parameters(type_: str) -> Mapping[str, Parameter]:
    """By code, in alphabetical order; empty for an unknown type."""
    if type_ not in resource_types():
        return {}
    found = [_parameter(url, facts, type_) for url, facts in _definitions().items() if _applies(facts, type_)]
    return {one.code: one for one in sorted(_shared(found), key=lambda one: one.code)}


def nearest(type_: str, name: str) -> str | None:
    """The parameter that was probably meant."""
    return next(iter(difflib.get_close_matches(name, [*parameters(type_), *_CONTROLS], 1, 0.5)), None)


_CONTROLS = ("_count", "_sort", "_include", "_revinclude", "_total", "_summary", "_has", "_list", "_type", "_explain")

COMPARTMENTS = ("Patient", "Encounter", "Practitioner", "RelatedPerson", "Device")


@cache
def compartment(type_: str, owner: str = "Patient") -> frozenset[str]:
    """Keys of the reference parameters that put a record of the type into a compartment of an ``owner``."""
    codes = _compartments()[owner].get(type_, ())
    known = parameters(type_)
    return frozenset(known[code].key for code in codes if code in known)


@cache
def compartment_types(owner: str) -> tuple[str, ...]:
    """The types of records that a compartment of this kind holds, its owner's own included."""
    return tuple(sorted({owner, *_compartments()[owner]}))


@cache
def wholes(type_: str) -> str | None:
    """The key of the reference from a part to its whole, of the same type; None where the type has none."""
    known = parameters(type_)
    found = (known[code] for code in ("partof", "part-of") if code in known)
    return next((one.key for one in found if type_ in one.targets), None)


@cache
def _compartments() -> dict[str, dict[str, tuple[str, ...]]]:
    found: dict[str, dict[str, tuple[str, ...]]] = _read("compartments.json")
    return found


def edition() -> str:
    """A mark of the definitions, which changes with them."""
    texts = (files(room).joinpath("definitions", name).read_bytes() for name, room in _FILES)
    return sha256(b"".join(texts)).hexdigest()[:16]


def check() -> int:
    """Compile all of it, as a start does; returns how many parameters can be searched."""
    return sum(one.searchable for type_ in resource_types() for one in parameters(type_).values())


_FILES = (
    ("search-parameters.json", __package__),
    ("compartments.json", __package__),
    ("ucum.csv", "fhir_gateway.fhir"),
)


@cache
def _definitions() -> dict[str, dict[str, Any]]:
    definitions: dict[str, dict[str, Any]] = _read("search-parameters.json")
    return definitions


def definition(url: str) -> Mapping[str, Any] | None:
    """What R4 says of its parameter of that address."""
    return _definitions().get(url)


def _read(name: str) -> Any:
    return json.loads(files(__package__).joinpath("definitions", name).read_text(encoding="utf-8"))


def _applies(facts: Mapping[str, Any], type_: str) -> bool:
    return not {type_, "Resource", "DomainResource"}.isdisjoint(facts.get("base", ()))


def _parameter(url: str, facts: Mapping[str, Any], type_: str) -> Parameter:
    code = facts["code"]
    paths: tuple[Path, ...] = ()
    if facts["type"] in INDEXED and "expression" in facts:
        paths = compile_paths(facts["expression"], type_)
    components = tuple((one["definition"], one["expression"]) for one in facts.get("component", ()))
    kind, expression = facts["type"], facts.get("expression", "")
    return Parameter(code, kind, url, code, "", _targets(facts, paths), paths, expression, components)


def defined(type_: str, definition: str) -> Parameter:
    """The type's parameter with this definition."""
    return next(one for one in parameters(type_).values() if one.definition == definition)


def _targets(facts: Mapping[str, Any], paths: tuple[Path, ...]) -> tuple[str, ...]:
    narrowed = {path.target for path in paths if path.target}
    return tuple(sorted(narrowed or facts.get("target", ())))


def _shared(found: list[Parameter]) -> list[Parameter]:
    """Let a parameter that finds a part of what another finds use the other's keys: a key is paid on every write."""
    makers = {(one.kind, _signature(one)): one for one in reversed(found) if one.paths and not _narrow(one)}
    return [_united(_borrowed(one, makers), found) if one.paths else one for one in found]


def _borrowed(one: Parameter, makers: Mapping[tuple[str, frozenset[str]], Parameter]) -> Parameter:
    maker = makers.get((one.kind, _signature(one)))
    if maker is not None and maker is not one:
        return replace(one, key=maker.key, part=_narrow(one))
    outer, part = _outer(one)
    maker = makers.get((one.kind, frozenset({outer})))
    if one.kind == "string" and part in _PARTS and maker is not None:
        return replace(one, key=maker.key, part=part)
    return one


def _united(one: Parameter, found: list[Parameter]) -> Parameter:
    """A parameter that finds what others find together, and no more, is asked for by their keys."""
    if one.kind not in _UNITED or one.key != one.code or _narrow(one):
        return one
    inside = [each for each in found if each.kind == one.kind and _signature(each) < _signature(one)]
    parts = [each for each in inside if each.paths and not _narrow(each)]
    if not parts or frozenset().union(*map(_signature, parts)) != _signature(one):
        return one
    key, *also = (each.code for each in parts)
    return replace(one, key=key, also=tuple(also))


def _signature(one: Parameter) -> frozenset[str]:
    return frozenset(path.text for path in one.paths)


def _narrow(one: Parameter) -> str:
    """The one target type or contact system that the parameter's paths all ask for."""
    asked = {path.target or path.system or "" for path in one.paths}
    return asked.pop() if len(asked) == 1 else "several" if any(asked) else ""


def _outer(one: Parameter) -> tuple[str, str]:
    text = one.paths[0].text if len(one.paths) == 1 else ""
    outer, _, part = text.rpartition(".name:")
    return outer, part
