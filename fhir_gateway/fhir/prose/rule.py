"""The form of a demand: what an element does against it, each fault with its place below the element and its words.

https://hl7.org/fhir/R4/conformance-rules.html
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

Element = dict[str, Any]
Fault = tuple[str, str]
Demand = Callable[[Element], Iterable[Fault]]


def listed(element: Element, name: str) -> Iterator[tuple[str, Element]]:
    """Each object of a list with its place: ``item[0]``."""
    found = element.get(name)
    for place, one in enumerate(found if isinstance(found, list) else ()):
        if isinstance(one, dict):
            yield f"{name}[{place}]", one


def is_absolute(address: Any) -> bool:
    """Whether a text is an address by itself; where there is no text nothing is wrong with it."""
    return not isinstance(address, str) or ":" in address
