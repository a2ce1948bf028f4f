"""A path to an element of a resource as somebody asks it, and what lies there.

https://hl7.org/fhir/R4/fhirpath.html#simple
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_gateway.fhir.definitions import types
from fhir_gateway.fhir.elements import choice, members
from fhir_gateway.problem import BadRequest

_STEP = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\[(\d{1,6})\])?")
_OF_TYPE = re.compile(r"\.ofType\(([A-Za-z]+)\)")


@dataclass(frozen=True, slots=True)
class Step:
    """One element: the JSON members it may be (a choice has several), and which of a list, None for any."""

    names: tuple[str, ...]
    index: int | None = None

    def meets(self, other: "Step") -> bool:
        """Whether both may mean the same element."""
        alike = not set(self.names).isdisjoint(other.names)
        return alike and (self.index is None or other.index is None or self.index == other.index)


def asked(kind: str, path: str) -> tuple[Step, ...]:
    """The steps of ``name[0].family``; a leading type name and ``ofType()`` are understood.

    Raises BadRequest where the resource type has no such element.
    """
    plain = _OF_TYPE.sub(lambda found: found[1][0].upper() + found[1][1:], path.strip()).removeprefix(f"{kind}.")
    steps: list[Step] = []
    for part in plain.split(".") if plain and plain != kind else ():
        found = _STEP.fullmatch(part)
        names = _names(kind, found[1]) if found else ()
        if found is None or not names:
            raise BadRequest(f"there is no element '{part[:60]}' in {kind}; a path is like name[0].family", "path")
        steps.append(Step(names, int(found[2]) if found[2] else None))
        kind = members(kind)[names[0]]
    return tuple(steps)


def _names(kind: str, name: str) -> tuple[str, ...]:
    """The member itself, or those of the choice that is called so."""
    if name in members(kind):
        return (name,)
    facts = types()[kind]["elements"].get(f"{name}[x]", {}) if kind in types() else {}
    return tuple(choice(f"{name}[x]", code) for code in facts.get("types", ()))


def written(path: str) -> tuple[Step, ...]:
    """The steps of a path as a ledger writes it."""
    found = [_STEP.match(part) for part in path.split(".")] if path else []
    return tuple(Step((one[1],), int(one[2]) if one[2] else None) for one in found if one is not None)


def covers(one: Sequence[Step], other: Sequence[Step]) -> bool:
    """Whether one of the two paths leads to the other, or to something below it."""
    return all(step.meets(there) for step, there in zip(one, other, strict=False))


def values(element: Any, steps: Sequence[Step]) -> Iterator[Any]:
    """What lies at the path, each item of a list for itself."""
    if isinstance(element, list):
        for item in element:
            yield from values(item, steps)
    elif not steps:
        yield element
    elif isinstance(element, dict):
        step = steps[0]
        for name in [spelt for member in step.names for spelt in (member, f"_{member}")]:
            here = element.get(name)
            if isinstance(here, list) and step.index is not None:
                here = here[step.index] if step.index < len(here) else None
            if here is not None:
                yield from values(here, steps[1:])
