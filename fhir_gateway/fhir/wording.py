"""What the schema engine finds, in words for the person who wrote the resource; never the value itself.

https://hl7.org/fhir/R4/datatypes.html#primitive
"""

from collections.abc import Iterator, Sequence
from typing import Any

from fhir_gateway.fhir.definitions import types, valuesets
from fhir_gateway.fhir.elements import is_primitive, members
from fhir_gateway.problem import Issue

_LISTED_CODES = 12

_HINTS = {
    "base64Binary": "base64 text",
    "boolean": "true or false, without quotes",
    "code": "one or more words with single spaces between",
    "date": "YYYY, YYYY-MM or YYYY-MM-DD of a day that exists",
    "dateTime": "a date, or YYYY-MM-DDThh:mm:ss with a time zone",
    "decimal": "a number, without quotes",
    "id": "1 to 64 letters, digits, hyphens and dots",
    "instant": "YYYY-MM-DDThh:mm:ss with a time zone",
    "integer": "a whole number of 32 bits, without quotes",
    "markdown": "text, not empty, without control characters, at most 1 Mi characters",
    "oid": "urn:oid: and numbers with dots",
    "positiveInt": "a whole number from 1",
    "string": "text, not empty, without control characters, at most 1 Mi characters",
    "time": "hh:mm:ss",
    "unsignedInt": "a whole number from 0",
    "uuid": "urn:uuid: and a lower-case UUID",
}


def issues(root: str, kind: str, error: Any) -> Iterator[Issue]:
    """The issues of one error of the schema engine, found in a ``kind`` that stands at ``root``."""
    where = root + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path)
    fault = error.kind.name
    if fault == "additionalProperties":
        owner = _kind_at(kind, error.instance_path)[1]
        yield from (_unknown(where, owner, name) for name in error.kind.unexpected)
        return
    yield _issue(where, fault, error, _kind_at(kind, error.instance_path))


def _unknown(where: str, kind: str, name: str) -> Issue:
    if name.isidentifier() and len(name) <= 64:
        return Issue(f"{kind} has no element {name}", f"{where}.{name}", "structure")
    return Issue(f"{kind} has no element of this name", where, "structure")


def _issue(where: str, fault: str, error: Any, place: tuple[str, str, str]) -> Issue:
    owner, kind, name = place
    if error.instance == []:
        return Issue("an empty list is not allowed", where, "structure")
    if fault in _STRUCTURE:
        return Issue(_STRUCTURE[fault], where, "structure")
    if text := _type_text(error.kind.as_dict(), error.instance):
        return Issue(text, where, "structure")
    if fault == "enum":
        return Issue(_code_text(owner, name), where, "code-invalid")
    return Issue(_value_text(kind), where, "value" if is_primitive(kind) else "structure")


_STRUCTURE = {
    "minItems": "the list has too few items",
    "maxItems": "the list has too many items",
    "minProperties": "an object without members is not allowed",
}


def _type_text(expected: dict[str, Any], value: Any) -> str | None:
    if value is None:
        return "null is not allowed"
    if "array" in str(expected.get("types")):
        return "must be a list"
    if isinstance(value, list):
        return "must be a single value, not a list"
    return None


def _value_text(kind: str) -> str:
    if not is_primitive(kind):
        return f"must be an object ({kind})"
    hint = _HINTS.get(kind)
    return f"is not a valid {kind}: {hint}" if hint else f"is not a valid {kind}"


def _code_text(owner: str, name: str) -> str:
    if name == "resourceType":
        return "another resourceType was expected"
    binding = types()[owner]["elements"].get(name, {}).get("binding", "")
    codes = sorted({code for listed in valuesets().get(binding, {}).values() for code in listed})
    allowed = f": {', '.join(codes)}" if len(codes) <= _LISTED_CODES else ""
    return f"is not a code of {binding}{allowed}"


def _kind_at(kind: str, path: Sequence[str | int]) -> tuple[str, str, str]:
    """The class that owns the element at ``path``, the element's kind and its name."""
    owner, name = kind, ""
    for step in path:
        if isinstance(step, str):
            owner, name = kind, step
            kind = members(owner).get(step, "Resource")
    return owner, kind, name
