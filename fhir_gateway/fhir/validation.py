"""The gate: everything that is wrong with a resource, at once, each fault with its FHIRPath.

https://hl7.org/fhir/R4/validation.html

Datatypes, members and codes by JSON Schema (in Rust), then what a schema cannot say: ``shape``, ``invariants``,
``narrative``, ``containment``. A resource inside another is checked by its own type's rules, at its own path.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema_rs

from fhir_gateway.fhir import containment, invariants, narrative, shape, wording
from fhir_gateway.fhir.codec import DEPTH_LIMIT, plain
from fhir_gateway.fhir.definitions import R4B_ONLY, resource_types, types
from fhir_gateway.fhir.elements import nodes
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.fhir.schema import schema
from fhir_gateway.problem import Invalid, Issue

ISSUE_LIMIT = 200

_NO_IDS: frozenset[str] = frozenset()


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
    found: list[Issue] = []
    for issue in dict.fromkeys(_faults(str(resource.get("resourceType"))[:64], resource, None)):
        found.append(issue)
        if len(found) == ISSUE_LIMIT:
            break
    return tuple(found)


def _faults(path: str, resource: Resource, ids: frozenset[str] | None) -> Iterator[Issue]:
    """``ids`` are those contained in the outermost resource; None when this is the outermost."""
    kind = resource.get("resourceType")
    if not isinstance(kind, str) or kind not in resource_types():
        yield _unknown_type(path, kind)
        return
    schema_issues = list(_schema_issues(path, kind, resource))
    yield from schema_issues
    if "contained" in resource:
        yield from containment.faults(path, resource)
    local = containment.contained_ids(resource) if ids is None else ids
    broken = tuple(issue.where or "" for issue in schema_issues)
    for where, child, element in nodes(path, kind, resource):
        if child == "Resource":
            yield from _faults(where, element, local if _is_contained(where, path) else None)
        elif child in types():
            yield from shape.faults(where, child, element)
            if not broken or not _is_broken(where, broken):
                yield from _rule_faults(where, child, element, local)


def _unknown_type(path: str, kind: Any) -> Issue:
    if not isinstance(kind, str):
        return Issue("resourceType is required", f"{path}.resourceType".removeprefix("None."), "required")
    where = path if "." in path else "resourceType"
    if kind in R4B_ONLY:
        return Issue(f"{kind} exists in R4B, not in R4", where, "not-supported")
    return Issue("the resourceType is not one of R4", where, "not-supported")


def _schema_issues(path: str, kind: str, resource: Resource) -> Iterator[Issue]:
    validator = _validator(kind)
    try:
        if validator.is_valid(resource):
            return
    except ValueError:
        # the engine knows Decimal itself, not the codec's kind that remembers its spelling
        resource = plain(resource)
    for error in validator.iter_errors(resource):
        yield from wording.issues(path, kind, error)


@cache
def _validator(kind: str) -> jsonschema_rs.Draft4Validator:
    """Compiled when a type is first met: 4 to 15 ms. The regex engine is the one without backtracking."""
    return jsonschema_rs.Draft4Validator(schema(kind), pattern_options=jsonschema_rs.RegexOptions())


def _is_contained(where: str, path: str) -> bool:
    return where.startswith(f"{path}.contained[")


def _is_broken(where: str, broken: tuple[str, ...]) -> bool:
    return any(place == where or place.startswith((f"{where}.", f"{where}[")) for place in broken)


def _rule_faults(where: str, kind: str, element: dict[str, Any], local: frozenset[str]) -> Iterator[Issue]:
    yield from invariants.faults(where, kind, element)
    if kind == "Reference":
        yield from _reference_faults(where, element, local)
    elif kind == "Narrative" and "div" in element and (text := narrative.fault(element["div"])):
        yield Issue(text, f"{where}.div", "invariant")


def _reference_faults(where: str, element: dict[str, Any], local: frozenset[str]) -> Iterator[Issue]:
    target = element.get("reference")
    if not target:
        if not element.keys() & {"identifier", "display", "extension", "_reference"}:
            yield Issue("reference, identifier or display is required", where, "required")
    elif target[0] == "#" and target != "#" and target[1:] not in local:
        yield Issue("no contained resource has this id (ref-1)", f"{where}.reference", "invariant")


def _is_shallow(resource: Resource) -> bool:
    """Level by level, so that a value built in memory cannot exhaust the stack either."""
    level: list[Any] = [resource]
    for _ in range(DEPTH_LIMIT + 1):
        level = [item for value in level for item in _within(value) if isinstance(item, dict | list)]
        if not level:
            return True
    return False


def _within(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value
