"""The gate: everything that is wrong with a resource, at once, each fault with its FHIRPath.

https://hl7.org/fhir/R4/validation.html

Datatypes, members and codes by JSON Schema (in Rust), then what a schema cannot say: ``shape``, ``invariants``,
``narrative``, ``containment``. A resource inside another is checked by its own type's rules, at its own path. Whether
there is any fault at all is asked first, of ``glance``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

import jsonschema_rs

from fhir_gateway.fhir import containment, narrative, shape, wording
from fhir_gateway.fhir.codec import DEPTH_LIMIT, plain
from fhir_gateway.fhir.containment import Scope
from fhir_gateway.fhir.definitions import R4B_ONLY, resource_types
from fhir_gateway.fhir.elements import Place, nodes, spelt
from fhir_gateway.fhir.glance import glance
from fhir_gateway.fhir.invariants import RULES, broken_rules
from fhir_gateway.fhir.reference import parse
from fhir_gateway.fhir.resource import Resource, is_id
from fhir_gateway.fhir.schema import schema
from fhir_gateway.problem import Invalid, Issue

ISSUE_LIMIT = 200
ELEMENT_LIMIT = 20_000

_NESTED = (dict, list)
_RULED = RULES.keys() | {"Reference", "Narrative"}


def check(resource: Resource) -> None:
    """Raises Invalid with every fault of the resource."""
    if issues := validate(resource):
        rest = f" and {len(issues) - 1} more" if len(issues) > 1 else ""
        raise Invalid(f"{issues[0].text}{rest}", issues[0].where, issues)


def validate(resource: Any) -> tuple[Issue, ...]:
    """Every fault of the resource, at most ``ISSUE_LIMIT``; empty when it is R4."""
    if not isinstance(resource, dict):
        return (Issue("a resource is a JSON object", None, "structure"),)
    return () if _is_right(resource, {}, 1) else read_again(resource)


def read_again(resource: Resource) -> tuple[Issue, ...]:
    """The faults of a resource that a glance did not let pass: with their places and words, none if it is right."""
    if not _is_shallow(resource):
        return (Issue(f"values are nested deeper than {DEPTH_LIMIT}", None, "structure"),)
    found: dict[Issue, None] = {}
    for issue in _faults((None, _name(resource), None), resource, {}):
        found[issue] = None
        if len(found) == ISSUE_LIMIT:
            break
    return tuple(found)


def _is_right(resource: Resource, outer: Scope, depth: int) -> bool:
    """True only when there is no fault. The engine recurses: ``glance`` has refused what is deep where it would."""
    kind = resource.get("resourceType")
    if not isinstance(kind, str) or kind not in resource_types():
        return False
    found = glance(kind, resource, depth)
    if found is None or not _is_valid(kind, resource):
        return False
    if "contained" in resource and any(containment.faults(kind, resource)):
        return False
    scope = containment.scope(resource, outer)
    return found.is_right(scope) and all(_is_right(inner, scope, below) for inner, below in found.inside)


def _faults(place: Place, resource: Resource, outer: Scope) -> Iterator[Issue]:
    path = spelt(place)
    kind = resource.get("resourceType")
    if not isinstance(kind, str) or kind not in resource_types():
        yield _unknown_type(path, kind)
        return
    schema_issues = _schema_issues(path, kind, resource)
    yield from schema_issues
    if "contained" in resource:
        yield from containment.faults(path, resource)
    scope = containment.scope(resource, outer)
    broken = _broken(schema_issues) if schema_issues else None
    for where, child, element in nodes(place, kind, resource):
        if child == "Resource":
            yield from _faults(where, element, scope)
            continue
        if shape.is_demanding(child, element):
            yield from shape.faults(where, child, element, scope)
        if child in _RULED and not (broken and broken.touches(spelt(where))):
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
    """What the schema finds in the first ``ELEMENT_LIMIT`` values: the engine lists a million faults in 28 s."""
    if _is_valid(kind, resource):
        return []
    errors = islice(_validator(kind).iter_errors(_beginning(resource, [ELEMENT_LIMIT])), ISSUE_LIMIT)
    issues = [issue for error in errors for issue in wording.issues(path, kind, error)]
    return issues or [Issue(f"is wrong beyond its first {ELEMENT_LIMIT} values", path, "structure")]


def _is_valid(kind: str, resource: Resource) -> bool:
    """Asks twice before it says no: the engine knows Decimal, not the codec's kind that remembers its spelling."""
    validator = _validator(kind)
    try:
        if validator.is_valid(resource):
            return True
    except ValueError:
        pass
    return _is_shallow(resource) and validator.is_valid(plain(resource))


