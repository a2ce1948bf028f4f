"""The bytes of a resource that are signed: the same whoever stored or re-ordered it, every digit kept.

https://hl7.org/fhir/R4/json.html#canonical

As ``http://hl7.org/fhir/canonicalization/json#document``: without the root's id, meta and signature, members sorted
by code point, no white space, UTF-8. Numbers keep their text: RFC 8785 would sign 7.20 as 7.2.
"""

from typing import Any

from fhir_gateway.fhir.codec import encode
from fhir_gateway.fhir.resource import Resource

_UNSIGNED = frozenset({"id", "meta", "signature"})


def canonical(resource: Resource) -> bytes:
    """The canonical bytes of a document Bundle, or of any resource."""
    return encode(_sorted({name: item for name, item in resource.items() if name not in _UNSIGNED}))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value
