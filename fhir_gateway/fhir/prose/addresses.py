"""Addresses: definitions are known by absolute ones, and a urn has the form that its kind gives it.

https://hl7.org/fhir/R4/datatypes.html#uri, https://hl7.org/fhir/R4/resource.html#canonical
"""

import re
from collections.abc import Iterator
from functools import cache

from fhir_gateway.fhir.elements import members
from fhir_gateway.fhir.prose.rule import Element, Fault, is_absolute

_KINDS = ("uri", "url", "canonical", "uuid", "oid")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:[#?|].*)?", re.IGNORECASE)
_OID = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*))+(?:[#?|:].*)?")


@cache
def _addressed(kind: str) -> tuple[str, ...]:
    return tuple(name for name, child in members(kind).items() if child in _KINDS)


@cache
def _is_canonical(kind: str) -> bool:
    return "." not in kind and {"url", "status"} <= members(kind).keys() and members(kind)["url"] == "uri"


def wrong(kind: str, element: Element) -> Iterator[Fault]:
    """The addresses in the members of an element that are none."""
    for name in _addressed(kind):
        if name not in element:
            continue
        value = element[name]
        for place, one in enumerate(value) if isinstance(value, list) else ((None, value),):
            if isinstance(one, str) and (text := _fault(one)):
                yield name if place is None else f"{name}[{place}]", text
    if _is_canonical(kind) and not is_absolute(element.get("url")):
        yield "url", "a definition is known by an absolute address"


def _fault(value: str) -> str:
    if value.startswith("urn:uuid:") and not _UUID.fullmatch(value.removeprefix("urn:uuid:")):
        return "a UUID is 8-4-4-4-12 hexadecimal digits"
    if value.startswith("urn:oid:") and not _OID.fullmatch(value.removeprefix("urn:oid:")):
        return "an OID is numbers with dots between them"
    return ""
