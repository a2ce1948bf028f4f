"""XML to a resource: the values JSON would hold, every number with its digits; faults name place and line.

https://hl7.org/fhir/R4/xml.html
"""

import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

from fhir_gateway.fhir.codec import decode
from fhir_gateway.fhir.definitions import R4B_ONLY, resource_types
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.fhir.xml import divs
from fhir_gateway.fhir.xml.names import FHIR, Member, layout
from fhir_gateway.fhir.xml.safe import parse
from fhir_gateway.problem import Malformed, TooLarge

_SCHEMA_INSTANCE = "{http://www.w3.org/2001/XMLSchema-instance}"
_BOOLEANS = {"true": True, "false": False}
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WHOLE_KINDS = frozenset({"integer", "positiveInt", "unsignedInt"})
# A name that somebody invented is repeated only where it could be one of FHIR's.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}")

_Pair = tuple[Any, dict[str, Any] | None]


def decode_resource(body: bytes, limit: int | None = None) -> Resource:
    """The resource of an XML text. TooLarge beyond ``limit`` bytes, Malformed for what is no FHIR XML."""
    if limit is not None and len(body) > limit:
        raise TooLarge(f"the body is longer than {limit} bytes")
    return resource(parse(body))


def resource(root: etree._Element, path: str = "") -> Resource:
    """The resource that an element is."""
    kind = _local(root, path)
    if kind not in resource_types():
        reason = f"{kind} exists in R4B, not in R4" if kind in R4B_ONLY else "the element is no resource type of R4"
        raise _fault(reason, root, path)
    where = path or kind
    for name in root.attrib:
        _must_be_schema(root, str(name), where)
    return {"resourceType": kind, **_members(root, kind, where)}


def _members(element: etree._Element, kind: str, where: str) -> dict[str, Any]:
    """The children of an element as members of its JSON object."""
    _refuse_text(element, where)
    known = layout(kind)
    found: dict[str, list[_Pair]] = {}
    for child in element:
        name = _name(child, kind, where)
        member = known.get(name)
        if member is None or member.attribute:
            shown = name if _NAME.fullmatch(name) else "of this name"
            raise _fault(f"{kind} has no element {shown}", child, f"{where}.{name}" if shown == name else where)
        pairs = found.setdefault(name, [])
        if pairs and not member.repeats:
            raise _fault("the element may be there once", child, f"{where}.{name}")
        place = f"{where}.{name}[{len(pairs)}]" if member.repeats else f"{where}.{name}"
        pairs.append(_value(child, member, place))
    return {name: value for name, pairs in found.items() for name, value in _spread(name, known[name], pairs)}


def _spread(name: str, member: Member, pairs: list[_Pair]) -> Iterator[tuple[str, Any]]:
    """The JSON members of one element: its values, and beside them what primitives have besides."""
    values, halves = [value for value, _ in pairs], [half for _, half in pairs]
    for shown, items in ((name, values), (f"_{name}", halves)):
        if any(item is not None for item in items):
            yield shown, items if member.repeats else items[0]


def _value(element: etree._Element, member: Member, where: str) -> _Pair:
    if member.kind == "xhtml":
        return divs.text(element), None
    if member.kind == "Resource":
        return _inner_resource(element, where), None
    if member.primitive:
        return _primitive(element, member.kind, where)
    attributes = _attributes(element, ("id", "url") if member.kind == "Extension" else ("id",), where)
    return attributes | _members(element, member.kind, where), None


def _inner_resource(element: etree._Element, where: str) -> Resource:
    _refuse_text(element, where)
    _attributes(element, (), where)
    if len(element) != 1:
        raise _fault("the element must hold one resource", element, where)
    return resource(element[0], where)


def _primitive(element: etree._Element, kind: str, where: str) -> _Pair:
    half = _attributes(element, ("value", "id"), where)
    text = half.pop("value", None)
    half |= _members(element, "Element", where)
    if text is None and not half:
        raise _fault("the element needs a value or an extension", element, where)
    return (None if text is None else _read(text, kind, (element, where))), half or None


def _read(text: str, kind: str, at: tuple[etree._Element, str]) -> Any:
    if kind == "boolean":
        if text.strip() not in _BOOLEANS:
            raise _fault("is not a valid boolean: true or false", *at)
        return _BOOLEANS[text.strip()]
    if kind in _WHOLE_KINDS:
        if not _WHOLE.fullmatch(text.strip()):
            raise _fault(f"is not a valid {kind}: a whole number", *at)
        return int(text)
    if kind == "decimal":
        if not _DECIMAL.fullmatch(text.strip()):
            raise _fault("is not a valid decimal: a number", *at)
        return _decimal(text.strip(), at)
    return text


def _decimal(text: str, at: tuple[etree._Element, str]) -> Any:
    try:
        return decode(text.encode())
    except Malformed as fault:
        raise _fault(fault.text, *at) from None


def _attributes(element: etree._Element, allowed: tuple[str, ...], where: str) -> dict[str, Any]:
    found = {}
    for name, value in element.attrib.items():
        if name in allowed:
            found[str(name)] = str(value)
        else:
            _must_be_schema(element, str(name), where)
    return found


def _must_be_schema(element: etree._Element, name: str, where: str) -> None:
    """What XML Schema tools put beside the content is no content."""
    if not name.startswith(_SCHEMA_INSTANCE):
        shown = f"@{name}" if _NAME.fullmatch(name) else "of this name"
        raise _fault(f"there is no attribute {shown} here", element, where)


def _name(child: etree._Element, kind: str, where: str) -> str:
    if kind == "Narrative" and child.tag == f"{{{divs.XHTML}}}div":
        return "div"
    name = _local(child, where)
    if kind == "Narrative" and name == "div":
        raise _fault("the div must be in the XHTML namespace", child, f"{where}.div")
    return name


def _local(element: etree._Element, where: str) -> str:
    space, _, name = str(element.tag)[1:].rpartition("}")
    if space != FHIR:
        raise _fault(f"the element is not in the namespace {FHIR}", element, where)
    return name


def _refuse_text(element: etree._Element, where: str) -> None:
    texts = [element.text, *(child.tail for child in element)]
    if any(text and not text.isspace() for text in texts):
        raise _fault("text between elements; values are attributes in FHIR", element, where)


def _fault(text: str, element: etree._Element, where: str) -> Malformed:
    return Malformed(f"{text} (line {element.sourceline})" if element.sourceline else text, where or None)
