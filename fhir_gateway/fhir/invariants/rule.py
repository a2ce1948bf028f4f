"""A rule of the standard about one element, and the words such rules are written in.

https://hl7.org/fhir/R4/conformance-rules.html#constraints
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

Element = dict[str, Any]

UCUM = "http://unitsofmeasure.org"


@dataclass(frozen=True, slots=True)
class Rule:
    """``key`` is the standard's name of the rule; ``holds`` may trust the datatypes of the element it gets."""

    key: str
    text: str
    holds: Callable[[Element], bool]


def has(element: Element, *names: str) -> bool:
    """Any of the members is there, with a value or with an extension in its place."""
    # A loop, because any() with a generator costs thrice as much, and the gate asks this of every second element.
    for name in names:  # noqa: SIM110
        if name in element or f"_{name}" in element:
            return True
    return False


def chosen(element: Element, name: str) -> Any:
    """The value of a choice element: ``chosen(observation, "value")``; None when absent."""
    for member, value in element.items():
        if name in member and is_choice(member, name):
            return value
    return None


def is_choice(member: str, name: str) -> bool:
    rest = member.removeprefix("_").removeprefix(name)
    return len(rest) < len(member.removeprefix("_")) and rest[:1].isupper()


def listed(element: Element, name: str) -> list[Any]:
    """The objects of a list; empty when absent."""
    return [item for item in element.get(name, []) if item is not None]


def codings(element: Element, name: str) -> Iterator[tuple[str, str]]:
    """(system, code) of each coding of a CodeableConcept member."""
    for coding in element.get(name, {}).get("coding", []):
        yield coding.get("system", ""), coding.get("code", "")


def coded(element: Element, name: str, system: str, *codes: str) -> bool:
    return any(found == (system, code) for found in codings(element, name) for code in codes)


def ordered(first: str | None, second: str | None) -> bool:
    """False only when ``first`` is certainly later; dates of unlike precision are compared as far as both go."""
    if first is None or second is None:
        return True
    if "T" in first and "T" in second:
        return _moment(first) <= _moment(second)
    shared = min(len(first), len(second), len("2026-11-23"))
    return first[:shared] <= second[:shared]


def _moment(text: str) -> datetime:
    # a leap second is a time in FHIR and none in Python
    return datetime.fromisoformat(text.replace(":60", ":59"))


def amounts_ordered(low: Element, high: Element) -> bool:
    """False only when both are of one unit and ``low`` is the larger."""
    same = all(low.get(name) == high.get(name) for name in ("system", "code", "unit"))
    if not same or "value" not in low or "value" not in high:
        return True
    return bool(low["value"] <= high["value"])


def distinct(values: list[Any]) -> bool:
    return len(values) == len(set(values))


def is_whole(value: int | Decimal) -> bool:
    return "." not in str(value)
