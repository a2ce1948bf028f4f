"""Parts of a resource for whoever asks for less: ``_summary`` and ``_elements``, marked as SUBSETTED.

https://hl7.org/fhir/R4/search.html#summary
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

from fhir_gateway.fhir.definitions import resource_types, types
from fhir_gateway.fhir.elements import choice, kind_of, members
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import BadRequest, Unprocessable

SUMMARIES = ("true", "false", "text", "data", "count")
TAG = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}

# What a reader must not miss: it changes the meaning of all the rest.
_ALWAYS = frozenset({"resourceType", "id", "meta", "implicitRules", "modifierExtension"})


@dataclass(frozen=True, slots=True)
class Subset:
    """What is kept. ``elements`` are names by type, those under the empty type for every type."""

    summary: str = "false"
    elements: Mapping[str, frozenset[str]] | None = None

    @property
    def is_whole(self) -> bool:
        return self.summary in ("false", "count") and self.elements is None

    def of(self, resource: Resource) -> Resource:
        """The part of the resource that is kept, tagged; the resource itself where no part is asked for."""
        if self.is_whole or resource["resourceType"] not in types():
            return resource
        if self.elements is not None and not self._names(resource):
            return resource
        return _tagged(self._kept(resource))

    def beside(self) -> "Subset":
        """What is kept of resources that come along with those that were asked for: no name is meant for any type."""
        if self.elements is None:
            return self
        return Subset(self.summary, {type_: names for type_, names in self.elements.items() if type_} or None)

    def _names(self, resource: Resource) -> frozenset[str]:
        assert self.elements is not None
        return self.elements.get("", frozenset()) | self.elements.get(resource["resourceType"], frozenset())

    def _kept(self, resource: Resource) -> Resource:
        kind = resource["resourceType"]
        if self.elements is not None:
            resource = _only(resource, _spelled(kind, self._names(resource)) | _required(kind))
        return _CUTS[self.summary](resource)


WHOLE = Subset()


def wanted(pairs: Sequence[tuple[str, str]], type_: str | None) -> Subset:
    """The subset that ``_summary`` and ``_elements`` among the arguments ask for, of resources of ``type_``."""
    summary, elements = "false", None
    for name, value in pairs:
        if name == "_summary":
            summary = _summary(value)
        elif name == "_elements":
            elements = _elements(value, type_)
    return Subset(summary, elements)


def _summary(value: str) -> str:
    if value not in SUMMARIES:
        raise BadRequest(f"_summary is one of {', '.join(SUMMARIES)}", "_summary")
    return value


def _elements(value: str, type_: str | None) -> Mapping[str, frozenset[str]] | None:
    if not value.strip(" ,"):
        raise BadRequest("_elements names no element", "_elements")
    found: dict[str, set[str]] = {}
    for name in filter(None, (part.strip() for part in value.split(","))):
        owner, dot, element = name.rpartition(".")
        if dot and owner not in resource_types():
            raise BadRequest("an element is named as itself or as Type.element", "_elements")
        _must_exist(owner or type_, element)
        found.setdefault(owner, set()).add(element)
    return {owner: frozenset(names) for owner, names in found.items()} or None


def _must_exist(type_: str | None, element: str) -> None:
    if type_ is None:
        return
    known = {name.removesuffix("[x]") for name in types()[type_]["elements"]} | members(type_).keys()
    if element not in known:
        nearest = get_close_matches(element, known, 1)
        hint = f"; did you mean {nearest[0]}?" if nearest else ""
        raise BadRequest(f"{type_} has no element of this name{hint}", "_elements")


def must_be_whole(resource: Resource) -> None:
    """Raises Unprocessable for a part of a resource: written back, it would delete all the rest."""
    meta = resource.get("meta")
    tags = meta.get("tag") if isinstance(meta, dict) else None
    for place, tag in enumerate(tags if isinstance(tags, list) else []):
        if isinstance(tag, dict) and tag.get("code") == TAG["code"] and tag.get("system") == TAG["system"]:
            raise Unprocessable("a part of a resource (SUBSETTED) cannot replace the whole", f"meta.tag[{place}]")


def _tagged(resource: Resource) -> Resource:
    meta = resource.get("meta", {})
    tags = [tag for tag in meta.get("tag", []) if tag.get("code") != TAG["code"]]
    rest = {name: item for name, item in resource.items() if name not in ("resourceType", "id", "meta")}
    first: Resource = {name: resource[name] for name in ("resourceType", "id") if name in resource}
    return {**first, "meta": {**meta, "tag": [*tags, TAG]}, **rest}


def _only(element: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: item for name, item in element.items() if name.removeprefix("_") in names}


@cache
def _required(kind: str) -> frozenset[str]:
    """The members a class must have, and those that are always shown."""
    demanded = frozenset(name for name, facts in types()[kind]["elements"].items() if facts.get("min"))
    return _spelled(kind, demanded) | _ALWAYS


def _spelled(kind: str, names: frozenset[str]) -> frozenset[str]:
    """JSON members of elements: ``value`` and ``value[x]`` give all the choices of value."""
    elements = types()[kind]["elements"]
    found = set(names)
    for name in names:
        facts = elements.get(name if name.endswith("[x]") else f"{name}[x]")
        if facts is not None:
            found |= {choice(f"{name.removesuffix('[x]')}[x]", code) for code in facts["types"]}
    return frozenset(found)


def _summarised(resource: Resource) -> Resource:
    """``_summary=true``: the elements that the definitions mark, in each class down the tree."""
    return _marked(resource["resourceType"], resource)


def _marked(kind: str, element: dict[str, Any]) -> dict[str, Any]:
    if kind not in types() or kind == "Extension":
        return element
    names, known = _summary_members(kind), members(kind)
    kept = {name: item for name, item in element.items() if name in names or name in _ALWAYS}
    found = {name: _below(known.get(name, ""), item) for name, item in kept.items()}
    return {name: item for name, item in found.items() if item not in ({}, [])}


def _below(kind: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_below(kind, item) for item in value]
    return _marked(kind_of(kind, value), value) if isinstance(value, dict) and kind != "Element" else value


@cache
def _summary_members(kind: str) -> frozenset[str]:
    """The marked members with their halves, and required ones: without them the rest would not be valid."""
    marked = frozenset(name for name, facts in types()[kind]["elements"].items() if facts.get("summary"))
    spelled = _spelled(kind, marked) | _required(kind)
    return spelled | {f"_{name}" for name in spelled}


def _text(resource: Resource) -> Resource:
    """``_summary=text``: the narrative and what every resource of the type must have."""
    return _only(resource, _required(resource["resourceType"]) | {"text"})


def _without_text(resource: Resource) -> Resource:
    return {name: item for name, item in resource.items() if name != "text"}


_CUTS: Mapping[str, Callable[[Resource], Resource]] = {
    "true": _summarised,
    "false": lambda resource: resource,
    "count": lambda resource: resource,
    "text": _text,
    "data": _without_text,
}
