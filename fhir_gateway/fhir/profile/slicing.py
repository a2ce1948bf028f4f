"""Slices: which of an element's values belongs to which part of a profile.

https://hl7.org/fhir/R4/profiling.html#slicing
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fhir_gateway.fhir.profile.tree import CORE, Node, Trees, is_core, named, profiles
from fhir_gateway.fhir.profile.values import Resolve, Value, at, equals, fits, is_of
from fhir_gateway.fhir.reference import parse
from fhir_gateway.problem import Issue

Holds = Callable[[str | None, str], bool | None]


@dataclass(frozen=True, slots=True)
class Means:
    """What tells slices apart beside the values themselves: value sets, where links lead, what profiles say."""

    value_sets: Mapping[str, Holds]
    resolve: Resolve
    keeps: Callable[[Value, str], bool | None]
    trees: Trees


@dataclass(frozen=True, slots=True)
class Parted:
    """The values by slice. ``unread`` are discriminators that this check cannot follow."""

    slices: Mapping[str, list[Value]]
    rest: list[Value]
    closed: bool
    unread: tuple[str, ...]

    def issues(self, place: str) -> Iterator[Issue]:
        for path in self.unread:
            text = f"slices told apart by {path} were not checked"
            yield Issue(text, place, "not-supported", "information")
        if self.closed and not self.unread:
            for value in self.rest:
                yield Issue("belongs to no slice, and the profile allows no others", value.path, "structure")


def parted(found: list[Value], node: Node, means: Means) -> Parted:
    """Each value in the first slice it fits; slices that cannot be read take none."""
    slicing = node.facts.get("slicing")
    facts = slicing if isinstance(slicing, dict) else {}
    discriminators = [item for item in facts.get("discriminator") or [] if isinstance(item, dict)]
    if not discriminators and "[x]" in node.name:
        discriminators = [{"type": "type", "path": "$this"}]
    if not discriminators and node.name in ("extension", "modifierExtension"):
        discriminators = [{"type": "value", "path": "url"}]
    unread = tuple(str(item.get("path")) for item in discriminators if not _is_read(item))
    unread = unread or tuple(
        f"{item.get('path')} (which {name} does not restrict)"
        for name, one in node.slices.items()
        for item in discriminators[:1]
        if not any(_restricts(one, each, means) for each in discriminators)
    )
    if unread or not discriminators:
        return Parted({}, found, facts.get("rules") == "closed", unread or ("no discriminator",))
    slices: dict[str, list[Value]] = {name: [] for name in node.slices}
    rest: list[Value] = []
    for value in found:
        belongs = (name for name, one in node.slices.items() if _belongs(value, one, discriminators, means))
        name = next(belongs, None)
        (rest if name is None else slices[name]).append(value)
    return Parted(slices, rest, facts.get("rules") == "closed", ())


def _is_read(item: Mapping[str, Any]) -> bool:
    path = str(item.get("path"))
    through = "resolve()" in path.removesuffix("resolve()") or (path.endswith("resolve()") and item["type"] == "value")
    return item.get("type") in _TELL and not through and at(Value("", "", {}), path) is not None


def _belongs(value: Value, node: Node, discriminators: list[Any], means: Means) -> bool:
    telling = [item for item in discriminators if _restricts(node, item, means)]
    return all(_TELL[item["type"]](value, node, str(item["path"]), means) for item in telling)


def _restricts(node: Node, item: Mapping[str, Any], means: Means) -> bool:
    """Whether the slice says anything at the discriminator's path; what it leaves open does not tell it apart."""
    path = _link(str(item.get("path")))
    return path == "url" or node.at(path, means.trees) is not None


def _by_value(value: Value, node: Node, path: str, means: Means) -> bool:
    found = at(value, path, means.resolve) or []
    there = node.at(path, means.trees)
    if path == "url" and (there is None or not there.chosen("fixed")):
        urls = [one.partition("|")[0] for item in node.types for one in profiles(item)]
        return any(one.item in urls for one in found)
    if there is not None and there.maximum == 0:
        return not found
    return there is not None and any(_is_told(one, there, means.value_sets) for one in found)


