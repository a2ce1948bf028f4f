"""JSON Merge Patch: an object like the resource, with what shall be new, and null for what shall go.

https://www.rfc-editor.org/rfc/rfc7396
"""

from collections.abc import Callable
from typing import Any

from fhir_gateway.fhir.codec import decode
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import BadRequest


def read(body: bytes) -> Callable[[Resource], Resource]:
    """What the patch does to a resource: objects are merged, lists replaced whole. BadRequest when it is no object."""
    wanted = decode(body)
    if not isinstance(wanted, dict):
        raise BadRequest("a JSON Merge Patch is an object", "patch")
    return lambda resource: _merged(resource, wanted)


def _merged(target: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    before = target if isinstance(target, dict) else {}
    kept = {name: value for name, value in before.items() if name not in wanted}
    new = {
        name: _merged(before.get(name), value) if isinstance(value, dict) else value
        for name, value in wanted.items()
        if value is not None
    }
    return {**{name: new[name] if name in new else kept[name] for name in before if name in new or name in kept}, **new}
