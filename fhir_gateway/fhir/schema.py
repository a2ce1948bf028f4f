"""JSON Schema of one resource type, made from the definitions and cut down to what the type reaches.

https://hl7.org/fhir/R4/json.html, https://hl7.org/fhir/R4/datatypes.html#primitive

Draft 4, because there ``1.0`` is not an integer, as in FHIR. What a schema says badly or slowly (required
elements, choices, reference targets) is left to ``shape``; resources inside resources have schemas of their own.
"""

from collections.abc import Iterator
from typing import Any

from fhir_gateway.fhir.definitions import types, valuesets
from fhir_gateway.fhir.elements import choice, is_primitive, members

Schema = dict[str, Any]

_YEAR = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_MONTH = "(?:0[1-9]|1[0-2])"
_DAY = (
    f"(?:{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    f"|{_LEAP_YEAR}-02-29)"
)
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\\.[0-9]+)?"
_ZONE = "(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_SIXBITS = "[A-Za-z0-9+/][ \\t\\r\\n]*"
_BASE64 = f"^[ \\t\\r\\n]*(?:(?:{_SIXBITS}){{4}})*(?:(?:{_SIXBITS}){{2}}=\\s*=\\s*|(?:{_SIXBITS}){{3}}=\\s*)?$"
_HEX = "[0-9a-f]"


def _text(pattern: str) -> Schema:
    return {"type": "string", "pattern": pattern}


def _whole(minimum: int) -> Schema:
    return {"type": "integer", "minimum": minimum, "maximum": 2**31 - 1}


_STRING = _text("^[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f]+$") | {"maxLength": 2**20}
_URI = _text("^\\S+$")

PRIMITIVES: dict[str, Schema] = {
    "base64Binary": {"type": "string", "minLength": 1, "pattern": _BASE64},
    "boolean": {"type": "boolean"},
    "canonical": _URI,
    "code": _text("^\\S+(?:\\s\\S+)*$"),
    "date": _text(f"^(?:{_YEAR}|{_YEAR}-{_MONTH}|{_DAY})$"),
    "dateTime": _text(f"^(?:{_YEAR}|{_YEAR}-{_MONTH}|{_DAY}(?:T{_TIME}{_ZONE})?)$"),
    "decimal": {"type": "number"},
    "id": _text("^[A-Za-z0-9\\-.]{1,64}$"),
    "instant": _text(f"^{_DAY}T{_TIME}{_ZONE}$"),
    "integer": _whole(-(2**31)),
    "markdown": _STRING,
    "oid": _text("^urn:oid:[0-2](?:\\.(?:0|[1-9][0-9]*))+$"),
    "positiveInt": _whole(1),
    "string": _STRING,
    "time": _text(f"^{_TIME}$"),
    "unsignedInt": _whole(0),
    "uri": _URI,
    "url": _URI,
    "uuid": _text(f"^urn:uuid:{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}$"),
    "xhtml": _STRING,
}


def schema(resource_type: str) -> Schema:
    """The JSON Schema of a resource type of R4."""
    reached = _reached(resource_type)
    definitions = {kind: _object(kind) for kind in reached if kind != resource_type}
    return _object(resource_type) | {"definitions": definitions}


def _reached(resource_type: str) -> list[str]:
    found = [resource_type]
    for kind in found:
        children = (child for child in members(kind).values() if not is_primitive(child) and child != "Resource")
        found.extend(child for child in dict.fromkeys(children) if child not in found)
    return found


def _object(kind: str) -> Schema:
    properties: Schema = {}
    if types()[kind]["kind"] == "resource":
        properties["resourceType"] = {"enum": [kind]}
    for name, facts in types()[kind]["elements"].items():
        properties |= dict(_properties(kind, name, facts))
    return {"type": "object", "minProperties": 1, "properties": properties, "additionalProperties": False}


def _properties(kind: str, name: str, facts: dict[str, Any]) -> Iterator[tuple[str, Schema]]:
    names = [choice(name, code) for code in facts["types"]] if name.endswith("[x]") else [name]
    for member in names:
        child = members(kind)[member]
        yield member, _member(_value(kind, member, child, facts), facts)
        # The id of a resource is a plain text: R4 gives it no extensions.
        if is_primitive(child) and not (member == "id" and types()[kind]["kind"] == "resource"):
            yield f"_{member}", _member({"$ref": "#/definitions/Element"}, facts)


def _member(value: Schema, facts: dict[str, Any]) -> Schema:
    """One value or a list; in a list of primitives null stands where only the other half has something."""
    maximum = facts.get("max", "1")
    if maximum == "1":
        return value
    items = _or_null(value) if _is_half(value) else value
    limit = {} if maximum == "*" else {"maxItems": int(maximum)}
    return {"type": "array", "items": items, "minItems": max(1, facts.get("min", 0))} | limit


def _is_half(value: Schema) -> bool:
    """A primitive's value, or the Element beside it."""
    return value.get("$ref") == "#/definitions/Element" or ("$ref" not in value and value.get("type") != "object")


def _or_null(value: Schema) -> Schema:
    if "$ref" in value:
        return {"anyOf": [{"type": "null"}, value]}
    if "enum" in value:
        return {"enum": [*value["enum"], None]}
    return value | {"type": [value["type"], "null"]}


def _value(kind: str, name: str, child: str, facts: dict[str, Any]) -> Schema:
    if child == "Resource":
        return {"type": "object"}
    if not is_primitive(child):
        return {"$ref": f"#/definitions/{child}"}
    if name == "id" and types()[kind]["kind"] == "resource":
        return PRIMITIVES["id"]
    codes = valuesets().get(facts.get("binding", ""))
    if codes and child == "code":
        return {"enum": sorted({code for listed in codes.values() for code in listed})}
    return PRIMITIVES[child]