def _beginning(value: Any, left: list[int]) -> Any:
    """A copy of as many values as are ``left``, no object or list emptied by the cut."""
    left[0] -= 1
    if isinstance(value, dict):
        items = enumerate(value.items())
        return {name: _beginning(item, left) for place, (name, item) in items if place == 0 or left[0] > 0}
    if isinstance(value, list):
        return [_beginning(item, left) for place, item in enumerate(value) if place == 0 or left[0] > 0]
    return plain(value)


@cache
def _validator(kind: str) -> jsonschema_rs.Draft4Validator:
    """Compiled when a type is first met: 4 to 15 ms. The regex engine is the one without backtracking."""
    return jsonschema_rs.Draft4Validator(schema(kind), pattern_options=jsonschema_rs.RegexOptions())


@dataclass(frozen=True, slots=True)
class _Broken:
    """Where datatypes are wrong. No rule can trust what it reads at, above or below such a place."""

    places: frozenset[str]
    around: frozenset[str]

    def touches(self, where: str) -> bool:
        return where in self.around or any(place in self.places for place in _prefixes(where))


def _broken(issues: list[Issue]) -> _Broken:
    places = frozenset(issue.where or "" for issue in issues)
    return _Broken(places, frozenset(prefix for place in places for prefix in _prefixes(place)))


def _prefixes(place: str) -> Iterator[str]:
    """The place and all that it lies in: ``Patient``, ``Patient.name``, ``Patient.name[0]``."""
    yield place
    for position, letter in enumerate(place):
        if letter in ".[":
            yield place[:position]


def _rule_faults(place: Place, kind: str, element: dict[str, Any], scope: Scope) -> list[Issue]:
    if kind == "Reference":
        return _reference_faults(place, element, scope)
    issues = [Issue(f"{rule.text} ({rule.key})", spelt(place), "invariant") for rule in broken_rules(kind, element)]
    if kind == "Narrative" and "div" in element and (text := narrative.fault(element["div"])):
        issues.append(Issue(text, f"{spelt(place)}.div", "invariant"))
    return issues


def _reference_faults(place: Place, element: dict[str, Any], scope: Scope) -> list[Issue]:
    target = element.get("reference")
    if not target:
        if element.keys() & {"identifier", "display", "extension", "_reference"}:
            return []
        return [Issue("reference, identifier or display is required", spelt(place), "required")]
    if target[0] == "#" and target != "#" and target not in scope:
        text = "no contained resource has this id (ref-1)"
        return [Issue(text, f"{spelt(place)}.reference", "invariant")]
    if not target.startswith("urn:") and parse(target).form == "unknown":
        text = "is not Type/id of an R4 type, Type?query, #id, urn:uuid: or an absolute URL"
        return [Issue(text, f"{spelt(place)}.reference", "value")]
    return []


def _is_shallow(value: Any) -> bool:
    """Looks level by level: what is nested deep must not nest our own calls."""
    level = [value]
    for _ in range(DEPTH_LIMIT + 1):
        level = [
            item
            for each in level
            for item in (each.values() if isinstance(each, dict) else each)
            if isinstance(item, _NESTED)
        ]
        if not level:
            return True
    return False
