"""XML Patch: a diff of add, replace and remove, applied to the XML form of a resource.

https://www.rfc-editor.org/rfc/rfc5261
"""

from collections.abc import Callable
from copy import deepcopy

from lxml import etree

from fhir_gateway.fhir.resource import Resource
from fhir_gateway.fhir.xml import reading, writing
from fhir_gateway.fhir.xml.safe import parse
from fhir_gateway.fhir.xml.selector import Found, select
from fhir_gateway.problem import BadRequest, TooLarge, Unprocessable

OPERATION_LIMIT = 1000

_DIFF_SPACE = "urn:ietf:params:xml:ns:diff"


def read(body: bytes) -> Callable[[Resource], Resource]:
    """What the diff does to a resource. Malformed or BadRequest when it is no diff."""
    root = parse(body)
    if _local(root) != "diff":
        raise BadRequest("an XML Patch is a diff element", "diff")
    if len(root) > OPERATION_LIMIT:
        raise TooLarge(f"a patch may have {OPERATION_LIMIT} operations", "diff")
    for place, operation in enumerate(root):
        _must_be_known(operation, f"diff[{place}]")
    return lambda resource: _patched(resource, root)


def _patched(resource: Resource, diff: etree._Element) -> Resource:
    target = writing.tree(resource)
    for place, operation in enumerate(diff):
        where = f"diff[{place}]"
        found = select(target, operation.get("sel", ""), operation.nsmap, f"{where}.sel")
        _OPERATIONS[_local(operation)](found, operation, where)
    return reading.resource(target)


def _must_be_known(operation: etree._Element, where: str) -> None:
    if _local(operation) not in _OPERATIONS:
        raise BadRequest("an operation is add, replace or remove", where)
    if not operation.get("sel"):
        raise BadRequest("the operation has no sel", f"{where}.sel")


def _local(element: etree._Element) -> str:
    space, _, name = str(element.tag).rpartition("}")
    return name if space in ("", f"{{{_DIFF_SPACE}", "{http://hl7.org/fhir") else ""


def _add(found: Found, operation: etree._Element, where: str) -> None:
    if found.attribute or found.is_text:
        raise Unprocessable("content is added to an element", f"{where}.sel")
    if kind := operation.get("type"):
        _add_attribute(found.element, kind, operation, where)
        return
    added = _content(operation)
    position = operation.get("pos")
    if operation.text and not operation.text.isspace():
        _add_text(found.element, operation.text, position, f"{where}.pos")
    if position in ("before", "after"):
        parent = found.element.getparent()
        if parent is None:
            raise Unprocessable("a resource has no siblings", f"{where}.pos")
        start = parent.index(found.element) + (position == "after")
        parent[start:start] = added
    elif position in (None, "prepend"):
        start = 0 if position else len(found.element)
        found.element[start:start] = added
    else:
        raise BadRequest("pos is before, after or prepend", f"{where}.pos")


def _add_text(element: etree._Element, text: str, position: str | None, where: str) -> None:
    """Text goes where the elements beside it go: only narrative has any, and the gate says so."""
    if position in ("before", "after"):
        raise Unprocessable("text is added inside an element", where)
    if position == "prepend" or not len(element):
        element.text = text + (element.text or "") if position else (element.text or "") + text
    else:
        element[-1].tail = (element[-1].tail or "") + text


def _add_attribute(element: etree._Element, kind: str, operation: etree._Element, where: str) -> None:
    name = kind.removeprefix("@")
    if not kind.startswith("@") or not name.isalnum():
        raise BadRequest("type names an attribute, such as @value", f"{where}.type")
    if element.get(name) is not None:
        raise Unprocessable("the attribute is there already", where)
    element.set(name, operation.text or "")


def _content(operation: etree._Element) -> list[etree._Element]:
    """White space around elements is the patch's own layout; FHIR has text in narratives only."""
    added = [deepcopy(child) for child in operation]
    for child in added:
        if child.tail and child.tail.isspace():
            child.tail = None
    return added


def _replace(found: Found, operation: etree._Element, where: str) -> None:
    if found.attribute:
        found.element.set(found.attribute, operation.text or "")
    elif found.is_text:
        found.element.text = operation.text
    else:
        parent, added = found.element.getparent(), _content(operation)
        if parent is None or len(added) != 1:
            raise Unprocessable("an element inside the resource is replaced by one element", where)
        added[0].tail = found.element.tail
        parent.replace(found.element, added[0])


def _remove(found: Found, _: etree._Element, where: str) -> None:
    parent = found.element.getparent()
    if found.attribute:
        del found.element.attrib[found.attribute]
    elif found.is_text:
        found.element.text = None
    elif parent is None:
        raise Unprocessable("the resource itself is removed by DELETE", where)
    else:
        parent.remove(found.element)


_OPERATIONS: dict[str, Callable[[Found, etree._Element, str], None]] = {
    "add": _add,
    "replace": _replace,
    "remove": _remove,
}
