"""One quick look at a resource: nearly all are right, and those need no place, no words and no second walk.

https://hl7.org/fhir/R4/validation.html

What each class is to be looked at for is compiled once, and for each set of members that is met. The look may err to
one side only: what it lets pass has no fault that ``shape``, ``invariants`` or ``narrative`` would find; what it does
not is read again by them, for the words.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fhir_gateway.fhir import narrative
from fhir_gateway.fhir.codec import DEPTH_LIMIT
from fhir_gateway.fhir.elements import is_primitive, members
from fhir_gateway.fhir.invariants import RULES
from fhir_gateway.fhir.reference import parse
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.fhir.shape import Shape, code_faults, shape

Element = dict[str, Any]
Scope = Mapping[str, str]

#: Of one class. Our own adapters meet some dozens; a client that shuffles members is only slower.
PLANS_KEPT = 256
#: Elements of an element this deep are as deep as the engine goes; what is cut off too early is only read again.
_DEEPEST = DEPTH_LIMIT - 2


@dataclass(slots=True, eq=False)
class _Class:
    """What to look at in an element of a class: ``plain`` members not at all, ``rows`` of primitives for nulls.

    ``choices`` are the members of which one at most may be there, with how many must; ``targets`` the types that a
    Reference of this place may point to. Elements with the members of a row of ``leaves`` have nothing more to look at.
    """

    plain: frozenset[str] = frozenset()
    rows: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    choices: tuple[tuple[frozenset[str], int], ...] = ()
    codes: tuple[tuple[str, str], ...] = ()
    rules: tuple[Callable[[Element], bool], ...] = ()
    is_reference: bool = False
    targets: frozenset[str] | None = None
    is_read_later: bool = False
    is_resource_inside: bool = False
    below: dict[str, "_Class"] = field(default_factory=dict)
    plans: dict[tuple[str, ...], "_Plan"] = field(default_factory=dict)
    leaves: set[tuple[str, ...]] = field(default_factory=set)


class _Plan(NamedTuple):
    """What is left to look at in elements of a class that have the same members: rows, and members that are objects."""

    rows: tuple[str, ...]
    below: tuple[tuple[str, _Class], ...]


@dataclass(slots=True)
class Glance:
    """What can be judged once the datatypes are known to be right; ``inside`` are resources, with their depth."""

    elements: list[tuple[_Class, Element]] = field(default_factory=list)
    inside: list[tuple[Resource, int]] = field(default_factory=list)

    def is_right(self, scope: Scope) -> bool:
        for cls, element in self.elements:
            if cls.is_reference and not _points_well(element, cls.targets, scope):
                return False
            for holds in cls.rules:
                if not holds(element):
                    return False
            if cls.codes and any(_code_faults(cls, element)):
                return False
        return True


def glance(kind: str, resource: Resource, depth: int) -> Glance | None:
    """What is left to judge of a resource that lies ``depth`` deep; None when the look at its members is not enough."""
    found = Glance()
    return found if _looks_right(_class(kind, None), resource, depth, found) else None


def _looks_right(cls: _Class, element: Element, depth: int, found: Glance) -> bool:
    if cls.is_resource_inside:
        found.inside.append((element, depth))
        return True
    names = tuple(element)
    plan = cls.plans.get(names) or _planned(cls, names)
    if plan is None or depth > _DEEPEST:
        return False
    if cls.is_read_later:
        found.elements.append((cls, element))
    for name in plan.rows:
        value = element[name]
        if type(value) is not list or None in value:
            return False
    for name, child in plan.below:
        value = element[name]
        # A single object counts as deep as one in a list.
        for item in value if type(value) is list else (value,):
            # A call for each of these, which are many, would only find the same.
            if type(item) is dict and tuple(item) in child.leaves:
                continue
            if type(item) is not dict or not _looks_right(child, item, depth + 2, found):
                return False
    return True


def _planned(cls: _Class, names: tuple[str, ...]) -> _Plan | None:
    """The plan for these members, None where they are not right; nothing is kept of those: a client names them."""
    plan = _plan(cls, names)
    if plan is not None and len(cls.plans) < PLANS_KEPT:
        cls.plans[names] = plan
        if not (plan.rows or plan.below or cls.is_read_later):
            cls.leaves.add(names)
    return plan


def _plan(cls: _Class, names: tuple[str, ...]) -> _Plan | None:
    if names == ("id",) or not cls.required.issubset(names):
        return None
    if any(not least <= len(halves.intersection(names)) <= 1 for halves, least in cls.choices):
        return None
    others = [name for name in names if name not in cls.plain]
    rows = tuple(name for name in others if name in cls.rows)
    below = tuple((name, cls.below[name]) for name in others if name in cls.below and name not in cls.rows)
    return _Plan(rows, below) if len(rows) + len(below) == len(others) else None


def _points_well(element: Element, targets: frozenset[str] | None, scope: Scope) -> bool:
    text, found = element.get("reference"), None
    if text:
        found = scope.get(text)
        # What lies in the same Bundle, nearly always, is known well enough.
        if not found or not text.startswith("urn:"):
            target = parse(text)
            if target.form == "unknown" or (found is None and target.form == "contained"):
                return False
            found = found or target.type
    elif "identifier" not in element and "display" not in element:
        return False
    stated = found or element.get("type")
    return targets is None or not stated or stated in targets


def _code_faults(cls: _Class, element: Element) -> Iterator[object]:
    for name, binding in cls.codes:
        if name in element:
            yield from code_faults((None, name, None), binding, element[name])


def _class(kind: str, targets: frozenset[str] | None) -> _Class:
    """The class, known before its members are: an Extension has extensions."""
    found = _CLASSES.get((kind, targets))
    if found is None:
        demands = shape(kind)
        found = _CLASSES[kind, targets] = _compiled(kind, targets, demands)
        found.below.update(_below(kind, demands))
    return found


_CLASSES: dict[tuple[str, frozenset[str] | None], _Class] = {("Resource", None): _Class(is_resource_inside=True)}


def _compiled(kind: str, targets: frozenset[str] | None, demands: Shape) -> _Class:
    rows = frozenset(demands.pairs)
    single = {name for name, child in members(kind).items() if is_primitive(child)} - rows
    codes, rules = tuple(demands.codes.items()), _rules(kind)
    is_reference = kind == "Reference"
    return _Class(
        plain=frozenset(single | {"resourceType"} if demands.is_resource else single),
        rows=rows,
        required=frozenset(demands.required),
        choices=tuple((frozenset(group.halves), int(group.is_required)) for group in demands.choices),
        codes=codes,
        rules=rules,
        is_reference=is_reference,
        targets=targets,
        is_read_later=bool(is_reference or codes or rules),
    )


def _rules(kind: str) -> tuple[Callable[[Element], bool], ...]:
    rules = tuple(rule.holds for rule in RULES.get(kind, ()))
    return (*rules, _is_narrative) if kind == "Narrative" else rules


def _is_narrative(text: Element) -> bool:
    return "div" not in text or narrative.fault(text["div"]) is None


def _below(kind: str, demands: Shape) -> Iterator[tuple[str, _Class]]:
    """The members that are objects; the halves of rows are left out, so that whoever has one is read again."""
    halves = {f"_{name}" for name in demands.pairs}
    for name, child in members(kind).items():
        if not is_primitive(child) and name not in halves:
            yield name, _class(child, demands.targets.get(name))
