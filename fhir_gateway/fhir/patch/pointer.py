"""JSON Pointer: the address of a value inside a JSON value.

https://www.rfc-editor.org/rfc/rfc6901
"""

import re
from typing import Any

from fhir_gateway.problem import BadRequest, Unprocessable

DEPTH_LIMIT = 64

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_ESCAPE = re.compile(r"~(?![01])")


def parse(text: Any, where: str) -> tuple[str, ...]:
    """The steps of a pointer; BadRequest when it is none."""
    if not isinstance(text, str) or (text and not text.startswith("/")) or _ESCAPE.search(text):
        raise BadRequest("a JSON Pointer is empty or starts with /, and ~ is written ~0", where)
    steps = tuple(step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:])
    if len(steps) > DEPTH_LIMIT:
        raise BadRequest(f"a pointer may have {DEPTH_LIMIT} steps", where)
    return steps


def find(value: Any, steps: tuple[str, ...], where: str) -> Any:
    """The value at the end of the steps; Unprocessable when there is none."""
    for step in steps:
        value = value[key(value, step, where)]
    return value


def key(container: Any, step: str, where: str) -> str | int:
    """The key of a member or item that is there."""
    if isinstance(container, dict) and step in container:
        return step
    if isinstance(container, list) and _INDEX.fullmatch(step) and int(step) < len(container):
        return int(step)
    raise Unprocessable("there is nothing at this place in the resource", where)


def slot(items: list[Any], step: str, where: str) -> int:
    """Where in a list something is to be put: an index up to its length, or ``-`` for its end."""
    if step == "-":
        return len(items)
    if not _INDEX.fullmatch(step) or int(step) > len(items):
        raise Unprocessable("the list has no such place", where)
    return int(step)
