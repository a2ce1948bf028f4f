"""JSON Patch: a list of add, remove, replace, move, copy and test, done in order or not at all.

https://www.rfc-editor.org/rfc/rfc6902
"""

from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal
from typing import Any

from fhir_gateway.fhir.codec import decode, encode
from fhir_gateway.fhir.patch import pointer
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import BadRequest, TooLarge, Unprocessable

OPERATION_LIMIT = 1000
# Values copied into themselves grow like the grains on the chessboard.
COPY_LIMIT_BYTES = 64 * 1024
DEPTH_LIMIT = 64

_Operation = dict[str, Any]


def read(body: bytes) -> Callable[[Resource], Resource]:
    """What the patch does to a resource. Malformed or BadRequest when it is no JSON Patch."""
    operations = decode(body)
    if not isinstance(operations, list):
        raise BadRequest("a JSON Patch is a list of operations", "patch")
    if len(operations) > OPERATION_LIMIT:
        raise TooLarge(f"a patch may have {OPERATION_LIMIT} operations", "patch")
    for place, operation in enumerate(operations):
        _must_be_whole(operation, f"patch[{place}]")
    return lambda resource: _patched(resource, operations)


def _patched(resource: Resource, operations: list[_Operation]) -> Resource:
    patched: Any = deepcopy(resource)
    for place, operation in enumerate(operations):
        patched = _OPERATIONS[operation["op"]](patched, operation, f"patch[{place}]")
    if not isinstance(patched, dict):
        raise Unprocessable("a patched resource is a JSON object", "patch")
    return patched


def _must_be_whole(operation: Any, where: str) -> None:
    if not isinstance(operation, dict) or operation.get("op") not in _OPERATIONS:
        raise BadRequest(f"an operation has an op: {', '.join(_OPERATIONS)}", f"{where}.op")
    pointer.parse(operation.get("path"), f"{where}.path")
    if operation["op"] in ("add", "replace", "test") and "value" not in operation:
        raise BadRequest("the operation has no value", f"{where}.value")
    if operation["op"] in ("move", "copy"):
        pointer.parse(operation.get("from"), f"{where}.from")


def _add(document: Any, operation: _Operation, where: str) -> Any:
    return _put(document, pointer.parse(operation["path"], where), deepcopy(operation["value"]), f"{where}.path")


def _put(document: Any, steps: tuple[str, ...], value: Any, where: str) -> Any:
    if not steps:
        return value
    container = pointer.find(document, steps[:-1], where)
    if isinstance(container, list):
        container.insert(pointer.slot(container, steps[-1], where), value)
    elif isinstance(container, dict):
        container[steps[-1]] = value
    else:
        raise Unprocessable("there is neither an object nor a list at this place", where)
    return document


def _remove(document: Any, operation: _Operation, where: str) -> Any:
    _take(document, pointer.parse(operation["path"], where), f"{where}.path")
    return document


def _take(document: Any, steps: tuple[str, ...], where: str) -> Any:
    if not steps:
        raise Unprocessable("the resource itself is removed by DELETE", where)
    container = pointer.find(document, steps[:-1], where)
    key = pointer.key(container, steps[-1], where)
    return container.pop(key)


def _replace(document: Any, operation: _Operation, where: str) -> Any:
    steps = pointer.parse(operation["path"], where)
    if not steps:
        return deepcopy(operation["value"])
    container = pointer.find(document, steps[:-1], f"{where}.path")
    container[pointer.key(container, steps[-1], f"{where}.path")] = deepcopy(operation["value"])
    return document


def _move(document: Any, operation: _Operation, where: str) -> Any:
    source, target = (pointer.parse(operation[name], where) for name in ("from", "path"))
    if target[: len(source)] == source and target != source:
        raise Unprocessable("a value cannot be moved into itself", f"{where}.path")
    value = _take(document, source, f"{where}.from")
    _must_be_shallow(value, where)
    return _put(document, target, value, f"{where}.path")


def _copy(document: Any, operation: _Operation, where: str) -> Any:
    value = pointer.find(document, pointer.parse(operation["from"], where), f"{where}.from")
    _must_be_shallow(value, where)
    if len(encode(value)) > COPY_LIMIT_BYTES:
        raise TooLarge(f"a copied value may have {COPY_LIMIT_BYTES} bytes", f"{where}.from")
    return _put(document, pointer.parse(operation["path"], where), deepcopy(value), f"{where}.path")


def _must_be_shallow(value: Any, where: str, levels: int = DEPTH_LIMIT) -> None:
    """Each move may put a value one pointer deeper; what recurses later must not run out of stack."""
    if levels == 0:
        raise TooLarge(f"a moved value may be nested {DEPTH_LIMIT} deep", f"{where}.from")
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _must_be_shallow(item, where, levels - 1)


def _test(document: Any, operation: _Operation, where: str) -> Any:
    if not equal(pointer.find(document, pointer.parse(operation["path"], where), f"{where}.path"), operation["value"]):
        raise Unprocessable("the test fails: the value is another", f"{where}.value")
    return document


def equal(one: Any, other: Any) -> bool:
    """Equality of JSON values: ``1`` equals ``1.0``, but never ``true``."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(item, other[name]) for name, item in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | Decimal) and isinstance(other, int | Decimal):
        return one == other
    return type(one) is type(other) and bool(one == other)


_OPERATIONS: dict[str, Callable[[Any, _Operation, str], Any]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}
