"""The values of an element in a resource: found, compared with what a profile fixes, with their types.

https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.pattern_x_
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from fhir_gateway.fhir.elements import is_primitive, kind_of, members
from fhir_gateway.fhir.profile.tree import EXTENSION, cast


@dataclass(frozen=True, slots=True)
class Value:
    """A value with its place and the class to read it by; ``item`` is None where only extensions stand.

    ``half`` stands beside a primitive; ``owner`` is the resource that the value lies in, None for the one checked.
    """

    path: str
    kind: str
    item: Any
    half: Any = None
    owner: "Value | None" = None

    @property
    def is_resource(self) -> bool:
        return isinstance(self.item, dict) and "resourceType" in self.item


def below(value: Value, name: str) -> list[Value]:
    """The values of the child ``name`` (``value[x]`` too); those of a primitive in a profile's own spelling as well."""
    if not isinstance(value.item, dict):
        return []
    known = members(value.kind)
    if not name.endswith("[x]"):
        return list(_of_member(value, name, known.get(name, "")))
    stem = name[:-3]
    chosen = [member for member in known if member.startswith(stem) and member[len(stem) :][:1].isupper()]
    return [one for member in chosen for one in _of_member(value, member, known[member])]


def _of_member(value: Value, name: str, kind: str) -> Iterator[Value]:
    item, other = value.item.get(name), value.item.get(f"_{name}")
    path, owner = f"{value.path}.{name}", value if value.is_resource else value.owner
    if isinstance(item, list):
        halves = other if isinstance(other, list) else []
        for place, one in enumerate(item):
            half = halves[place] if place < len(halves) else None
            yield Value(f"{path}[{place}]", kind_of(kind, one), one, half, owner)
    elif item is not None:
        yield Value(path, kind_of(kind, item), item, other, owner)
    elif isinstance(other, dict):
        yield Value(path, kind, None, other, owner)


Resolve = Callable[[Value], Value | None]


def nowhere(_: Value) -> Value | None:
    """Where links lead that are not followed."""
    return None


def at(value: Value, path: str, resolve: Resolve = nowhere) -> list[Value] | None:
    """The values at a discriminator's path; None when the path is of a kind that is not followed."""
    found = [value]
    for step in _steps(path):
        if step == "resolve()":
            found = [one for each in found if (one := resolve(each)) is not None]
        elif "(" not in step:
            found = [one for each in found for one in _either(each, step)]
        elif match := EXTENSION.fullmatch(step):
            inner = [one for each in found for one in below(each, match[1])]
            found = [one for one in inner if isinstance(one.item, dict) and one.item.get("url") == match[2]]
        else:
            return None
    return found


def _steps(path: str) -> list[str]:
    """``extension('http://a.b').value`` → two steps."""
    parts = re.findall(r"(?:[^.(]|\([^)]*\))+", cast(path))
    return [part for part in parts if part != "$this"]


def _either(value: Value, step: str) -> list[Value]:
    return below(value, step) or below(value, f"{step}[x]")


def equals(item: Any, fixed: Any) -> bool:
    """Exactly the same, apart from the order of members."""
    return bool(item == fixed)


def fits(item: Any, pattern: Any) -> bool:
    """All that the pattern says is there; what it does not mention is free."""
    if isinstance(pattern, dict):
        return isinstance(item, dict) and all(name in item and fits(item[name], one) for name, one in pattern.items())
    if isinstance(pattern, list):
        return isinstance(item, list) and all(any(fits(one, wanted) for one in item) for wanted in pattern)
    return bool(item == pattern)


def is_of(value: Value, codes: list[str]) -> bool:
    """Whether the value's class is one of the profile's type codes."""
    own = value.kind
    codes = [code.removeprefix("http://hl7.org/fhir/StructureDefinition/") for code in codes]
    if any(
        code in (own, "Element", "BackboneElement") or code.startswith("http://hl7.org/fhirpath/") for code in codes
    ):
        return True
    return own[:1].isupper() and not is_primitive(own) and bool({"Resource", "DomainResource"} & set(codes))