def _is_told(value: Value, node: Node, value_sets: Mapping[str, Holds]) -> bool:
    """The value is what the slice fixes, has its pattern, or a code of its required value set."""
    if fixed := node.chosen("fixed"):
        return equals(value.item, fixed[1])
    if pattern := node.chosen("pattern"):
        return fits(value.item, pattern[1])
    inner = [child for child in node.children.values() if child.chosen("fixed") or child.chosen("pattern")]
    if inner:
        return all(any(_is_told(one, child, value_sets) for one in at(value, child.name) or []) for child in inner)
    binding = node.facts.get("binding")
    holds = value_sets.get(str(binding.get("valueSet"))) if isinstance(binding, dict) else None
    return holds is not None and any(holds(*code) for code in codings(value))


def _by_type(value: Value, node: Node, path: str, means: Means) -> bool:
    there = node.at(_link(path))
    if there is None:
        return False
    found = at(value, path, means.resolve) or []
    if path.endswith("resolve()"):
        found = found or _stated(at(value, _link(path)) or [])
        wanted = [one for item in there.types for one in named(item, "targetProfile")]
        return any(_keeps(one, each, means) for one in found for each in wanted)
    codes = [item["code"] for item in there.types] or _in_name(there)
    return bool(codes) and any(is_of(one, codes) for one in found)


def _in_name(node: Node) -> list[str]:
    """The type that a slice of a choice has by its name alone: ``valueQuantity`` of ``value[x]``."""
    rest = node.slice.removeprefix(node.name.removesuffix("[x]"))
    return [rest, f"{rest[:1].lower()}{rest[1:]}"] if node.name.endswith("[x]") and rest != node.slice else []


def _by_profile(value: Value, node: Node, path: str, means: Means) -> bool:
    there = node.at(_link(path))
    key = "targetProfile" if path.endswith("resolve()") else "profile"
    wanted = [one for item in there.types for one in named(item, key)] if there else []
    return any(_keeps(one, each, means) for one in at(value, path, means.resolve) or [] for each in wanted)


def _keeps(value: Value, canonical: str, means: Means) -> bool:
    if is_core(canonical):
        return canonical.partition("|")[0].removeprefix(CORE) in (value.kind, "Resource")
    return means.keeps(value, canonical) is True


def _link(path: str) -> str:
    """The path of the element that holds the link."""
    return path.removesuffix("resolve()").removesuffix(".") or "$this"


def _stated(links: list[Value]) -> list[Value]:
    """What a link says of where it leads, where that is not at hand: the type alone."""
    texts = ((one, one.item.get("reference")) for one in links if isinstance(one.item, dict))
    kinds = [(one, parse(text).type) for one, text in texts if isinstance(text, str)]
    return [Value(one.path, kind, None) for one, kind in kinds if kind]


def _by_presence(value: Value, node: Node, path: str, means: Means) -> bool:
    there = node.at(path)
    return there is not None and bool(at(value, path, means.resolve)) == (there.maximum != 0)


_TELL: dict[Any, Callable[[Value, Node, str, Means], bool]] = {
    "value": _by_value,
    "pattern": _by_value,
    "type": _by_type,
    "profile": _by_profile,
    "exists": _by_presence,
}


def codings(value: Value) -> list[tuple[str | None, str]]:
    """The codes that a value states, each with its system; a bare code names none."""
    item = value.item
    if isinstance(item, str):
        return [(None, item)]
    if not isinstance(item, dict):
        return []
    found = item.get("coding") if isinstance(item.get("coding"), list) else [item]
    return [
        (one.get("system"), one["code"])
        for one in found or []
        if isinstance(one, dict) and isinstance(one.get("code"), str)
    ]
