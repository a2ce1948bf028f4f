"""The codes of an expansion as the tree that their code system has them in.

https://hl7.org/fhir/R4/valueset-definitions.html#ValueSet.expansion.contains.contains

A code stands below the nearest code above it that is in the expansion too, once, even where it has several parents.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fhir_gateway.terminology.selection import Member
from fhir_gateway.terminology.system import System

DEPTH = 20
"""What lies deeper stands beside each other: what reads an expansion goes down by calling itself."""

Element = dict[str, Any]
_Key = tuple[str, str]


def nested(members: Sequence[Member], items: Sequence[Element], trees: Mapping[str, System]) -> list[Element]:
    """``items``, made of ``members`` one each, those of systems in ``trees`` inside each other."""
    places = {_key(member): item for member, item in zip(members, items, strict=True)}
    uppers = _Uppers(frozenset(places), trees)
    tops: list[Element] = []
    for member, item in zip(members, items, strict=True):
        upper = uppers.of(_key(member))
        below = tops if upper is None else places[upper].setdefault("contains", [])
        below.append(item)
    return tops


def _key(member: Member) -> _Key:
    return member.system, member.concept.code


class _Uppers:
    """Which code each code stands below, None at the top, and how deep; a ring of parents is left where it closes."""

    def __init__(self, there: frozenset[_Key], trees: Mapping[str, System]) -> None:
        self._there, self._trees = there, trees
        self._known: dict[_Key, tuple[_Key | None, int]] = {}

    def of(self, key: _Key) -> _Key | None:
        for one in reversed(self._unknown(key)):
            upper = self._nearest(one)
            above, depth = self._known.get(upper, (None, 0)) if upper else (None, 0)
            if depth == 0:
                upper = None
            elif depth == DEPTH:
                upper, depth = above, depth - 1
            self._known[one] = upper, depth + 1
        return self._known[key][0]

    def _unknown(self, key: _Key) -> list[_Key]:
        """The code and those above it, up to one that is known."""
        found: dict[_Key, None] = {}
        upper: _Key | None = key
        while upper is not None and upper not in self._known and upper not in found:
            found[upper] = None
            upper = self._nearest(upper)
        return [*found]

    def _nearest(self, key: _Key) -> _Key | None:
        system, code = key
        source = self._trees.get(system)
        waiting = [*source.concepts[code].parents] if source and code in source.concepts else []
        seen = {code}
        while source and waiting:
            parent = waiting.pop(0)
            if (system, parent) in self._there and parent != code:
                return system, parent
            if parent not in seen and parent in source.concepts:
                seen.add(parent)
                waiting += source.concepts[parent].parents
        return None
