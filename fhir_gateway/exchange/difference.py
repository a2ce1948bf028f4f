"""What is different between two versions of a record: element by element, by path, without the values unless asked.

https://hl7.org/fhir/R4/fhirpath.html#simple
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fhir_gateway.exchange.completion import WRITTEN
from fhir_gateway.fhir.resource import Resource

ABSENT = object()


class Kind(StrEnum):
    """What happened to an element."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Edit:
    """One element that is different. ``before`` and ``after`` are values of a record: patient data."""

    reference: str
    path: str
    kind: Kind
    before: Any = None
    after: Any = None


def edits(reference: str, before: Resource | None, after: Resource | None) -> list[Edit]:
    """The leaves that are different; a record that is new or gone is one edit without a path."""
    if before is None or after is None:
        if before is after:
            return []
        kind = Kind.ADDED if before is None else Kind.REMOVED
        return [Edit(reference, "", kind, before, after)]
    return [Edit(reference, *found) for found in _between("", _own(before), _own(after))]


def _own(resource: Resource) -> Resource:
    meta = {name: value for name, value in resource.get("meta", {}).items() if name not in WRITTEN}
    rest = {name: value for name, value in resource.items() if name != "meta"}
    return {**rest, "meta": meta} if meta else rest


def _between(path: str, before: Any, after: Any) -> Iterator[tuple[str, Kind, Any, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in {**before, **after}:
            below = f"{path}.{name}" if path else name
            yield from _between(below, before.get(name, ABSENT), after.get(name, ABSENT))
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            yield from _between(f"{path}[{index}]", _at(before, index), _at(after, index))
    elif before is ABSENT:
        yield path, Kind.ADDED, None, after
    elif after is ABSENT:
        yield path, Kind.REMOVED, before, None
    # 7.2 and 7.20 are equal numbers and different statements.
    elif before != after or str(before) != str(after):
        yield path, Kind.CHANGED, before, after


def _at(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else ABSENT
