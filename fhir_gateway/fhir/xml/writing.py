"""A resource as XML: elements in the order of the definitions, numbers spelled as they were written.

https://hl7.org/fhir/R4/xml.html
"""

import re
from typing import Any

from lxml import etree

from fhir_gateway.fhir.codec import SpelledDecimal
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.fhir.xml import divs
from fhir_gateway.fhir.xml.names import FHIR, Member, layout

# JSON can hold a few code points that no XML document may.
_UNSPEAKABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def encode(resource: Resource, pretty: bool = False) -> bytes:
    """The XML text of a resource; ``pretty`` breaks lines between FHIR elements, never inside a narrative."""
    root = tree(resource)
    if pretty:
        _indent(root, 1)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def tree(resource: Resource) -> etree._Element:
    """The root element of a resource; members that R4 does not know are left out."""
    root = etree.Element(_tag(resource["resourceType"]), nsmap={None: FHIR})  # type: ignore[dict-item,unused-ignore]
    _fill(root, resource["resourceType"], resource)
    return root


def append(parent: etree._Element, name: str, kind: str, value: Any, half: Any = None) -> None:
    """Add one value of a member to ``parent``; ``half`` is what JSON keeps of a primitive beside it."""
    if kind == "xhtml":
        if value is not None:
            parent.append(divs.markup(value))
        return
    element = etree.SubElement(parent, _tag(name))
    if kind == "Resource":
        _fill(etree.SubElement(element, _tag(value["resourceType"])), value["resourceType"], value)
    elif isinstance(value, dict):
        _fill(element, kind, value)
    else:
        _fill_primitive(element, value, half)


def _tag(name: str) -> str:
    return f"{{{FHIR}}}{name}"


def _fill(element: etree._Element, kind: str, value: dict[str, Any]) -> None:
    known = layout(kind)
    names = {name.removeprefix("_"): None for name in value}
    for name in sorted((name for name in names if name in known), key=lambda name: known[name].rank):
        member = known[name]
        if not member.attribute:
            _write(element, name, member, (value.get(name), value.get(f"_{name}")))
        elif name in value:
            # An attribute has no other half: nothing in XML could hold an extension of an element's id.
            _set(element, name, value[name])


def _write(parent: etree._Element, name: str, member: Member, both: tuple[Any, Any]) -> None:
    value, half = both
    if not member.repeats:
        append(parent, name, member.kind, value, half)
        return
    values, halves = value or [], half or []
    for place in range(max(len(values), len(halves))):
        at_place = [items[place] if place < len(items) else None for items in (values, halves)]
        append(parent, name, member.kind, *at_place)


def _fill_primitive(element: etree._Element, value: Any, half: Any) -> None:
    if half:
        _fill(element, "Element", half)
    if value is not None:
        _set(element, "value", spelled(value))


def spelled(value: Any) -> str:
    """The text of a primitive."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.spelling if isinstance(value, SpelledDecimal) else str(value)


def _set(element: etree._Element, name: str, text: str) -> None:
    try:
        element.set(name, text)
    except ValueError:
        element.set(name, _UNSPEAKABLE.sub("\ufffd", text))


def _indent(element: etree._Element, level: int) -> None:
    """lxml's own pretty printing would put white space into narratives, where it shows."""
    children = list(element)
    if not children or not str(element.tag).startswith(f"{{{FHIR}}}"):
        return
    element.text = "\n" + "  " * level
    for child in children:
        _indent(child, level + 1)
        child.tail = element.text
    children[-1].tail = "\n" + "  " * (level - 1)
