"""Composite parameters: several values that have to be found in one element together.

https://hl7.org/fhir/R4/search.html#composite

Where the element is the record itself, both values are keys of the record anyway. A repeating element (a component, a
use context) leaves a tuple in the record; parameters with the same element and the same parts share it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from fhir_gateway.fhir.resource import Resource
from fhir_gateway.search.entries import Entries
from fhir_gateway.search.paths import Path, compile_paths
from fhir_gateway.search.registry import Parameter, defined, parameters

_OF_RECORD = "%resource."


@dataclass(frozen=True, slots=True)
class Part:
    """One value of the element. ``parameter`` finds it alone; ``of_record``: ``paths`` begin at the record."""

    parameter: Parameter
    paths: tuple[Path, ...]
    of_record: bool = False

    def values(self, element: Resource, record: Resource) -> Iterator[object]:
        node = record if self.of_record else element
        for path in self.paths:
            for member, child in node.items():
                if path.begins(member):
                    yield from path.values(child)


@dataclass(frozen=True, slots=True)
class Branch:
    """One kind of element of a composite. ``key`` names its tuples; without key the element is the record."""

    key: str
    element: Path | None
    parts: tuple[Part, ...]


@cache
def branches(type_: str, code: str) -> tuple[Branch, ...]:
    """The elements that the composite ``code`` of the type looks at."""
    composite = parameters(type_)[code]
    texts = [text.strip() for text in composite.expression.split("|")]
    own = [text for text in texts if text.partition(".")[0] == type_]
    return tuple(_branch(type_, text, composite) for text in own)


def _branch(type_: str, text: str, composite: Parameter) -> Branch:
    if text == type_:
        return Branch("", None, tuple(_part(type_, *part) for part in _alone(type_, composite).components))
    key = next(one.code for one in _composites(type_) if text in _texts(one) and _same_parts(one, composite))
    element = compile_paths(text, type_)[0]
    parts = [_part(type_, *part) for part in composite.components]
    return Branch(key, element, tuple(_in_place(part, parts, element) for part in parts))


def _in_place(part: Part, parts: list[Part], element: Path) -> Part:
    """The part with the paths that its parameter looks at: R4 has written the two of a relationship crosswise."""
    places = {path.text for path in part.parameter.paths}
    right = (
        one.paths
        for one in (part, *parts)
        if not places.isdisjoint(f"{element.text}.{path.text}" for path in one.paths)
    )
    return replace(part, paths=next(right, part.paths))


def _composites(type_: str) -> list[Parameter]:
    return [one for one in parameters(type_).values() if one.components]


def _texts(one: Parameter) -> list[str]:
    return [text.strip() for text in one.expression.split("|")]


def _same_parts(one: Parameter, other: Parameter) -> bool:
    return [text for _, text in one.components] == [text for _, text in other.components]


def _alone(type_: str, composite: Parameter) -> Parameter:
    """The composite that looks at the record only: its parts' parameters find what is in the record, and no more."""
    same = (one for one in _composites(type_) if _texts(one) == [type_] and _same_parts(one, composite))
    return next(same, composite)


def _part(type_: str, definition: str, expression: str) -> Part:
    parameter = defined(type_, definition)
    of_record = expression.startswith(_OF_RECORD)
    text = expression.removeprefix(_OF_RECORD)
    return Part(parameter, compile_paths(text, type_), of_record)


@cache
def tupled(type_: str) -> tuple[Branch, ...]:
    """The branches of the type that leave tuples, each once."""
    found = {one.key: one for composite in _composites(type_) for one in branches(type_, composite.code) if one.key}
    return tuple(found.values())


def elements(branch: Branch, record: Resource) -> Iterator[Resource]:
    """The elements of the record that the branch looks at."""
    path = branch.element
    if path is None:
        return
    for member, child in record.items():
        if path.begins(member):
            yield from (one for one in path.values(child) if type(one) is dict)


def parts_of(branch: Branch, element: Resource, record: Resource) -> Iterator[tuple[Part, Entries, list[object]]]:
    """For each part an empty place for its entries and the values to put there."""
    for part in branch.parts:
        yield part, Entries(), list(part.values(element, record))
