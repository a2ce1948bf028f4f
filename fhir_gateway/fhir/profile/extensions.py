"""Extensions whose definition is at hand: whether they stand where it allows, and are as it says.

https://hl7.org/fhir/R4/defining-extensions.html#context
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fhir_gateway.fhir import fhirpath
from fhir_gateway.fhir.elements import members
from fhir_gateway.fhir.expression.items import Item, lineage
from fhir_gateway.fhir.profile.values import Value, below
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import BadRequest, Issue

_INDEX = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class Use:
    """One extension where it stands: ``chain`` is all it lies in, from the resource to the extended element."""

    extension: Value
    chain: tuple[Value, ...]

    @property
    def url(self) -> str:
        return str(self.extension.item.get("url", ""))

    @property
    def element(self) -> Value:
        return self.chain[-1]


def uses(path: str, resource: Resource) -> Iterator[Use]:
    """Every extension in the resource; those of resources inside it have chains of their own."""
    yield from _uses((Value(path, str(resource["resourceType"]), resource),))


def _uses(chain: tuple[Value, ...]) -> Iterator[Use]:
    value = chain[-1]
    lead = () if value.is_resource else chain[:-1]
    for name in ("extension", "modifierExtension"):
        for one in below(_opened(value), name):
            if isinstance(one.item, dict):
                yield Use(one, (*lead, value))
    for name in members(value.kind) if isinstance(value.item, dict) else ("extension",):
        if name.startswith("_"):
            continue
        for one in below(_opened(value), name):
            if isinstance(one.item, dict) or one.half:
                yield from _uses((*lead, value, one))


def _opened(value: Value) -> Value:
    """The value to look for extensions in: a primitive's stand in its other half."""
    if isinstance(value.item, dict):
        return value
    return Value(value.path, "Element", value.half if isinstance(value.half, dict) else {}, None, value.owner)


def local_names(resource: Resource, path: str) -> Iterator[Issue]:
    """An extension of a resource or element is known by an address; only one inside another by a name."""
    for use in uses(path, resource):
        if ":" not in use.url and use.element.kind != "Extension":
            yield Issue("the url of an extension is an absolute address", f"{use.extension.path}.url", "value")


def misplaced(use: Use, definition: Mapping[str, Any]) -> Iterator[Issue]:
    """Whether the definition allows the extension where it stands."""
    contexts = [one for one in definition.get("context") or () if isinstance(one, dict)]
    if contexts and not any(_fits(use, one) for one in contexts):
        allowed = ", ".join(str(one.get("expression")) for one in contexts)
        yield Issue(
            f"the extension {use.url} is not for this place; allowed: {allowed}", use.extension.path, "structure"
        )
    for expression in definition.get("contextInvariant") or ():
        if isinstance(expression, str) and _holds(use, expression) is False:
            text = f"the extension {use.url} is only for where {expression}"
            yield Issue(text, use.extension.path, "structure")


def unnamed(use: Use, known: frozenset[str] | None) -> Iterator[Issue]:
    """The parts of an extension that bear a name which its definition does not give: a name means nothing elsewhere.

    https://hl7.org/fhir/R4/extensibility-definitions.html#Extension.url
    """
    for part in below(use.extension, "extension"):
        url = part.item.get("url") if isinstance(part.item, dict) else None
        if known is not None and isinstance(url, str) and ":" not in url and url not in known:
            yield Issue(f"the extension {use.url} has no part of this name", f"{part.path}.url", "value")


def _fits(use: Use, context: Mapping[str, Any]) -> bool:
    expression = str(context.get("expression", ""))
    match context.get("type"):
        case "element":
            return expression.replace("[x]", "") in _names(use.chain)
        case "extension":
            near = (one.item for one in use.chain[-2:] if one.kind == "Extension")
            return any(isinstance(one, dict) and one.get("url") == expression for one in near)
        case "fhirpath":
            return _is_found(use, expression)
    return True


def _names(chain: tuple[Value, ...]) -> set[str]:
    """All that an element may be called: ``Patient.contact.name``, ``HumanName``, ``Element``."""
    found = {"Element"}
    if {"url", "status"} <= members(chain[-1].kind).keys():
        found |= {"CanonicalResource", "MetadataResource"}
    for value in chain:
        rest = _INDEX.sub("", chain[-1].path[len(value.path) :])
        found |= {f"{kind}{rest}" for kind in lineage(value.kind)}
        found |= {_unchosen(f"{kind}{rest}", chain[-1].kind) for kind in lineage(value.kind)}
    return found


def _unchosen(name: str, kind: str) -> str:
    """``Observation.value`` of ``Observation.valueQuantity``."""
    ending = f"{kind[:1].upper()}{kind[1:]}"
    stem = name.removesuffix(ending)
    return stem if stem != name and stem[-1:].islower() else name


def _is_found(use: Use, expression: str) -> bool:
    root = use.chain[0]
    try:
        found = fhirpath.items(Item(root.item, root.kind), expression, "context")
    except BadRequest:
        return True
    own = use.element.item if use.element.item is not None else use.element.half
    return any(one.value is own or (not isinstance(own, dict) and one.value == own) for one in found)


def _holds(use: Use, expression: str) -> bool | None:
    element, root = use.element, use.chain[0].item
    try:
        return fhirpath.satisfied(Item(element.item, element.kind, element.half), expression, (root, root))
    except BadRequest:
        return None
