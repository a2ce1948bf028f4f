"""Resources that lie inside others: their keys stand among those of the container, behind the way that leads to them.

https://hl7.org/fhir/R4/search.html#contained

The way is the reference parameter of the container that points at the contained resource, so that a chain asks these
keys directly: ``medication>Medication>code:...``. One that no parameter points at has the empty way. Only a record
that contains others pays for it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from fhir_gateway.fhir.resource import Resource
from fhir_gateway.search.criteria import UNIT, Choice, Condition, prefixed
from fhir_gateway.search.entries import Entries

NO_WAY = ""
MOST_KEYS = 20_000
"""That the contained resources of a record may give each other by referring to each other."""
_STEP = ">"


def prefix(way: str, type_: str) -> str:
    """What the keys of a contained resource of the type begin with."""
    return f"{way}{_STEP}{type_}{_STEP}"


def held(way: str, type_: str) -> Choice:
    """The way leads to a contained resource of the type."""
    return Choice(f"{_STEP}:{type_}{UNIT}{way}")


def anywhere(type_: str) -> Choice:
    """Any way leads to a contained resource of the type."""
    return Choice(*prefixed(_STEP, type_ + UNIT))


def within(condition: Condition, start: str) -> Iterator[Choice]:
    """The choices of a condition, asked of what is contained behind a prefix."""
    for one in condition.choices:
        span = one.span and replace(one.span, key=start + one.span.key)
        yield replace(one.behind(start), span=span)


def contained(resource: Resource) -> dict[str, Resource]:
    """By the reference that the container knows it by."""
    found = (one for one in resource.get("contained", ()) if isinstance(one, dict))
    return {f"#{one['id']}": one for one in found if "id" in one and "resourceType" in one}


def pointing(value: Any) -> str:
    """Where a Reference, a canonical or a uri points, if that is inside of its own resource."""
    text = value.get("reference") if isinstance(value, dict) else value
    return text if isinstance(text, str) and text.startswith("#") else ""


def add(entries: Entries, way: str, type_: str, inner: Mapping[str, Any]) -> None:
    """What a contained resource is found by, to what its container is found by."""
    start = prefix(way, type_)
    entries.keys[held(way, type_).start] = None
    entries.keys.update((start + key, None) for key in inner["keys"])
    for key, spans in inner.get("spans", {}).items():
        entries.spans.setdefault(start + key, []).extend(spans)
