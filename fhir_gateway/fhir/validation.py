"""The gate: everything that is wrong with a resource, at once, each fault with its FHIRPath.

https://hl7.org/fhir/R4/validation.html

Datatypes, members and codes by JSON Schema (in Rust), then what a schema cannot say: ``shape``, ``invariants``,
``narrative``, ``containment``. A resource inside another is checked by its own type's rules, at its own path.
"""

from collections import ChainMap
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any

import jsonschema_rs

from fhir_gateway.fhir import containment, invariants, narrative, shape, wording
from fhir_gateway.fhir.codec import DEPTH_LIMIT, plain
from fhir_gateway.fhir.containment import Scope
from fhir_gateway.fhir.definitions import R4B_ONLY, resource_types
from fhir_gateway.fhir.elements import nodes
from fhir_gateway.fhir.resource import Resource, is_id
from fhir_gateway.fhir.schema import schema
from fhir_gateway.problem import Invalid, Issue

ISSUE_LIMIT = 200

_RULED = invariants.RULES.keys() | {"Reference", "Narrative"}


def check(resource: Resource) -> None:
    """Raises Invalid with every fault of the resource."""
    if issues := validate(resource):
        rest = f" and {len(issues) - 1} more" if len(issues) > 1 else ""
        raise Invalid(f"{issues[0].text}{rest}", issues[0].where, issues)


def validate(resource: Any) -> tuple[Issue, ...]:
    """Every fault of the resource, at most ``ISSUE_LIMIT``; empty when it is R4."""
    if not isinstance(resource, dict):
        return (Issue("a resource is a JSON object", None, "structure"),)
    if not _is_shallow(resource):
        return (Issue(f"values are nested deeper than {DEPTH_LIMIT}", None, "structure"),)
    found: dict[Issue, None] = {}
    for issue in _faults(_name(resource), resource, ChainMap()):
        found[issue] = None
        if len(found) == ISSUE_LIMIT:
            break
    return tuple(found)


def _faults(path: str, resource: Resource, outer: Scope) -> Iterator[Issue]:
    kind = resource.get("resourceType")
    if not isinstance(kind, str) or kind not in resource_types():
        yield _unknown_type(path, kind)
        return
    schema_issues = _schema_issues(path, kind, resource)
    yield from schema_issues
    if "contained" in resource:
        yield from containment.faults(path, resource)
    scope = containment.scope(resource, outer)
    broken = tuple(issue.where or "" for issue in schema_issues)
    for where, child, element in nodes(path, kind, resource):
        if child == "Resource":
            yield from _faults(where, element, scope)
            continue
        if shape.is_demanding(child, element):
            yield from shape.faults(where, child, element, scope)
        if child in _RULED and not (broken and _is_broken(where, broken)):
            yield from _rule_faults(where, child, element, scope)


def _name(resource: Resource) -> str:
    kind = resource.get("resourceType")
    return kind if isinstance(kind, str) and is_id(kind) else "Resource"


def _unknown_type(path: str, kind: Any) -> Issue:
    if not isinstance(kind, str):
        return Issue("resourceType is required", f"{path}.resourceType", "required")
    where = path if "." in path else "resourceType"
    if kind in R4B_ONLY:
        return Issue(f"{kind} exists in R4B, not in R4", where, "not-supported")
    return Issue("the resourceType is not one of R4", where, "not-supported")


def _schema_issues(path: str, kind: str, resource: Resource) -> list[Issue]:
    try:
        errors = _errors(kind, resource)
    except ValueError:
        # the engine knows Decimal itself, not the codec's kind that remembers its spelling
        errors = _errors(kind, plain(resource))
    return [issue for error in errors for issue in wording.issues(path, kind, error)]


def _errors(kind: str, resource: Resource) -> list[jsonschema_rs.ValidationError]:
    validator = _validator(kind)
    if validator.is_valid(resource):
        return []
    return list(islice(validator.iter_errors(resource), ISSUE_LIMIT))


@cache
def _validator(kind: str) -> jsonschema_rs.Draft4Validator:
    """Compiled when a type is first met: 4 to 15 ms. The regex engine is the one without backtracking."""
    return jsonschema_rs.Draft4Validator(schema(kind), pattern_options=jsonschema_rs.RegexOptions())


def _is_broken(where: str, broken: tuple[str, ...]) -> bool:
    """A fault of datatype lies in the element or around it, so that no rule can trust what it reads."""
    return any(_is_at_or_below(place, where) or _is_at_or_below(where, place) for place in broken)


def _is_at_or_below(place: str, where: str) -> bool:
    return place.startswith(where) and place[len(where) : len(where) + 1] in ("", ".", "[")


def _rule_faults(where: str, kind: str, element: dict[str, Any], scope: Scope) -> Iterator[Issue]:
    yield from invariants.faults(where, kind, element)
    if kind == "Reference":
        yield from _reference_faults(where, element, scope)
    elif kind == "Narrative" and "div" in element and (text := narrative.fault(element["div"])):
        yield Issue(text, f"{where}.div", "invariant")


def _reference_faults(where: str, element: dict[str, Any], scope: Scope) -> Iterator[Issue]:
    target = element.get("reference")
    if not target:
        if not element.keys() & {"identifier", "display", "extension", "_reference"}:
            yield Issue("reference, identifier or display is required", where, "required")
    elif target[0] == "#" and target != "#" and target not in scope:
        yield Issue("no contained resource has this id (ref-1)", f"{where}.reference", "invariant")


def _is_shallow(value: Any, levels: int = DEPTH_LIMIT + 1) -> bool:
    if levels == 0:
        return False
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list) and not _is_shallow(item, levels - 1):
            return False
    return True
