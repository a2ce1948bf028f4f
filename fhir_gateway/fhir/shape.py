"""What a class of elements demands beyond its members' types: required ones, one of a choice, fitting references.

https://hl7.org/fhir/R4/conformance-rules.html#cardinality, https://hl7.org/fhir/R4/formats.html#choice
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from typing import Any

from fhir_gateway.fhir.definitions import resource_types, types, valuesets
from fhir_gateway.fhir.elements import Place, choice, is_primitive, members, spelt
from fhir_gateway.fhir.reference import parse
from fhir_gateway.problem import Issue

Element = dict[str, Any]
Targets = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Choice:
    """``value[x]``: the members of which at most one may be there; ``halves`` gives the choice each belongs to."""

    name: str
    halves: Mapping[str, str]
    is_required: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """The demands of one class. ``pairs`` are lists of primitives, ``codes`` bound CodeableConcepts."""

    required: tuple[str, ...]
    choices: tuple[Choice, ...]
    targets: Targets
    codes: Mapping[str, str]
    pairs: tuple[str, ...]
    is_resource: bool


@cache
def shape(kind: str) -> Shape:
    elements = types()[kind]["elements"]
    plain = {name: facts for name, facts in elements.items() if not name.endswith("[x]")}
    return Shape(
        required=tuple(name for name, facts in plain.items() if facts.get("min")),
        choices=tuple(_choice(name, facts) for name, facts in elements.items() if name not in plain),
        targets={member: frozenset(facts["targets"]) for member, facts in _spelled(elements, "targets")},
        codes={
            member: facts["binding"]
            for member, facts in _spelled(elements, "binding")
            if members(kind)[member] == "CodeableConcept" and facts["binding"] in valuesets()
        },
        pairs=tuple(name for name, facts in plain.items() if "max" in facts and is_primitive(members(kind)[name])),
        is_resource=types()[kind]["kind"] == "resource",
    )


def is_demanding(kind: str, element: Element) -> bool:
    """False for most elements, cheaply: their class demands nothing, or does not exist."""
    return not _is_lax(kind) or (len(element) == 1 and "id" in element) or any(map(_is_half, element))


def _is_half(name: str) -> bool:
    return name.startswith("_")


@cache
def _is_lax(kind: str) -> bool:
    demands = shape(kind)
    return not (demands.required or demands.choices or demands.targets or demands.codes or demands.pairs)


def _choice(name: str, facts: Element) -> Choice:
    halves = {choice(name, code): choice(name, code) for code in facts["types"]}
    halves |= {f"_{member}": member for member in halves}
    return Choice(name, halves, bool(facts.get("min")))


def _spelled(elements: Mapping[str, Element], fact: str) -> Iterator[tuple[str, Element]]:
    for name, facts in elements.items():
        if fact not in facts:
            continue
        if not name.endswith("[x]"):
            yield name, facts
        elif fact == "targets":
            yield choice(name, "Reference"), facts


def faults(place: Place, kind: str, element: Element, scope: Mapping[str, str]) -> Iterator[Issue]:
    """What one element, of a class that exists, does against its class's demands; ``scope`` types local links."""
    demands = shape(kind)
    for name in demands.required:
        if name not in element and f"_{name}" not in element:
            yield Issue(f"{name} is required", spelt((place, name, None)), "required")
    for group in demands.choices:
        if group.is_required or not group.halves.keys().isdisjoint(element):
            yield from _choice_faults(place, group, element)
    yield from _member_faults(place, demands, element, scope)
    for name in filter(_is_half, element):
        half = element[name]
        if isinstance(half, dict) and half.keys() == {"id"} and name[1:] not in element:
            text = "an element needs a value or children besides its id (ele-1)"
            yield Issue(text, spelt((place, name[1:], None)), "invariant")
    if len(element) == 1 and "id" in element and kind != "Element" and not demands.is_resource:
        yield Issue("an element needs a value or children besides its id (ele-1)", spelt(place), "invariant")


def _member_faults(place: Place, demands: Shape, element: Element, scope: Mapping[str, str]) -> Iterator[Issue]:
    for name, allowed in demands.targets.items():
        if name in element:
            yield from _target_faults((place, name, None), allowed, element[name], scope)
    for name, binding in demands.codes.items():
        if name in element:
            yield from code_faults((place, name, None), binding, element[name])
    for name in demands.pairs:
        if name in element or f"_{name}" in element:
            yield from _pair_faults((place, name, None), element.get(name), element.get(f"_{name}"))


def _choice_faults(place: Place, group: Choice, element: Element) -> Iterator[Issue]:
    present = group.halves.keys() & element.keys()
    where = (place, group.name[:-3], None)
    if not present:
        if group.is_required:
            yield Issue(f"{group.name} is required", spelt(where), "required")
        return
    if len(present) > 1 and len(chosen := sorted({group.halves[name] for name in present})) > 1:
        yield Issue(f"only one of {', '.join(chosen)} may be present", spelt(where), "structure")


def _listed(place: Place, value: Any) -> list[tuple[Place, Any]]:
    """Each item of a list at its own place; a single value at its member's."""
    if not isinstance(value, list):
        return [(place, value)]
    outer, name, _ = place
    return [((outer, name, position), item) for position, item in enumerate(value)]


def _target_faults(place: Place, allowed: frozenset[str], value: Any, scope: Mapping[str, str]) -> Iterator[Issue]:
    for where, item in _listed(place, value):
        if isinstance(item, dict) and (found := target_type(item, scope)) and found not in allowed:
            yield Issue(f"refers to {found}; allowed: {', '.join(sorted(allowed))}", spelt(where), "structure")


def target_type(element: Element, scope: Mapping[str, str]) -> str:
    """The resource type a Reference points to, empty when neither it nor ``scope`` says."""
    text = element.get("reference")
    found = (scope.get(text) or parse(text).type) if isinstance(text, str) else ""
    stated = element.get("type")
    return found or (stated if isinstance(stated, str) and stated in resource_types() else "")


def code_faults(place: Place, binding: str, concepts: Any) -> Iterator[Issue]:
    allowed = valuesets()[binding]
    for where, concept in _listed(place, concepts):
        if isinstance(concept, dict) and not any(_is_among(allowed, item) for item in _codings(concept)):
            yield Issue(f"no coding is a code of {binding}", spelt(where), "code-invalid")


def _codings(concept: Element) -> list[Any]:
    codings = concept.get("coding")
    return codings if isinstance(codings, list) else []


def _is_among(allowed: Mapping[str, list[str]], coding: Any) -> bool:
    return isinstance(coding, dict) and coding.get("code") in allowed.get(str(coding.get("system")), [])


def _pair_faults(place: Place, values: Any, halves: Any) -> Iterator[Issue]:
    """A null in a list of primitives stands only where ``_name`` has an extension instead, and the other way round."""
    ours, others = (each if isinstance(each, list) else [] for each in (values, halves))
    if None not in ours and len(others) <= len(ours):
        return
    outer, name, _ = place
    for position, pair in enumerate(zip_longest(ours, others)):
        if pair == (None, None):
            yield Issue("null has no extension beside it", spelt((outer, name, position)), "structure")
